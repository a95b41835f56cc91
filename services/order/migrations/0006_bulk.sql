-- One operation on many orders. While its orders are being collected it is COLLECTING, and nobody sees it.
CREATE TABLE bulks (
    bulk_id       TEXT   NOT NULL PRIMARY KEY,
    state         TEXT   NOT NULL CHECK (state IN ('COLLECTING', 'RUNNING', 'PAUSED', 'COMPLETED', 'CANCELLED')),
    version       BIGINT NOT NULL,
    created_at_us BIGINT NOT NULL,
    -- NULL until it has ended.
    ended_at_us   BIGINT,
    matched       BIGINT NOT NULL CHECK (matched >= 0),
    done          BIGINT NOT NULL CHECK (done >= 0),
    refused       BIGINT NOT NULL CHECK (refused >= 0),
    operator      TEXT   NOT NULL,
    changed_by    TEXT   NOT NULL,
    change_reason TEXT   NOT NULL,
    -- throughline.order.v1.StartBulkOperationRequest.
    request       BYTEA  NOT NULL
);
CREATE INDEX bulks_by_age ON bulks (created_at_us, bulk_id);
CREATE INDEX bulks_by_state ON bulks (state, created_at_us, bulk_id);
CREATE INDEX bulks_ended ON bulks (ended_at_us) WHERE ended_at_us IS NOT NULL;

-- The orders of a bulk, fixed when it started, and what became of each.
CREATE TABLE bulk_items (
    bulk_id       TEXT   NOT NULL,
    order_id      TEXT   NOT NULL,
    outcome       TEXT   NOT NULL CHECK (outcome IN ('LEFT', 'DONE', 'REFUSED')),
    -- Empty where it was not refused, as are the next two.
    reason        TEXT   NOT NULL,
    domain        TEXT   NOT NULL,
    message       TEXT   NOT NULL,
    -- NULL while it is left.
    settled_at_us BIGINT,
    PRIMARY KEY (bulk_id, order_id)
);
CREATE INDEX bulk_items_by_outcome ON bulk_items (bulk_id, outcome, order_id);
