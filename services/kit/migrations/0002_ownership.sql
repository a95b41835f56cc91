-- Which instance of this center writes here. One row; an empty name says that the last owner let go.
CREATE TABLE ownership (
    center   TEXT   NOT NULL PRIMARY KEY,
    instance TEXT   NOT NULL,
    epoch    BIGINT NOT NULL,
    beat     BIGINT NOT NULL
);
