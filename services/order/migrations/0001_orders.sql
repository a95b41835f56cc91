-- One row an order. The document is the whole aggregate; the columns beside it are what is looked up.
CREATE TABLE orders (
    order_id         TEXT   NOT NULL PRIMARY KEY,
    channel          TEXT   NOT NULL,
    channel_order_id TEXT   NOT NULL,
    customer_id      TEXT   NOT NULL,
    state            TEXT   NOT NULL CHECK (state IN (
        'ACKNOWLEDGED', 'REJECTED', 'PENDING', 'IN_PROGRESS', 'PENDING_CANCELLATION',
        'COMPLETED', 'PARTIAL', 'FAILED', 'CANCELLED')),
    version          BIGINT NOT NULL,
    created_at_us    BIGINT NOT NULL,
    -- When a live order needs work next; NULL once it is terminal.
    wakeup_at_us     BIGINT,
    document         TEXT   NOT NULL
);
CREATE UNIQUE INDEX orders_by_channel ON orders (channel, channel_order_id);
CREATE INDEX orders_by_age ON orders (created_at_us, order_id);
CREATE INDEX orders_by_customer ON orders (customer_id, created_at_us, order_id);
CREATE INDEX orders_by_channel_age ON orders (channel, created_at_us, order_id);
CREATE INDEX orders_by_channel_state ON orders (channel, state, created_at_us, order_id);
CREATE INDEX orders_by_state ON orders (state, created_at_us, order_id);
-- Only live orders: recovery never looks at history.
CREATE INDEX orders_live ON orders (order_id) WHERE wakeup_at_us IS NOT NULL;

-- What each line of a return takes of a line of an earlier order: units, and the money that comes back for them.
CREATE TABLE claims (
    order_id          TEXT   NOT NULL,
    item_key          TEXT   NOT NULL,
    original_order_id TEXT   NOT NULL,
    original_item_key TEXT   NOT NULL,
    units             BIGINT NOT NULL CHECK (units > 0),
    amount_minor      BIGINT NOT NULL CHECK (amount_minor >= 0),
    PRIMARY KEY (order_id, item_key)
);
CREATE INDEX claims_by_original ON claims (original_order_id);
