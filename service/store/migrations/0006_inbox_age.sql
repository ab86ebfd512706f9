-- Outside of a transaction: an index that is made while the previous version goes on writing.
DROP INDEX CONCURRENTLY IF EXISTS inbox_decided_at;
-- The oldest rows are found for as long as rows are forgotten. They come in the order of their time and many at once, so
-- that a row takes some eight bytes here. (BRIN would be smaller still, but room that was freed is used again for new
-- rows, after which every range of it holds every time; partitions by time would not let a key be unique over time.)
CREATE INDEX CONCURRENTLY inbox_decided_at ON inbox (decided_at);
-- A fifth of the table, the default, would be days of dead rows.
ALTER TABLE inbox SET (
    autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_insert_scale_factor = 0.05,
    autovacuum_analyze_scale_factor = 0.05
);
