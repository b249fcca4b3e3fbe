-- Why: a call of unknown outcome may be looked for in Boomstream's list at once, but that it is not there proves nothing before
-- asked_until has passed; so the early look has a column of its own. An audit's claim has a number, so that an instance whose
-- claim ran out notices; an audit that failed does not stand in the way of the next one of the day, and the view says why it
-- failed. Code before this migration still works: it sets asked_until to the present instead of read_from, and claims without
-- counting.

alter table buyers add column read_from timestamptz; -- a call of unknown outcome: its list may be read from then on, too
create index buyers_to_read on buyers (read_from) where read_from is not null;

alter table audits add column claims int not null default 0;
drop index audits_daily;
create unique index audits_daily on audits (course_id, daily_on, dry_run) where daily_on is not null and state <> 'failed';

create or replace view v_audits as
    select request_id, course_id, dry_run, state, missing, extra, wrong_end, repaired, started_at, finished_at, findings, detail
    from audits;
