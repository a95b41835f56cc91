-- When a pause for all orders begins and ends by itself: 0 and NULL for one that stands from now until it is released.
ALTER TABLE standing_holds ADD COLUMN starts_at_us BIGINT NOT NULL DEFAULT 0;
ALTER TABLE standing_holds ADD COLUMN ends_at_us BIGINT;
ALTER TABLE standing_holds ADD COLUMN ramp_ms BIGINT NOT NULL DEFAULT 0;
