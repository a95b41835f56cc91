-- Who may call. Only the SHA-256 of a key is stored.
CREATE TABLE callers (
    name          TEXT   NOT NULL PRIMARY KEY,
    kind          TEXT   NOT NULL CHECK (kind IN ('CHANNEL', 'OPERATOR', 'CENTER', 'SYSTEM')),
    key_hash      TEXT   NOT NULL UNIQUE,
    method_grants TEXT   NOT NULL,
    right_grants  TEXT   NOT NULL,
    created_at_us BIGINT NOT NULL
);

-- Calls that the gateway carried for an order. Only added, read by order, deleted by age.
CREATE TABLE hops (
    order_id       TEXT   NOT NULL,
    started_at_us  BIGINT NOT NULL,
    span_id        TEXT   NOT NULL,
    trace_id       TEXT   NOT NULL,
    parent_span_id TEXT   NOT NULL,
    caller         TEXT   NOT NULL,
    callee         TEXT   NOT NULL,
    method         TEXT   NOT NULL,
    endpoint       TEXT   NOT NULL,
    first_byte_us  BIGINT NOT NULL,
    duration_us    BIGINT NOT NULL,
    status_code    BIGINT NOT NULL,
    status_message TEXT   NOT NULL,
    request_bytes  BIGINT NOT NULL,
    response_bytes BIGINT NOT NULL,
    PRIMARY KEY (order_id, started_at_us, span_id)
);
CREATE INDEX hops_by_age ON hops (started_at_us);

-- Business steps: events of the centers about an order.
CREATE TABLE steps (
    event_id       TEXT   NOT NULL PRIMARY KEY,
    order_id       TEXT   NOT NULL,
    occurred_at_us BIGINT NOT NULL,
    center         TEXT   NOT NULL,
    type           TEXT   NOT NULL,
    subject        TEXT   NOT NULL,
    detail         TEXT   NOT NULL,
    trace_id       TEXT   NOT NULL,
    sequence       BIGINT NOT NULL
);
CREATE INDEX steps_by_order ON steps (order_id, occurred_at_us, event_id);
CREATE INDEX steps_by_age ON steps (occurred_at_us);
