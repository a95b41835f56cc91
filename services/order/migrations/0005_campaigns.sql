-- One row a campaign: its conditions, and how much of it is taken. The version grows with every change of either.
CREATE TABLE campaigns (
    campaign      TEXT   NOT NULL PRIMARY KEY,
    version       BIGINT NOT NULL,
    created_at_us BIGINT NOT NULL,
    starts_at_us  BIGINT NOT NULL,
    ends_at_us    BIGINT NOT NULL,
    taken_units   BIGINT NOT NULL CHECK (taken_units >= 0),
    document      TEXT   NOT NULL
);
CREATE INDEX campaigns_by_age ON campaigns (created_at_us, campaign);

-- How much of a campaign each buyer has taken.
CREATE TABLE campaign_buyers (
    campaign    TEXT   NOT NULL,
    buyer_id    TEXT   NOT NULL,
    version     BIGINT NOT NULL,
    taken_units BIGINT NOT NULL CHECK (taken_units >= 0),
    PRIMARY KEY (campaign, buyer_id)
);

-- What each order took. Settled once, when the order ends: then kept_units is what it delivered.
CREATE TABLE campaign_claims (
    order_id      TEXT   NOT NULL PRIMARY KEY,
    campaign      TEXT   NOT NULL,
    buyer_id      TEXT   NOT NULL,
    units         BIGINT NOT NULL CHECK (units > 0),
    kept_units    BIGINT,
    settled_at_us BIGINT
);

-- Groups of buyers, with their members in the document.
CREATE TABLE buyer_groups (
    group_id      TEXT   NOT NULL PRIMARY KEY,
    campaign      TEXT   NOT NULL,
    state         TEXT   NOT NULL CHECK (state IN ('OPEN', 'COMPLETED', 'MISSED')),
    version       BIGINT NOT NULL,
    expires_at_us BIGINT NOT NULL,
    document      TEXT   NOT NULL
);
CREATE INDEX buyer_groups_open ON buyer_groups (expires_at_us) WHERE state = 'OPEN';

-- Events that orders have to hear of. A row goes in the commit in which its order takes it.
CREATE TABLE signals (
    order_id      TEXT   NOT NULL,
    type          TEXT   NOT NULL,
    data          TEXT   NOT NULL,
    created_at_us BIGINT NOT NULL,
    PRIMARY KEY (order_id, type)
);
CREATE INDEX signals_by_age ON signals (created_at_us, order_id, type);
