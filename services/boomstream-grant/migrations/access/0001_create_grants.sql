-- Why: what is open to whom, what Boomstream has been asked and has answered, and who has to be looked at again. The first
-- migration of the slice: there is no code before it.

-- Students to look at again. Handlers only write here; a worker takes a row with FOR UPDATE SKIP LOCKED, works the student
-- through in the same transaction and deletes it. Rows live for milliseconds, so vacuum comes early.
create table dirty (
    user_id uuid        primary key,
    lane    text        not null check (lane in ('fresh', 'backfill')),
    since   timestamptz not null default now()
) with (
    fillfactor = 70,
    autovacuum_vacuum_threshold = 1000,
    autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_cost_delay = 0
);
create index dirty_by_lane on dirty (lane, since);

-- One row per account we have looked at. Whoever changes a student's grants or buyers holds this row's lock: a worker that
-- reads them and an answer that arrives at the same moment never pass each other.
create table students (
    user_id        uuid        primary key,
    stepik_user_id bigint,
    -- The account has been able to have progress since: created, or linked to Stepik later. Older passes are backfill.
    linked_at      timestamptz not null,
    reconciled_at  timestamptz not null default now(), -- moved at most every few minutes
    look_again_at  timestamptz                         -- a day of after_days comes
) with (fillfactor = 70);
create index students_to_look_at on students (look_again_at) where look_again_at is not null;

-- A grant: (student, course, lesson, subscription).
create table grants (
    grant_id          uuid        primary key,
    user_id           uuid        not null,
    course_id         bigint      not null,
    lesson_id         bigint      not null,
    subscription_code text        not null,
    boom_media        text        not null,
    stepik_user_id    bigint,
    state             text        not null check (state in ('wanted', 'asked', 'confirmed', 'failed', 'revoked')),
    -- Closed by a person, but Boomstream has not confirmed that the buyer is deleted. Our own pages have closed it already:
    -- v_lesson_decision says so.
    closing           boolean     not null default false,
    cause             text        not null,
    lane              text        not null check (lane in ('fresh', 'backfill')),
    attempts          int         not null default 0,  -- calls that reached Boomstream
    provider_reason   text,
    next_try_at       timestamptz,
    passed_after      timestamptz,
    passed_before     timestamptz,
    seen_at           timestamptz,
    wanted_at         timestamptz not null default now(),
    asked_at          timestamptz,
    asked_until       timestamptz,
    confirmed_at      timestamptz,
    failed_at         timestamptz,
    revoked_at        timestamptz,
    revoked_by        text,
    revoke_reason     text,
    end_date          timestamptz,
    buyer_id          uuid,
    changed_at        timestamptz not null default now(),
    constraint grants_once unique (user_id, course_id, lesson_id, subscription_code),
    constraint grants_closing check (not closing or state = 'confirmed'),
    constraint grants_revoked_by check ((revoked_by is not null) = (closing or state = 'revoked'))
) with (fillfactor = 70);
create index grants_unfinished on grants (course_id, lane) where state in ('wanted', 'asked', 'failed');

-- A student at Boomstream. What a call needs stands here before the call goes out; `flight` numbers the calls, so that a
-- late answer can't be taken for that of a later one.
create table buyers (
    buyer_id          uuid        primary key,
    user_id           uuid        not null,
    course_id         bigint      not null,               -- whose key is used
    subscription_code text        not null,
    boom_media        text        not null,
    state             text        not null check (state in ('wanted', 'asked', 'live', 'closing', 'gone')),
    lane              text        not null check (lane in ('fresh', 'backfill')),
    code_version      int         not null default 0,     -- of the code in the box, or of the last one that was refused
    hash_box          bytea,                              -- sealed: (access.buyers, hash_box, buyer_id)
    ends_at           timestamptz not null,               -- what we ask for
    end_date          timestamptz,                        -- what Boomstream answered
    due_at            timestamptz,                        -- a call is to be made from then on; null: nothing to do
    extend            boolean     not null default false, -- live, and the call to make is updatebuyer
    flight            int         not null default 0,
    asked_at          timestamptz,
    asked_until       timestamptz,                        -- a call is on its way; past: its outcome is unknown
    failures          int         not null default 0,     -- refusals in a row
    misses            int         not null default 0,     -- calls in a row that never reached Boomstream
    reason            text,
    created_at        timestamptz not null default now(),
    settled_at        timestamptz not null default now(), -- reached this state, or its last call ended
    constraint buyers_asked check (state <> 'asked' or asked_until is not null),
    constraint buyers_known_hash check (state not in ('asked', 'live', 'closing') or hash_box is not null)
) with (fillfactor = 60);
create index buyers_of_student on buyers (user_id, subscription_code);
create unique index one_live_buyer on buyers (user_id, subscription_code) where state = 'live';
create unique index one_coming_buyer on buyers (user_id, subscription_code) where state in ('wanted', 'asked');
-- The claim: at most one call at a time for a (student, subscription), by whichever instance.
create unique index one_call_in_flight on buyers (user_id, subscription_code) where asked_until is not null;
create index buyers_due on buyers (course_id, lane, due_at) where due_at is not null;
create index buyers_in_flight on buyers (asked_until) where asked_until is not null;
create index buyers_of_subscription on buyers (subscription_code);

-- What the rules said last, per lesson: the answer to "why is it locked".
create table lesson_decisions (
    user_id    uuid        not null,
    course_id  bigint      not null,
    lesson_id  bigint      not null,
    open       boolean     not null,
    reason     text        not null,
    detail     text        not null,
    decided_at timestamptz not null default now(),
    primary key (user_id, course_id, lesson_id)
) with (fillfactor = 85);

-- When a video of a subscription was first seen attached to a lesson: passes older than that are backfill.
create table media_since (
    course_id         bigint      not null,
    lesson_id         bigint      not null,
    subscription_code text        not null,
    since             timestamptz not null default now(),
    primary key (course_id, lesson_id, subscription_code)
);
