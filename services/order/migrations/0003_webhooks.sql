-- Where the events of a channel's orders go. A deleted webhook stays as a row until its deliveries are gone.
CREATE TABLE webhooks (
    webhook_id        TEXT   NOT NULL PRIMARY KEY,
    channel           TEXT   NOT NULL,
    name              TEXT   NOT NULL,
    url               TEXT   NOT NULL,
    -- Separated by spaces; empty sends every event of an order.
    event_types       TEXT   NOT NULL,
    state             TEXT   NOT NULL CHECK (state IN ('ACTIVE', 'PAUSED', 'DISABLED', 'DELETED')),
    secret            TEXT   NOT NULL,
    -- The secret before, and until when it signs as well; NULL where there was none.
    previous_secret   TEXT,
    previous_until_us BIGINT,
    version           BIGINT NOT NULL,
    created_at_us     BIGINT NOT NULL,
    updated_at_us     BIGINT NOT NULL
);
CREATE UNIQUE INDEX webhooks_by_name ON webhooks (channel, name) WHERE state <> 'DELETED';
CREATE INDEX webhooks_deleted ON webhooks (webhook_id) WHERE state = 'DELETED';

-- One event on its way to one webhook, made in the transaction that stores the event.
CREATE TABLE webhook_deliveries (
    delivery_id        TEXT   NOT NULL PRIMARY KEY,
    webhook_id         TEXT   NOT NULL,
    channel            TEXT   NOT NULL,
    event_id           TEXT   NOT NULL,
    event_type         TEXT   NOT NULL,
    order_id           TEXT   NOT NULL,
    payload            TEXT   NOT NULL,
    state              TEXT   NOT NULL CHECK (state IN ('PENDING', 'DELIVERED', 'FAILED')),
    attempts           BIGINT NOT NULL CHECK (attempts >= 0),
    -- When it is sent next, or while an attempt is under way, when that counts as lost. NULL once it is not PENDING.
    next_attempt_at_us BIGINT,
    -- NULL where the last attempt got no answer.
    response_code      BIGINT,
    -- Empty where the last attempt did not fail.
    failure_reason     TEXT   NOT NULL,
    failure_message    TEXT   NOT NULL,
    created_at_us      BIGINT NOT NULL,
    delivered_at_us    BIGINT
);
CREATE UNIQUE INDEX webhook_deliveries_by_event ON webhook_deliveries (webhook_id, event_id);
-- Only what is to be sent: sending never looks at history.
CREATE INDEX webhook_deliveries_due ON webhook_deliveries (webhook_id, next_attempt_at_us, delivery_id)
    WHERE state = 'PENDING';
CREATE INDEX webhook_deliveries_failed ON webhook_deliveries (webhook_id, created_at_us, delivery_id)
    WHERE state = 'FAILED';
CREATE INDEX webhook_deliveries_by_webhook
    ON webhook_deliveries (webhook_id, created_at_us, delivery_id);
CREATE INDEX webhook_deliveries_by_order ON webhook_deliveries (order_id, created_at_us, delivery_id);
CREATE INDEX webhook_deliveries_by_age ON webhook_deliveries (created_at_us);
