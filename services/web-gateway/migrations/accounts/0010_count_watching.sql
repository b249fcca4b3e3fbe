-- Why: authors see which lessons people passed and nobody watched, and find what was done in their courses.
-- Code before this migration still works: it adds a table and a column that fills itself.

-- Who has played a lesson's video. Play links live for an hour, and the audit log knows only who asked.
CREATE TABLE watched (
    course_id bigint NOT NULL,
    lesson_id bigint NOT NULL,
    user_id   uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    first_at  timestamptz NOT NULL DEFAULT now(),
    last_at   timestamptz NOT NULL DEFAULT now(),
    plays     integer NOT NULL DEFAULT 1,
    PRIMARY KEY (course_id, lesson_id, user_id)
);
CREATE INDEX watched_by_user ON watched (user_id);

-- Until now only the asking was written down; the frame uses what was asked for within a second.
INSERT INTO watched (course_id, lesson_id, user_id, first_at, last_at, plays)
SELECT w.found[2]::bigint, w.found[3]::bigint, u.id, min(w.at), max(w.at), count(*)
  FROM (SELECT at, regexp_match(target, '^user/([0-9a-f-]{36})/course/([0-9]{1,18})/lesson/([0-9]{1,18})$') AS found
          FROM audit_log WHERE what = 'video.watch') w
  JOIN users u ON u.id = w.found[1]::uuid AND u.deleted_at IS NULL
 GROUP BY 1, 2, 3;

-- The course that a row is about, out of its target ('course/5/rules', 'user/…/course/5/lesson/501'): an author sees the
-- rows of his courses.
ALTER TABLE audit_log ADD COLUMN course_id bigint
    GENERATED ALWAYS AS (substring(target FROM '(?:^|/)course/([0-9]{1,18})(?:/|$)')::bigint) STORED;
CREATE INDEX audit_log_by_course ON audit_log (course_id, id) WHERE course_id IS NOT NULL;
CREATE INDEX audit_log_by_time ON audit_log (at);
