-- Who is enrolled and how far each student is. Nothing read these tables before.

-- One row per student of a course, the teachers left out. `results_digest` recognises a row of course-grades that says
-- the same as last time; null: read it again whatever it says (a decision is outstanding).
-- Every sweep rewrites last_read_at of every row: room on the page keeps that a heap-only update, and no index may
-- be put on a column that changes so often.
create table enrolments (
    course_id       bigint      not null,
    stepik_user_id  bigint      not null,
    date_joined     timestamptz,
    last_viewed     timestamptz,
    results_digest  bytea,                -- XXH3-128 of the raw results object
    layout          bytea,                -- which steps the row lists, see row_layouts; null: none
    last_read_at    timestamptz not null, -- last byte of the answer, by the database's clock
    first_seen_at   timestamptz not null,
    in_first_sweep  boolean     not null, -- found by the course's first sweep
    found_by        uuid        not null, -- the transaction that inserted it: who tells student_enrolled
    primary key (course_id, stepik_user_id)
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.1);

-- The sets of steps that rows list. All rows of a course usually share one; an edit makes a second. Their union over the
-- rows of a sweep says which steps of the structure no row has.
create table row_layouts (
    course_id bigint   not null,
    layout    bytea    not null, -- XXH3-128 of the sorted step ids
    step_ids  bigint[] not null,
    primary key (course_id, layout)
);

create table lesson_progress (
    course_id      bigint   not null,
    stepik_user_id bigint   not null,
    lesson_id      bigint   not null,
    passed         boolean  not null, -- never goes back
    steps_passed   int      not null,
    steps_total    int      not null,
    missing_steps  bigint[] not null,
    passed_after   timestamptz,       -- the pass lies between these two
    passed_before  timestamptz,
    seen_at        timestamptz,
    backfill       boolean  not null,
    found_by       uuid,              -- the transaction that turned `passed`: who tells lesson_passed
    primary key (course_id, stepik_user_id, lesson_id)
) with (fillfactor = 85);
create index lesson_progress_passed on lesson_progress (course_id, lesson_id) where passed;

-- Asked for one student: "check me now". The request's id makes a doubled message harmless.
create table sync_requests (
    request_id     uuid        primary key,
    course_id      bigint      not null,
    stepik_user_id bigint      not null,
    requested_by   text        not null,
    requested_at   timestamptz not null default now(),
    finished_at    timestamptz,
    outcome        text check (outcome in ('checked', 'cooldown', 'not_enrolled', 'failed')),
    detail         text,
    check ((finished_at is null) = (outcome is null))
);
create index sync_requests_open on sync_requests (requested_at) where finished_at is null;
create index sync_requests_student on sync_requests (course_id, stepik_user_id, requested_at);

-- When a student was last asked for, and by which request: the cooldown.
create table student_checks (
    course_id      bigint      not null,
    stepik_user_id bigint      not null,
    request_id     uuid        not null,
    asked_at       timestamptz not null,
    primary key (course_id, stepik_user_id)
);
