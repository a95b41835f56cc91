-- The request that created a caller: asked again, it must not look like somebody else's channel. Empty for built-in callers.
ALTER TABLE callers ADD COLUMN request_id TEXT NOT NULL DEFAULT '';
CREATE UNIQUE INDEX callers_by_request ON callers (request_id) WHERE request_id <> '';
