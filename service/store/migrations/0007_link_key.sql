-- Keys that sign the tokens of action links. A key signs for commands that were appended since it began, until the next
-- one begins; it is kept for as long as links of its own may live, or until it is revoked. `sealed` is opened with the
-- key in sealing_key.
CREATE TABLE link_key (
    key_id integer PRIMARY KEY CHECK (key_id >= 1),
    sealed bytea NOT NULL,
    begins_at timestamptz NOT NULL,
    revoked_at timestamptz
);
