-- The flow of business as data. A version never changes; orders keep the versions that they began with.
CREATE TABLE templates (
    name            TEXT   NOT NULL,
    version         BIGINT NOT NULL CHECK (version > 0),
    kind            TEXT   NOT NULL CHECK (kind IN ('ORDER', 'BUSINESS')),
    title           TEXT   NOT NULL,
    source          TEXT   NOT NULL,
    -- google.protobuf.FileDescriptorSet of capabilities that are not part of the platform; empty where it calls none.
    descriptors     BYTEA  NOT NULL,
    author          TEXT   NOT NULL,
    reason          TEXT   NOT NULL,
    published_at_us BIGINT NOT NULL,
    PRIMARY KEY (name, version)
);
-- The version by which new orders run.
CREATE TABLE templates_in_force (
    name    TEXT   NOT NULL PRIMARY KEY,
    version BIGINT NOT NULL
);

-- Pauses of templates and of capabilities, for all orders.
CREATE TABLE standing_holds (
    hold_id      TEXT   NOT NULL PRIMARY KEY,
    scope        TEXT   NOT NULL CHECK (scope IN ('TEMPLATE', 'CAPABILITY')),
    target       TEXT   NOT NULL,
    reason       TEXT   NOT NULL,
    operator     TEXT   NOT NULL,
    placed_at_us BIGINT NOT NULL
);
CREATE UNIQUE INDEX standing_holds_by_target ON standing_holds (scope, target);

-- Open tasks of persons, to be found without their orders. What a task is stands in its order.
CREATE TABLE tasks (
    task_id      TEXT   NOT NULL PRIMARY KEY,
    order_id     TEXT   NOT NULL,
    task_group   TEXT   NOT NULL,
    claimed_by   TEXT   NOT NULL,
    -- The end of time for one without a deadline: the most urgent come first.
    deadline_us  BIGINT NOT NULL
);
CREATE INDEX tasks_by_order ON tasks (order_id);
CREATE INDEX tasks_by_deadline ON tasks (deadline_us, task_id);
CREATE INDEX tasks_by_group ON tasks (task_group, deadline_us, task_id);

-- Orders know more states than before, and are found by more.
CREATE TABLE orders_of_before AS SELECT * FROM orders;
DROP TABLE orders;
CREATE TABLE orders (
    order_id         TEXT   NOT NULL PRIMARY KEY,
    channel          TEXT   NOT NULL,
    channel_order_id TEXT   NOT NULL,
    customer_id      TEXT   NOT NULL,
    phone            TEXT   NOT NULL,
    state            TEXT   NOT NULL CHECK (state IN (
        'ACKNOWLEDGED', 'REJECTED', 'PENDING', 'IN_PROGRESS', 'PENDING_CANCELLATION', 'ASSESSING_CHANGE', 'HELD',
        'COMPLETED', 'PARTIAL', 'FAILED', 'CANCELLED')),
    version          BIGINT NOT NULL,
    created_at_us    BIGINT NOT NULL,
    -- When a live order needs work next; NULL once it is terminal.
    wakeup_at_us     BIGINT,
    document         TEXT   NOT NULL
);
INSERT INTO orders (order_id, channel, channel_order_id, customer_id, phone, state, version, created_at_us, wakeup_at_us,
                    document)
    SELECT order_id, channel, channel_order_id, customer_id, '', state, version, created_at_us, wakeup_at_us, document
    FROM orders_of_before;
DROP TABLE orders_of_before;
CREATE UNIQUE INDEX orders_by_channel ON orders (channel, channel_order_id);
CREATE INDEX orders_by_number ON orders (channel_order_id, created_at_us, order_id);
CREATE INDEX orders_by_age ON orders (created_at_us, order_id);
CREATE INDEX orders_by_customer ON orders (customer_id, created_at_us, order_id);
CREATE INDEX orders_by_phone ON orders (phone, created_at_us, order_id) WHERE phone <> '';
CREATE INDEX orders_by_channel_age ON orders (channel, created_at_us, order_id);
CREATE INDEX orders_by_channel_state ON orders (channel, state, created_at_us, order_id);
CREATE INDEX orders_by_state ON orders (state, created_at_us, order_id);
CREATE INDEX orders_live ON orders (order_id) WHERE wakeup_at_us IS NOT NULL;

-- What an order is found by besides its own columns: "template:…", "attention", "exception:…", "step:…" of a step that waits.
CREATE TABLE order_marks (
    mark          TEXT   NOT NULL,
    created_at_us BIGINT NOT NULL,
    order_id      TEXT   NOT NULL,
    PRIMARY KEY (mark, created_at_us, order_id)
);
CREATE INDEX order_marks_by_order ON order_marks (order_id);
