-- How the simulators are told to misbehave. The lowest number that matches a call decides.
CREATE TABLE rules (
    rule_number   BIGINT NOT NULL PRIMARY KEY,
    method        TEXT   NOT NULL,
    offering_code TEXT   NOT NULL,
    customer_id   TEXT   NOT NULL,
    order_id      TEXT   NOT NULL,
    misbehavior   TEXT   NOT NULL CHECK (misbehavior IN
        ('DELAY', 'REFUSE', 'DOWN', 'TIMEOUT_BEFORE', 'TIMEOUT_AFTER', 'ANSWER_TWICE', 'ANSWER_LATE')),
    delay_us      BIGINT NOT NULL CHECK (delay_us >= 0),
    reason        TEXT   NOT NULL,
    max_uses      BIGINT NOT NULL CHECK (max_uses >= 0),
    uses          BIGINT NOT NULL CHECK (uses >= 0)
);

-- What callers asked for, by their reference, and the first outcome. Money columns are set for charges and refunds.
CREATE TABLE operations (
    system         TEXT   NOT NULL,
    reference      TEXT   NOT NULL,
    method         TEXT   NOT NULL,
    order_id       TEXT   NOT NULL,
    customer_id    TEXT   NOT NULL,
    offering_codes TEXT   NOT NULL,
    target         TEXT,
    state          TEXT   NOT NULL CHECK (state IN ('PENDING', 'SUCCEEDED', 'DECLINED', 'CANCELLED')),
    reason         TEXT   NOT NULL,
    currency_code  TEXT,
    amount_minor   BIGINT,
    authorize_only BIGINT NOT NULL CHECK (authorize_only IN (0, 1)),
    captured_minor BIGINT NOT NULL CHECK (captured_minor >= 0),
    refunded_minor BIGINT NOT NULL CHECK (refunded_minor >= 0 AND refunded_minor <= captured_minor),
    ended          BIGINT NOT NULL CHECK (ended IN (0, 1)),
    version        BIGINT NOT NULL,
    created_at_us  BIGINT NOT NULL,
    PRIMARY KEY (system, reference)
);

-- What really happened, in order.
CREATE TABLE effects (
    sequence       BIGINT NOT NULL PRIMARY KEY,
    system         TEXT   NOT NULL,
    method         TEXT   NOT NULL,
    reference      TEXT   NOT NULL,
    order_id       TEXT   NOT NULL,
    succeeded      BIGINT NOT NULL CHECK (succeeded IN (0, 1)),
    currency_code  TEXT,
    amount_minor   BIGINT,
    occurred_at_us BIGINT NOT NULL
);
CREATE INDEX effects_by_system ON effects (system, sequence);

-- Operations that were answered PENDING and whose end is still to happen or to be reported. Holds live work only.
CREATE TABLE late_operations (
    system       TEXT   NOT NULL,
    reference    TEXT   NOT NULL,
    due_at_us    BIGINT NOT NULL,
    reports_left BIGINT NOT NULL CHECK (reports_left > 0),
    attempts     BIGINT NOT NULL CHECK (attempts >= 0),
    trace_parent TEXT   NOT NULL,
    PRIMARY KEY (system, reference)
);
CREATE INDEX late_operations_by_due ON late_operations (due_at_us);
