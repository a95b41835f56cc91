-- Pools of units. Every unit is in exactly one bucket. last_sequence is the movement that changed the pool last: it makes
-- a pool and its journal readable together without a lock, and is what a compare-and-set compares.
CREATE TABLE pools (
    pool_code     TEXT   NOT NULL PRIMARY KEY,
    kind          TEXT   NOT NULL CHECK (kind IN ('COUNTED', 'SERIAL')),
    name          TEXT   NOT NULL,
    total         BIGINT NOT NULL,
    available     BIGINT NOT NULL CHECK (available >= 0),
    held          BIGINT NOT NULL CHECK (held >= 0),
    used          BIGINT NOT NULL CHECK (used >= 0),
    quarantined   BIGINT NOT NULL CHECK (quarantined >= 0),
    last_sequence BIGINT NOT NULL,
    CHECK (total = available + held + used + quarantined)
);

-- Serial items. A held or assigned item knows the line of the reservation that has it.
CREATE TABLE items (
    pool_code            TEXT   NOT NULL,
    item_id              TEXT   NOT NULL,
    state                TEXT   NOT NULL CHECK (state IN ('AVAILABLE', 'HELD', 'ASSIGNED', 'QUARANTINED')),
    reservation_id       TEXT,
    line_position        BIGINT,
    quarantine_end_at_us BIGINT,
    PRIMARY KEY (pool_code, item_id),
    CHECK ((state IN ('HELD', 'ASSIGNED')) = (reservation_id IS NOT NULL AND line_position IS NOT NULL)),
    CHECK ((state = 'QUARANTINED') = (quarantine_end_at_us IS NOT NULL))
);
CREATE INDEX items_available ON items (pool_code, item_id) WHERE state = 'AVAILABLE';
CREATE INDEX items_of_reservation ON items (reservation_id, line_position) WHERE reservation_id IS NOT NULL;
CREATE INDEX items_resting ON items (quarantine_end_at_us) WHERE state = 'QUARANTINED';

-- Counted units at rest after use, by the movement that brought them there.
CREATE TABLE resting_units (
    sequence  BIGINT NOT NULL PRIMARY KEY,
    pool_code TEXT   NOT NULL,
    quantity  BIGINT NOT NULL CHECK (quantity > 0),
    end_at_us BIGINT NOT NULL
);
CREATE INDEX resting_units_by_end ON resting_units (end_at_us);
CREATE INDEX resting_units_by_pool ON resting_units (pool_code);

-- Units held for somebody for some time.
CREATE TABLE reservations (
    reservation_id TEXT   NOT NULL PRIMARY KEY,
    state          TEXT   NOT NULL CHECK (state IN ('HELD', 'CONFIRMED', 'RELEASED', 'EXPIRED')),
    order_id       TEXT   NOT NULL,
    trace_parent   TEXT   NOT NULL,
    created_at_us  BIGINT NOT NULL,
    expire_at_us   BIGINT NOT NULL,
    resolved_at_us BIGINT,
    CHECK ((state = 'HELD') = (resolved_at_us IS NULL))
);
CREATE INDEX reservations_newest ON reservations (created_at_us, reservation_id);
CREATE INDEX reservations_of_order ON reservations (order_id, created_at_us, reservation_id);
CREATE INDEX reservations_held ON reservations (expire_at_us) WHERE state = 'HELD';

-- What a reservation demanded and got. held_until_us is set while the units are held, so that a pool finds the holds
-- that are over among the live ones only. item_ids is a JSON array.
CREATE TABLE reservation_lines (
    reservation_id    TEXT   NOT NULL,
    position          BIGINT NOT NULL,
    line_key          TEXT   NOT NULL,
    pool_code         TEXT   NOT NULL,
    quantity          BIGINT NOT NULL CHECK (quantity > 0),
    returned_quantity BIGINT NOT NULL CHECK (returned_quantity BETWEEN 0 AND quantity),
    item_ids          TEXT   NOT NULL,
    held_until_us     BIGINT,
    PRIMARY KEY (reservation_id, position)
);
CREATE INDEX reservation_lines_held ON reservation_lines (pool_code, held_until_us)
    WHERE held_until_us IS NOT NULL;

-- The journal: only ever added to.
CREATE TABLE movements (
    sequence       BIGINT NOT NULL PRIMARY KEY,
    pool_code      TEXT   NOT NULL,
    kind           TEXT   NOT NULL CHECK (kind IN (
        'RECEIVE', 'HOLD', 'CONFIRM', 'RELEASE', 'EXPIRE', 'RETURN', 'QUARANTINE', 'ADJUST', 'RETURN_UNLINKED', 'RESTORE'
    )),
    quantity       BIGINT NOT NULL,
    reservation_id TEXT   NOT NULL,
    order_id       TEXT   NOT NULL,
    reason         TEXT   NOT NULL,
    occurred_at_us BIGINT NOT NULL
);
CREATE INDEX movements_of_pool ON movements (pool_code, sequence);
CREATE INDEX movements_of_order ON movements (order_id, sequence);
