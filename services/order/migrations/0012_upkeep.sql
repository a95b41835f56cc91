-- What was brought to the present form once for all rows, and need not be looked for again.
CREATE TABLE upkeep (
    name       TEXT   NOT NULL PRIMARY KEY,
    done_at_us BIGINT NOT NULL
);
