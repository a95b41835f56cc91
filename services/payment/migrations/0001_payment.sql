-- What is owed and what became of it. Amounts are minor units of currency_code.
CREATE TABLE payment_orders (
    payment_order_id TEXT   NOT NULL PRIMARY KEY,
    version          BIGINT NOT NULL,
    caller           TEXT   NOT NULL,
    reference        TEXT   NOT NULL,
    order_id         TEXT   NOT NULL,
    payer_id         TEXT   NOT NULL,
    currency_code    TEXT   NOT NULL,
    amount_minor     BIGINT NOT NULL CHECK (amount_minor > 0),
    captured_minor   BIGINT NOT NULL CHECK (captured_minor >= 0),
    refunding_minor  BIGINT NOT NULL CHECK (refunding_minor >= 0),
    refunded_minor   BIGINT NOT NULL CHECK (refunded_minor >= 0),
    state            TEXT   NOT NULL CHECK (state IN (
        'CREATED', 'AWAITING_PAYER', 'PROCESSING', 'AUTHORIZED', 'PAID', 'PARTIALLY_REFUNDED',
        'REFUNDED', 'CLOSING', 'CLOSED')),
    close_reason     TEXT   CHECK (close_reason IN ('EXPIRED', 'CALLER')),
    expire_at_us     BIGINT NOT NULL,
    expiry_due_at_us BIGINT,
    created_at_us    BIGINT NOT NULL,
    updated_at_us    BIGINT NOT NULL,
    trace_parent     TEXT   NOT NULL,
    UNIQUE (caller, reference),
    CHECK (refunding_minor + refunded_minor <= captured_minor)
);
CREATE INDEX payment_orders_by_order ON payment_orders (order_id, created_at_us, payment_order_id);
CREATE INDEX payment_orders_by_age ON payment_orders (created_at_us, payment_order_id);
-- Only what can still expire.
CREATE INDEX payment_orders_by_expiry ON payment_orders (expiry_due_at_us)
    WHERE expiry_due_at_us IS NOT NULL;

-- One try on one channel, stored before the channel hears of it.
CREATE TABLE attempts (
    attempt_id       TEXT   NOT NULL PRIMARY KEY,
    payment_order_id TEXT   NOT NULL REFERENCES payment_orders (payment_order_id),
    number           BIGINT NOT NULL,
    channel          TEXT   NOT NULL CHECK (channel IN ('sandbox', 'counter')),
    capture_mode     TEXT   NOT NULL CHECK (capture_mode IN ('AUTOMATIC', 'MANUAL')),
    outcome          TEXT   NOT NULL CHECK (outcome IN (
        'CREATED', 'PENDING', 'UNKNOWN', 'AUTHORIZED', 'CAPTURED', 'DECLINED', 'NOT_ATTEMPTED')),
    capture_minor    BIGINT CHECK (capture_minor > 0),
    captured_minor   BIGINT NOT NULL CHECK (captured_minor >= 0),
    decline_reason   TEXT   NOT NULL,
    receipt_number   TEXT   NOT NULL,
    queries          BIGINT NOT NULL,
    next_query_at_us BIGINT,
    created_at_us    BIGINT NOT NULL,
    updated_at_us    BIGINT NOT NULL,
    UNIQUE (payment_order_id, number)
);
-- At most one attempt of a payment order is unresolved.
CREATE UNIQUE INDEX attempts_open ON attempts (payment_order_id)
    WHERE outcome IN ('CREATED', 'PENDING', 'UNKNOWN');
-- Only what the channel is still to be asked about.
CREATE INDEX attempts_by_query ON attempts (next_query_at_us) WHERE next_query_at_us IS NOT NULL;

-- Money going back. Without a payment order it is a payout of its own.
CREATE TABLE refunds (
    refund_id        TEXT   NOT NULL PRIMARY KEY,
    version          BIGINT NOT NULL,
    payment_order_id TEXT   REFERENCES payment_orders (payment_order_id),
    attempt_id       TEXT   REFERENCES attempts (attempt_id),
    channel          TEXT   NOT NULL CHECK (channel IN ('sandbox', 'counter')),
    state            TEXT   NOT NULL CHECK (state IN ('PENDING', 'SUCCEEDED', 'FAILED')),
    currency_code    TEXT   NOT NULL,
    amount_minor     BIGINT NOT NULL CHECK (amount_minor > 0),
    order_id         TEXT   NOT NULL,
    payer_id         TEXT   NOT NULL,
    reason           TEXT   NOT NULL,
    decline_reason   TEXT   NOT NULL,
    queries          BIGINT NOT NULL,
    next_query_at_us BIGINT,
    created_at_us    BIGINT NOT NULL,
    ended_at_us      BIGINT,
    trace_parent     TEXT   NOT NULL,
    CHECK ((payment_order_id IS NULL) = (attempt_id IS NULL))
);
CREATE INDEX refunds_by_order ON refunds (order_id, created_at_us, refund_id);
CREATE INDEX refunds_by_age ON refunds (created_at_us, refund_id);
CREATE INDEX refunds_by_query ON refunds (next_query_at_us) WHERE next_query_at_us IS NOT NULL;
