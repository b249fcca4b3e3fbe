-- Why: what people order by hand, the audits, and what all instances share about Boomstream: its health, the rate of calls,
-- and when each subscription's list was read last. Code before this migration still works: it only adds tables.

-- Kept for ever: the last order of a lesson is a person's word, and revoked is sticky.
create table requests (
    request_id   uuid        primary key,
    kind         text        not null check (kind in ('grant', 'revoke')),
    user_id      uuid        not null,
    course_id    bigint      not null,
    lesson_id    bigint      not null,
    actor        text        not null,
    reason       text        not null,
    requested_at timestamptz not null,               -- by the person; orders that arrive shuffled end the same
    state        text        not null default 'pending' check (state in ('pending', 'done', 'refused')),
    detail       text        not null default '',
    at           timestamptz not null default now()  -- of `state`
);
create index requests_of_student on requests (user_id);
create index requests_pending on requests (at) where state = 'pending';

create table audits (
    request_id    uuid        primary key,
    course_id     bigint      not null,
    dry_run       boolean     not null,
    budget        int         not null check (budget >= 0),
    actor         text        not null,
    daily_on      date,                              -- the daily audit of that day; repairs follow its dry run
    state         text        not null default 'waiting' check (state in ('waiting', 'running', 'done', 'failed')),
    missing       int         not null default 0,
    extra         int         not null default 0,
    wrong_end     int         not null default 0,
    repaired      int         not null default 0,
    findings      jsonb       not null default '[]',
    detail        text,                              -- why it failed
    claimed_until timestamptz,                       -- running; past: its instance is gone, it starts again
    asked_at      timestamptz not null default now(),
    started_at    timestamptz,
    finished_at   timestamptz
);
create unique index audits_daily on audits (course_id, daily_on, dry_run) where daily_on is not null;
create index audits_open on audits (asked_at) where state in ('waiting', 'running');

-- Per course: can its key be used? While not, nothing is asked for the course but a probe after 1, 2, 4, … and then every 30 s:
-- a refusal that was only a bad moment costs a second.
create table provider_health (
    course_id     bigint      primary key,
    ok            boolean     not null default true,
    problem       text,                              -- a sentence for the author
    last_ok_at    timestamptz,
    next_probe_at timestamptz not null default now(),
    probes        int         not null default 0,     -- since it turned bad
    changed_at    timestamptz not null default now()
);

-- One row: the rate of calls that all instances share, and what they last saw of the circuit.
create table provider_budget (
    provider        text             primary key,
    next_at         timestamptz      not null default '-infinity', -- the earliest start of the next call
    rate_per_second double precision not null default 0,
    circuit         text             not null default 'closed'
) with (fillfactor = 10, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
insert into provider_budget (provider) values ('boomstream');

-- Counts what authors change about a course, so that a worker knows when the copy it keeps of the course is old. Raised in the
-- transaction that names the students concerned.
create table course_versions (
    course_id bigint primary key,
    version   bigint not null default 1
);

-- listbuyers at most once per subscription in 5 s, whoever asks.
create table subscription_lists (
    subscription_code text        primary key,
    next_at           timestamptz not null
) with (fillfactor = 50);

-- Takes up to p_calls calls from the shared rate. `calls` is 0 when none is to be had now; then, and only for an urgent
-- caller, one call is booked in the future all the same. It may start after wait_us. Backfill never books: while urgent
-- calls queue, it gets nothing. Unused time is not saved up beyond p_burst seconds.
-- Crash of the caller: what it took is lost, which costs its share of the rate once.
create function take_calls(p_calls int, p_rate double precision, p_burst double precision, p_urgent boolean,
    out calls int, out wait_us bigint)
language plpgsql as $$
declare
    t    timestamptz;
    free timestamptz;
begin
    select next_at into free from provider_budget where provider = 'boomstream' for update;
    t := clock_timestamp();
    free := greatest(free, t - make_interval(secs => p_burst));
    wait_us := greatest(0, extract(epoch from free - t) * 1000000);
    if free > t then
        calls := case when p_urgent and free < t + interval '2 seconds' then 1 else 0 end;
    else
        calls := least(p_calls, greatest(1, floor(extract(epoch from t - free) * p_rate)::int + 1));
    end if;
    if calls > 0 then
        update provider_budget
            set next_at = free + make_interval(secs => calls / p_rate), rate_per_second = p_rate
            where provider = 'boomstream';
    end if;
end
$$;
