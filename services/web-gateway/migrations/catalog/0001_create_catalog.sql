-- Why: what authors decide: courses with their sealed keys, which video belongs to which lesson, and the rules that
-- open lessons.
-- Code before this migration still works: there was none.

CREATE TABLE courses (
    course_id                bigint PRIMARY KEY,          -- Stepik's id
    title                    text NOT NULL DEFAULT '',
    state                    text NOT NULL DEFAULT 'connected',
    source                   text NOT NULL,               -- 'environment' wins: it is written again at each start
    stepik_client_id         text NOT NULL,
    stepik_client_secret_box bytea NOT NULL,              -- bound to (catalog.courses, stepik_client_secret_box, course_id)
    boomstream_api_key_box   bytea,                       -- bound to (catalog.courses, boomstream_api_key_box, course_id)
    default_subscription     text,                        -- used where a lesson's media name none
    access_until             timestamptz,                 -- NULL: never ends
    sweep_seconds            integer,                     -- NULL: the pace that stepik-sync is set to
    connected_at             timestamptz NOT NULL DEFAULT now(),
    changed_at               timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT courses_id_positive CHECK (course_id > 0),
    CONSTRAINT courses_state_known CHECK (state IN ('connected', 'paused')),
    CONSTRAINT courses_source_known CHECK (source IN ('environment', 'admin')),
    CONSTRAINT courses_sweep_sane CHECK (sweep_seconds BETWEEN 10 AND 86400)
);

-- 'group': one code opens every video of the subscription at Boomstream; 'single': it holds one lesson's videos.
CREATE TABLE subscriptions (
    course_id         bigint NOT NULL REFERENCES courses,
    subscription_code text NOT NULL,
    kind              text NOT NULL DEFAULT 'group',
    set_at            timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (course_id, subscription_code),
    CONSTRAINT subscriptions_kind_known CHECK (kind IN ('group', 'single'))
);

CREATE TABLE lesson_media (
    course_id         bigint NOT NULL REFERENCES courses,
    lesson_id         bigint NOT NULL,
    part              integer NOT NULL,
    boom_media        text NOT NULL,
    subscription_code text,
    title             text NOT NULL DEFAULT '',
    set_at            timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (course_id, lesson_id, part),
    CONSTRAINT lesson_media_once UNIQUE (course_id, boom_media),
    CONSTRAINT lesson_media_part_positive CHECK (part >= 1),
    CONSTRAINT lesson_media_code_form CHECK (boom_media ~ '^[A-Za-z0-9]{8}$')
);

CREATE TABLE access_rules (
    course_id bigint NOT NULL REFERENCES courses,
    scope     text NOT NULL,
    scope_id  bigint NOT NULL,        -- module or lesson; for the scope 'course' the course itself
    rule      text NOT NULL,
    days      integer,
    set_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (course_id, scope, scope_id),
    CONSTRAINT access_rules_scope_known CHECK (scope IN ('course', 'module', 'lesson')),
    CONSTRAINT access_rules_rule_known
        CHECK (rule IN ('on_pass', 'always', 'on_enrolment', 'with_previous', 'after_days', 'manual')),
    CONSTRAINT access_rules_days CHECK ((rule = 'after_days') = (days IS NOT NULL) AND coalesce(days, 0) >= 0)
);

-- Published.
CREATE VIEW v_courses AS
SELECT course_id, title, state, source, stepik_client_id, stepik_client_secret_box, boomstream_api_key_box,
       default_subscription, access_until, sweep_seconds, connected_at, changed_at
  FROM courses;

CREATE VIEW v_lesson_media AS
SELECT course_id, lesson_id, part, boom_media, subscription_code, title FROM lesson_media;

CREATE VIEW v_subscriptions AS SELECT course_id, subscription_code, kind FROM subscriptions;

CREATE VIEW v_access_rules AS SELECT course_id, scope, scope_id, rule, days, set_at FROM access_rules;
