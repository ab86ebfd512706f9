-- Snapshots for late consumers: what each resync is about and how far it has come. A page of snapshots and the bookmark
-- behind its last aggregate move in one transaction, so that a resync that was interrupted goes on where it stopped.
CREATE TABLE resync (
    resync_id text PRIMARY KEY,
    account_id text,
    location_id text,
    kinds text[] NOT NULL,
    changed_since timestamptz,
    total bigint NOT NULL,
    published bigint NOT NULL DEFAULT 0,
    after_account text NOT NULL DEFAULT '',
    after_kind text NOT NULL DEFAULT '',
    after_id text NOT NULL DEFAULT '',
    -- Between these numbers lie its rows of the outbox that may not be sent yet.
    rows_after bigint NOT NULL DEFAULT 0,
    rows_upto bigint NOT NULL DEFAULT 0,
    started_at timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz
);
