-- Pauses of consumption, in all processes: one that has no end yet is on. A row is closed, never deleted.
CREATE TABLE pause (
    pause_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    reason text NOT NULL,
    began_by text NOT NULL,
    began_at timestamptz NOT NULL DEFAULT now(),
    ended_by text,
    ended_at timestamptz
);
CREATE UNIQUE INDEX pause_one ON pause ((true)) WHERE ended_at IS NULL;

-- The first part of ce_sequence, which has four digits: the greatest one holds. One more with each restore.
CREATE TABLE epoch (
    epoch integer PRIMARY KEY CHECK (epoch BETWEEN 0 AND 9999),
    began_at timestamptz NOT NULL DEFAULT now()
);
INSERT INTO epoch (epoch) VALUES (0);

-- Whose offsets they are; null where nothing has told yet.
ALTER TABLE progress ADD COLUMN cluster_id text, ADD COLUMN topic_id uuid;
