-- Events that this center announces, in commit order. The relay and every subscriber read it by sequence.
CREATE TABLE outbox (
    sequence       BIGINT NOT NULL PRIMARY KEY,
    event_id       TEXT   NOT NULL,
    type           TEXT   NOT NULL,
    subject        TEXT   NOT NULL,
    order_id       TEXT   NOT NULL,
    occurred_at_us BIGINT NOT NULL,
    trace_parent   TEXT   NOT NULL,
    payload_type   TEXT   NOT NULL,
    payload        BYTEA  NOT NULL
);

-- First answers to mutating requests, refusals included.
CREATE TABLE requests (
    caller        TEXT   NOT NULL,
    request_id    TEXT   NOT NULL,
    fingerprint   TEXT   NOT NULL,
    outcome       TEXT   NOT NULL CHECK (outcome IN ('ANSWERED', 'REFUSED')),
    answer        BYTEA  NOT NULL,
    created_at_us BIGINT NOT NULL,
    PRIMARY KEY (caller, request_id)
);
CREATE INDEX requests_by_age ON requests (created_at_us);

-- How far this center has read the feeds of others.
CREATE TABLE cursors (
    consumer TEXT   NOT NULL,
    center   TEXT   NOT NULL,
    sequence BIGINT NOT NULL,
    PRIMARY KEY (consumer, center)
);
