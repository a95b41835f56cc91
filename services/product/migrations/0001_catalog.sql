-- Every publication of the catalog. Its number is the primary key, so of two instances that publish at once one is refused.
CREATE TABLE releases (
    release         BIGINT NOT NULL PRIMARY KEY,
    added_count     BIGINT NOT NULL,
    changed_count   BIGINT NOT NULL,
    published_at_us BIGINT NOT NULL
);

-- What each offering said from its release on, until the release that replaced it; NULL is what it says today. The
-- catalog as of release n is: release <= n and (replaced_by is null or replaced_by > n).
CREATE TABLE offerings (
    code        TEXT   NOT NULL,
    release     BIGINT NOT NULL,
    replaced_by BIGINT,
    definition  BYTEA  NOT NULL,
    PRIMARY KEY (code, release)
);
CREATE INDEX offerings_by_release ON offerings (release);
