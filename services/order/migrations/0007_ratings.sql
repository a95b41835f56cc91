-- What customers said of orders after their end.
CREATE TABLE ratings (
    order_id      TEXT   NOT NULL PRIMARY KEY,
    channel       TEXT   NOT NULL,
    score         BIGINT NOT NULL CHECK (score BETWEEN 1 AND 5),
    comment       TEXT   NOT NULL,
    created_at_us BIGINT NOT NULL
);
CREATE INDEX ratings_by_age ON ratings (created_at_us, order_id);
CREATE INDEX ratings_by_score ON ratings (score, created_at_us, order_id);

-- By which templates a rated order ran, for itself or in its business orders.
CREATE TABLE rating_templates (
    template      TEXT   NOT NULL,
    created_at_us BIGINT NOT NULL,
    order_id      TEXT   NOT NULL,
    PRIMARY KEY (template, created_at_us, order_id)
);

-- Of all ratings of a template: how many, and the sum of their scores.
CREATE TABLE rating_totals (
    template  TEXT   NOT NULL PRIMARY KEY,
    ratings   BIGINT NOT NULL CHECK (ratings > 0),
    score_sum BIGINT NOT NULL
);
