-- Every key of account data begins with account_id, so that accounts can be spread over nodes.

CREATE EXTENSION IF NOT EXISTS btree_gist;

-- What has been consumed: moves in the transaction of the batch, from the expected offset to the next.
CREATE TABLE progress (
    topic text NOT NULL,
    partition integer NOT NULL,
    next_offset bigint NOT NULL,
    PRIMARY KEY (topic, partition)
);

-- The idempotency memory: command_key stands for channel, source and id, content_hash for type and JSON value.
CREATE TABLE inbox (
    account_id text NOT NULL,
    command_key bytea NOT NULL,
    content_hash bytea NOT NULL,
    outcome bytea NOT NULL,
    decided_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (account_id, command_key)
);

-- Bookings, visits and locations: state is the public snapshot as JSON, memo what is never published.
-- No other index, and room in each page, so that a change of version is a heap-only update.
CREATE TABLE aggregate (
    account_id text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('booking', 'visit', 'location')),
    aggregate_id text NOT NULL,
    version bigint NOT NULL CHECK (version >= 1),
    state bytea NOT NULL,
    memo bytea,
    PRIMARY KEY (account_id, kind, aggregate_id)
) WITH (fillfactor = 70);

-- The row of a group: new members and replicated actions both bump its version.
CREATE TABLE booking_group (
    account_id text NOT NULL,
    group_id text NOT NULL,
    version bigint NOT NULL,
    size integer NOT NULL CHECK (size BETWEEN 0 AND 1000),
    PRIMARY KEY (account_id, group_id)
) WITH (fillfactor = 70);

CREATE TABLE group_member (
    account_id text NOT NULL,
    group_id text NOT NULL,
    booking_id text NOT NULL,
    PRIMARY KEY (account_id, group_id, booking_id)
);

CREATE TABLE external_id (
    account_id text NOT NULL,
    external_id text NOT NULL,
    visit_id text NOT NULL,
    PRIMARY KEY (account_id, external_id)
);

-- Visits of a customer that are not over.
CREATE TABLE active_visit (
    account_id text NOT NULL,
    location_id text NOT NULL,
    customer_id text NOT NULL,
    visit_id text NOT NULL,
    PRIMARY KEY (account_id, location_id, customer_id, visit_id)
);

-- What live bookings and visits hold: exclusive holders exclude each other, shared ones are looked at by new claims.
CREATE TABLE slot (
    account_id text NOT NULL,
    kind text NOT NULL,
    holder_id text NOT NULL,
    resource_id text NOT NULL,
    period tstzrange NOT NULL,
    exclusive boolean NOT NULL,
    PRIMARY KEY (account_id, kind, holder_id, resource_id),
    CONSTRAINT slot_held_once EXCLUDE USING gist (account_id WITH =, resource_id WITH =, period WITH &&) WHERE (exclusive)
);
CREATE INDEX slot_shared ON slot USING gist (account_id, resource_id, period) WHERE (NOT exclusive);

-- Actions that play by themselves; the row lives until the command that it sends is decided.
CREATE TABLE timer (
    account_id text NOT NULL,
    kind text NOT NULL,
    aggregate_id text NOT NULL,
    action text NOT NULL,
    timer_id text NOT NULL,
    due_at timestamptz NOT NULL,
    correlation_id text NOT NULL,
    sent_at timestamptz,
    PRIMARY KEY (account_id, kind, aggregate_id, action)
) WITH (fillfactor = 80);
CREATE INDEX timer_due ON timer (due_at);

-- Records ready to send, in order; headers are JSON pairs of name and value, each byte of a value a character.
CREATE TABLE outbox (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    topic text NOT NULL,
    key bytea,
    headers bytea NOT NULL,
    value bytea,
    created_at timestamptz NOT NULL DEFAULT now()
) WITH (
    -- An event is some two kilobytes that live for a moment: compressing them would cost more than all the rest.
    toast_tuple_target = 8160,
    autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000, autovacuum_vacuum_insert_scale_factor = 0
);
