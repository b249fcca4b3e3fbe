-- Why: an author sees the students of his courses and those he has created, before Stepik knows them.
-- Code before this migration still works: it writes no creator.

ALTER TABLE users ADD COLUMN created_by text; -- as audit_log.who: 'user/<uuid>', the token's name; NULL: not known
CREATE INDEX users_by_creator ON users (created_by) WHERE created_by IS NOT NULL;
