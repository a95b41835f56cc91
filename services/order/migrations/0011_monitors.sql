-- Where steps of live orders stand for longer than a call takes, and which of them are late: what monitors count.
CREATE TABLE positions (
    order_id          TEXT   NOT NULL,
    -- Empty for the order's own steps.
    business_order_id TEXT   NOT NULL,
    step_id           TEXT   NOT NULL,
    aspect            TEXT   NOT NULL CHECK (aspect IN ('STATE', 'LATENESS')),
    template          TEXT   NOT NULL,
    value             TEXT   NOT NULL,
    -- When the step began, or since when it is late.
    since_us          BIGINT NOT NULL,
    PRIMARY KEY (order_id, business_order_id, step_id, aspect)
);
-- Groups are counted from the index alone.
CREATE INDEX positions_by_group ON positions (aspect, template, step_id, value, since_us, order_id);
CREATE INDEX positions_by_age ON positions (aspect, since_us, order_id, business_order_id, step_id);

-- Requests to cancel an order or a part of it, or to change its lines, and what came of each.
CREATE TABLE cancellations (
    cancellation_id TEXT   NOT NULL PRIMARY KEY,
    order_id        TEXT   NOT NULL,
    channel         TEXT   NOT NULL,
    kind            TEXT   NOT NULL CHECK (kind IN ('ORDER', 'PARTS', 'CHANGE')),
    outcome         TEXT   NOT NULL CHECK (outcome IN ('OPEN', 'STUCK', 'DONE', 'PARTLY', 'TOO_LATE', 'REPLACED')),
    actor           TEXT   NOT NULL,
    reason          TEXT   NOT NULL,
    asked_at_us     BIGINT NOT NULL,
    -- NULL while something is still to come.
    ended_at_us     BIGINT
);
CREATE INDEX cancellations_by_age ON cancellations (asked_at_us, cancellation_id);
CREATE INDEX cancellations_by_outcome ON cancellations (outcome, asked_at_us, cancellation_id);
CREATE INDEX cancellations_by_group ON cancellations (kind, outcome, reason, asked_at_us);
CREATE INDEX cancellations_ended ON cancellations (ended_at_us) WHERE ended_at_us IS NOT NULL;
