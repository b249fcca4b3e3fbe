-- Why: what other slices may read. Columns are only ever added. Code before this migration still works.

create view v_grants as
    select grant_id, user_id, course_id, lesson_id, subscription_code, boom_media, state, cause, lane, attempts,
           provider_reason, next_try_at, passed_after, passed_before, seen_at, wanted_at, asked_at, asked_until,
           confirmed_at, revoked_at, revoked_by, revoke_reason, end_date, buyer_id::text as buyer_ref, changed_at
    from grants;

create view v_lesson_decision as
    select user_id, course_id, lesson_id, open, reason, detail, decided_at from lesson_decisions;

create view v_provider_health as
    select h.course_id, h.ok, h.problem, h.last_ok_at, b.circuit, b.rate_per_second,
           coalesce(w.fresh, 0)::int as waiting_fresh, coalesce(w.backfill, 0)::int as waiting_backfill
    from provider_health h
    cross join (select circuit, rate_per_second from provider_budget where provider = 'boomstream') b
    left join lateral (
        select count(*) filter (where g.lane = 'fresh') as fresh, count(*) filter (where g.lane = 'backfill') as backfill
        from grants g
        where g.course_id = h.course_id and g.state in ('wanted', 'asked', 'failed')) w on true;

create view v_audits as
    select request_id, course_id, dry_run, state, missing, extra, wrong_end, repaired, started_at, finished_at, findings
    from audits;

create view v_requests as
    select request_id, kind, user_id, course_id, lesson_id, state, detail, at from requests;
