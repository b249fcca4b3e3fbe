-- Why: keys are never shown again, so the course's page says since when they are there.
-- Code before this migration still works: it leaves the columns as they are.

ALTER TABLE courses
    ADD COLUMN stepik_keys_at    timestamptz,  -- NULL: given before this was noted
    ADD COLUMN boomstream_key_at timestamptz;
