-- Integrators. A change bears a revision of its own, taken under the lock of the row of client_revision, so that
-- revisions become visible in their order and a process finds everything that changed behind the last one it saw.
CREATE TABLE client_revision (
    one_row boolean PRIMARY KEY DEFAULT true CHECK (one_row),
    revision bigint NOT NULL
);
INSERT INTO client_revision (revision) VALUES (0);

CREATE TABLE client (
    account_id text NOT NULL,
    client_id text NOT NULL,
    name text NOT NULL,
    scopes text[] NOT NULL,
    active boolean NOT NULL DEFAULT true,
    burst_per_minute integer CHECK (burst_per_minute >= 1),
    daily_quota bigint CHECK (daily_quota >= 1),
    revision bigint NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (account_id, client_id)
);
-- A message names the client alone. Ids are 96 random bits: they are unique without a rule that would span accounts.
CREATE INDEX client_named ON client (client_id);
CREATE INDEX client_changed ON client (revision);

-- Several at once while one is being replaced; `sealed` is opened with the key in sealing_key.
CREATE TABLE client_secret (
    account_id text NOT NULL,
    client_id text NOT NULL,
    secret_id integer NOT NULL,
    sealed bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz,
    PRIMARY KEY (account_id, client_id, secret_id),
    FOREIGN KEY (account_id, client_id) REFERENCES client ON DELETE CASCADE
);

-- What a client has used of a minute or a day (span in seconds, period counted from 1970), as each partition has it:
-- a partition is one process's at a time, so that no two wait for the same row.
CREATE TABLE client_usage (
    account_id text NOT NULL,
    client_id text NOT NULL,
    span integer NOT NULL,
    period bigint NOT NULL,
    topic text NOT NULL,
    partition integer NOT NULL,
    used bigint NOT NULL,
    counted_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (account_id, client_id, span, period, topic, partition)
) WITH (fillfactor = 70);

-- Keys that secrets in this database are sealed with. `wrapped_by` names the key of the environment that is needed to
-- open one; where it is null, the key stands in clear, and who can read the database can read the secrets.
CREATE TABLE sealing_key (
    key_id smallint PRIMARY KEY CHECK (key_id BETWEEN 1 AND 255),
    wrapped_by text,
    wrapped bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
