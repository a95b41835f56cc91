-- Orders that have ended, in the columns by which they are found. An order comes here in the commit in which it ends, and
-- nothing changes it any more: `orders` holds live orders only, however many there have been.
CREATE TABLE orders_archive (
    order_id         TEXT   NOT NULL PRIMARY KEY,
    channel          TEXT   NOT NULL,
    channel_order_id TEXT   NOT NULL,
    customer_id      TEXT   NOT NULL,
    phone            TEXT   NOT NULL,
    state            TEXT   NOT NULL CHECK (state IN ('REJECTED', 'COMPLETED', 'PARTIAL', 'FAILED', 'CANCELLED')),
    version          BIGINT NOT NULL,
    created_at_us    BIGINT NOT NULL,
    document         TEXT   NOT NULL
);
-- A number stays taken; it is looked for with its channel, or in all of them.
CREATE UNIQUE INDEX orders_archive_by_number ON orders_archive (channel_order_id, channel);
CREATE INDEX orders_archive_by_age ON orders_archive (created_at_us, order_id);
CREATE INDEX orders_archive_by_customer ON orders_archive (customer_id, created_at_us, order_id);
CREATE INDEX orders_archive_by_phone ON orders_archive (phone, created_at_us, order_id) WHERE phone <> '';
CREATE INDEX orders_archive_by_channel ON orders_archive (channel, created_at_us, order_id);
CREATE INDEX orders_archive_by_channel_state ON orders_archive (channel, state, created_at_us, order_id);
CREATE INDEX orders_archive_by_state ON orders_archive (state, created_at_us, order_id);

-- What archived orders are found by besides: "template:…", "fee".
CREATE TABLE archive_marks (
    mark          TEXT   NOT NULL,
    created_at_us BIGINT NOT NULL,
    order_id      TEXT   NOT NULL,
    PRIMARY KEY (mark, created_at_us, order_id)
);

-- Of live orders there are few: what is written with each change of one is less.
DROP INDEX orders_live;
DROP INDEX orders_by_channel_state;
DROP INDEX orders_by_channel;
DROP INDEX orders_by_number;
CREATE UNIQUE INDEX orders_by_number ON orders (channel_order_id, channel);
-- Ended orders that an earlier version left here: in time there are none.
CREATE INDEX orders_left ON orders (order_id) WHERE wakeup_at_us IS NULL;
