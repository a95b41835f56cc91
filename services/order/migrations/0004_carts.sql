-- One row a cart. The head is the cart without its lines, so that a list of carts reads no lines.
CREATE TABLE carts (
    cart_id       TEXT   NOT NULL PRIMARY KEY,
    channel       TEXT   NOT NULL,
    -- Empty for a guest.
    customer_id   TEXT   NOT NULL,
    visitor_id    TEXT   NOT NULL,
    state         TEXT   NOT NULL CHECK (state IN (
        'ACTIVE', 'CHECKED_OUT', 'MERGED', 'EXPIRED', 'DELETED')),
    version       BIGINT NOT NULL,
    created_at_us BIGINT NOT NULL,
    -- When the cart expires; once it has ended, when the row goes.
    due_at_us     BIGINT NOT NULL,
    head          TEXT   NOT NULL,
    lines         TEXT   NOT NULL
);
CREATE INDEX carts_by_customer ON carts (customer_id, created_at_us, cart_id);
CREATE INDEX carts_by_visitor ON carts (visitor_id, created_at_us, cart_id);
CREATE INDEX carts_due ON carts (due_at_us);
-- Counted whenever one more is created.
CREATE INDEX carts_active_by_customer ON carts (customer_id, due_at_us) WHERE state = 'ACTIVE';
CREATE INDEX carts_active_by_visitor ON carts (visitor_id, due_at_us) WHERE state = 'ACTIVE';
