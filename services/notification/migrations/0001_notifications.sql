-- Messages, each with its one delivery. The id of the delivery is our reference at the provider: it is here before the
-- provider hears it. next_attempt_at_us is when the delivery is due; while a call is on the way, when it counts as lost.
CREATE TABLE notifications (
    notification_id    TEXT   NOT NULL PRIMARY KEY,
    state              TEXT   NOT NULL CHECK (state IN ('QUEUED', 'COMPLETED', 'FAILED')),
    source             TEXT   NOT NULL,
    template_code      TEXT   NOT NULL,
    locale             TEXT   NOT NULL,
    order_id           TEXT   NOT NULL,
    delivery_id        TEXT   NOT NULL,
    delivery_state     TEXT   NOT NULL CHECK (delivery_state IN ('PENDING', 'DISPATCHING', 'ACCEPTED', 'UNDELIVERABLE', 'UNKNOWN')),
    provider           TEXT   NOT NULL,
    recipient_phone    TEXT   NOT NULL,
    body               TEXT   NOT NULL,
    attempts           BIGINT NOT NULL,
    failure_reason     TEXT   NOT NULL,
    next_attempt_at_us BIGINT,
    created_at_us      BIGINT NOT NULL,
    ended_at_us        BIGINT,
    trace_parent       TEXT   NOT NULL,
    version            BIGINT NOT NULL
);
-- Holds only live work, so that finding what is due does not grow with what was ever sent.
CREATE INDEX notifications_due ON notifications (next_attempt_at_us) WHERE state = 'QUEUED';
CREATE INDEX notifications_by_time ON notifications (created_at_us, notification_id);
CREATE INDEX notifications_by_order ON notifications (order_id, created_at_us, notification_id);
CREATE INDEX notifications_by_state ON notifications (state, created_at_us, notification_id);
