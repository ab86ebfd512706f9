-- The state graphs that the database was last migrated with: a graph may not lose a state that is still in use.
CREATE TABLE graph_revision (
    revision bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    states jsonb NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now()
);
