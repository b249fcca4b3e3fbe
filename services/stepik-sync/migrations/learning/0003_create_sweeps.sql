-- Sweeps, the health of each course's connection, and the budget of calls to Stepik that all instances share.
-- Nothing read these tables before.

create table sweeps (
    sweep_id         uuid        primary key,
    course_id        bigint      not null,
    term             bigint      not null, -- of the leader that began or last took care of it
    is_first         boolean     not null, -- no sweep of the course had ended well before
    started_at       timestamptz not null default now(),
    last_progress_at timestamptz not null default now(),
    pages_expected   int         not null,
    pages_scheduled  int         not null, -- pages 1…n have a row in sweep_pages
    pages_done       int         not null default 0,
    last_page        int,                  -- known once a page said it is the last
    rows_read        int         not null default 0,
    rows_changed     int         not null default 0,
    rows_skipped     int         not null default 0,
    passes           int         not null default 0,
    finished_at      timestamptz,
    outcome          text check (outcome in ('good', 'failed', 'abandoned')),
    check ((finished_at is null) = (outcome is null))
);
-- Two leaders that both believe in themselves can't both begin one.
create unique index sweeps_running on sweeps (course_id) where finished_at is null;
create index sweeps_latest on sweeps (course_id, started_at desc);

-- The pages of sweeps; removed when the course's next sweep begins.
create table sweep_pages (
    sweep_id      uuid        not null references sweeps on delete cascade,
    page          int         not null,
    claimed_by    uuid,        -- message that is being handled: no page is asked for twice at the same time
    claimed_until timestamptz,
    done_at       timestamptz,
    failures      int         not null default 0,
    retry_at      timestamptz, -- after a failure: the leader schedules it again
    primary key (sweep_id, page)
) with (fillfactor = 70);
create index sweep_pages_retry on sweep_pages (retry_at) where done_at is null and retry_at is not null;

create table course_health (
    course_id          bigint      primary key,
    -- facts, as the calls brought them
    token_state        text        not null default 'unknown'
        check (token_state in ('unknown', 'ok', 'wrong_secret', 'refused', 'unreadable_key')),
    course_found       boolean     not null default true,
    can_view_grades    boolean,
    has_learners_group boolean,
    failed_calls       int         not null default 0, -- in a row: no answer, or none that could be used
    failing_since      timestamptz,
    last_error         text,
    last_error_at      timestamptz,
    -- what they mean
    ok                 boolean     not null default false,
    problems           text[]      not null default '{}',
    problem_names      text[]      not null default '{}', -- the same as slugs, for metrics
    checked_at         timestamptz not null default now()
);

-- The budget. One row, locked for the length of one short statement per call.
create table api_budget (
    name         text        primary key,
    next_at      timestamptz not null default '-infinity', -- the earliest start of the next call
    paused_until timestamptz not null default '-infinity', -- Stepik asked for it (Retry-After)
    urgent_until timestamptz not null default '-infinity', -- somebody's "check me now" waits: sweeps stand back
    tickets      bigint      not null default 0
) with (fillfactor = 10, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
insert into api_budget (name) values ('stepik');

-- Calls in flight. A slot whose holder was killed is free again when its lease runs out.
create table api_slots (
    slot       int         primary key,
    ticket     bigint      not null,
    holder     text        not null,
    held_until timestamptz not null
) with (fillfactor = 10, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);

-- Gives back the slots of `done` and, unless p_slots is 0, tries to take one for a call. A ticket of 0 means: not now,
-- ask again after wait_us at the latest. Otherwise the call may start wait_us from now and must give the ticket back.
--
-- Rate: starts are 1/p_rate apart; up to 50 ms of lateness are made up for. Lanes: an urgent call that has to wait
-- leaves a mark, and while it stands no other call is let in; only urgent calls book a start in the future.
-- Crash of the caller: before the commit nothing happened; after it the slot comes free with its lease.
create function take_api_slot(p_holder text, p_rate double precision, p_slots int, p_urgent boolean,
    p_lease interval, p_done bigint[], out ticket bigint, out wait_us bigint)
language plpgsql as $$
declare
    budget api_budget;
    t      timestamptz;
    start  timestamptz;
    freed  int;
begin
    ticket := 0;
    wait_us := 0;
    if p_slots > 0 then -- before the slots: everybody locks in this order
        select * into budget from api_budget where name = 'stepik' for update;
    end if;
    update api_slots s set held_until = '-infinity' where s.ticket = any (p_done);
    if p_slots = 0 then
        return;
    end if;
    t := clock_timestamp();

    if budget.paused_until > t then
        wait_us := extract(epoch from budget.paused_until - t) * 1000000;
        return;
    end if;
    if not p_urgent and budget.urgent_until > t then
        wait_us := extract(epoch from budget.urgent_until - t) * 1000000;
        return;
    end if;
    if not p_urgent and budget.next_at > t + interval '2 milliseconds' then
        wait_us := extract(epoch from budget.next_at - t) * 1000000;
        return;
    end if;

    select min(n) into freed from generate_series(1, p_slots) n
        where not exists (select from api_slots s where s.slot = n and s.held_until > t);
    if freed is null then
        if p_urgent then
            update api_budget set urgent_until = t + interval '300 milliseconds' where name = 'stepik';
        end if;
        wait_us := 50000;
        return;
    end if;

    start := greatest(budget.next_at, t);
    update api_budget
        set next_at = greatest(budget.next_at, t - interval '50 milliseconds') + make_interval(secs => 1 / p_rate),
            tickets = tickets + 1
        where name = 'stepik'
        returning tickets into ticket;
    insert into api_slots (slot, ticket, holder, held_until)
        values (freed, take_api_slot.ticket, p_holder, start + p_lease)
        on conflict (slot) do update
            set ticket = excluded.ticket, holder = excluded.holder, held_until = excluded.held_until;
    wait_us := greatest(0, extract(epoch from start - t) * 1000000);
end
$$;
