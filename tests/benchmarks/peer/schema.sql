CREATE TABLE inbox (
    account_id text NOT NULL,
    source text NOT NULL,
    command_id text NOT NULL,
    content_hash bytea NOT NULL,
    outcome text NOT NULL,
    received_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (account_id, source, command_id)
);

CREATE TABLE booking (
    account_id text NOT NULL,
    booking_id text NOT NULL,
    version bigint NOT NULL,
    state jsonb NOT NULL,
    PRIMARY KEY (account_id, booking_id)
) WITH (fillfactor = 70);

CREATE TABLE outbox (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    topic text NOT NULL,
    key text NOT NULL,
    headers jsonb NOT NULL,
    value text NOT NULL
);
