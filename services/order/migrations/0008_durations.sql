-- How long steps took, in classes that grow with the duration; what an estimate is made of.
CREATE TABLE step_durations (
    template      TEXT   NOT NULL,
    step_id       TEXT   NOT NULL,
    durations     TEXT   NOT NULL,
    updated_at_us BIGINT NOT NULL,
    PRIMARY KEY (template, step_id)
);
