-- What Stepik says a course consists of, and when it is read next. The first migration of the slice: there is no
-- code before it.

-- One row per connected course: the schedule of its readings and what the next one needs to know of the last.
create table courses (
    course_id             bigint primary key,                 -- Stepik's id
    -- structure
    structure_due_at      timestamptz not null default now(), -- read it again from here on
    structure_asked_at    timestamptz,                        -- a structure_sync_due is under way since
    structure_claimed_by  uuid,                               -- message that is being handled
    structure_claimed_until timestamptz,
    structure_read_at     timestamptz,                        -- start of the last complete reading
    structure_failures    int         not null default 0,     -- in a row
    structure_mark        text        not null default '',    -- differs when the course object says it was edited
    announce_structure    boolean     not null default true,  -- tell the next reading even when nothing changed
    unreadable_lessons    int         not null default 0,     -- lessons whose steps Stepik did not show
    -- sweeps
    sweep_due_at          timestamptz not null default now(),
    learners_count        int,                                -- as the course object says
    page_rows             int         not null default 20,    -- rows of a full page of grades, as seen
    last_page             int,                                -- pages of the last good sweep
    last_sweep_good       boolean     not null default false, -- the last ended sweep was a good one
    first_sweep_done_at   timestamptz,                        -- what is found until then is backfill
    good_sweep_started_at timestamptz,                        -- steps first seen after this are young
    good_sweep_ended_at   timestamptz,
    skipped_rows          int         not null default 0,     -- rows of the last good sweep that could not be read
    students              int         not null default 0,     -- rows of the last good sweep
    absent_steps          bigint[]    not null default '{}'   -- gradable steps that no row of it had
);

create table stepik_modules (
    course_id   bigint not null,
    module_id   bigint not null,  -- Stepik's section
    position    int    not null,
    title       text   not null,
    vanished_at timestamptz,      -- not seen since; kept, because lessons and grants name it
    primary key (course_id, module_id)
);

create table stepik_lessons (
    course_id      bigint      not null,
    lesson_id      bigint      not null,
    module_id      bigint      not null,
    position       int         not null, -- within the module
    title          text        not null,
    steps_amount   int         not null,
    gradable_steps int         not null, -- 0: nobody can be seen passing it
    first_seen_at  timestamptz not null,
    vanished_at    timestamptz,
    primary key (course_id, lesson_id)
);

create table stepik_steps (
    course_id     bigint      not null,
    step_id       bigint      not null,
    lesson_id     bigint      not null,
    position      int         not null,
    block         text        not null, -- Stepik's block name: text, video, choice, …
    gradable      boolean     not null,
    -- '-infinity' for what the course's first reading found: only later additions can be newer than a grades row.
    first_seen_at timestamptz not null,
    vanished_at   timestamptz,
    primary key (course_id, step_id)
);
create index stepik_steps_young on stepik_steps (course_id, first_seen_at) where gradable and vanished_at is null;
create index stepik_steps_lesson on stepik_steps (course_id, lesson_id);
