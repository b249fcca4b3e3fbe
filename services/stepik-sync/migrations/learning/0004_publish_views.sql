-- What other slices may read. Columns are only ever added: those who read them need not know of this file.

create view v_structure as
    select l.course_id, l.module_id, m.position as module_position, m.title as module_title,
           l.lesson_id, l.position as lesson_position, l.title as lesson_title, l.gradable_steps,
           l.vanished_at is not null as vanished
    from stepik_lessons l
    join stepik_modules m using (course_id, module_id);

create view v_enrolments as
    select course_id, stepik_user_id, date_joined, last_viewed, last_read_at, first_seen_at, in_first_sweep
    from enrolments;

-- A lesson whose decision waits for one more sweep has its clocks already; they are shown with the pass.
create view v_lesson_state as
    select course_id, stepik_user_id, lesson_id, passed, steps_passed, steps_total, missing_steps,
           case when passed then passed_after end  as passed_after,
           case when passed then passed_before end as passed_before,
           case when passed then seen_at end       as seen_at,
           backfill
    from lesson_progress;

-- The daemon judges each connection every few seconds. When nobody does any more the stored answer is worth nothing,
-- and only the reader can notice: the view says so by itself.
create view v_course_health as
    select c.course_id,
           coalesce(h.ok and j.fresh, false) as ok,
           case when j.fresh then h.problems
                else array_append(coalesce(h.problems, '{}'),
                    'Students'' progress is not being read: the sync service has not reported since '
                    || coalesce(to_char(h.checked_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI') || ' UTC',
                        'the course was connected') || '.')
           end as problems,
           coalesce(h.token_state, 'unknown') as token_state,
           coalesce(h.can_view_grades, false) as can_view_grades,
           coalesce(h.has_learners_group, false) as has_learners_group,
           c.good_sweep_ended_at as last_good_sweep_at,
           c.structure_read_at as last_structure_at,
           h.last_error,
           h.checked_at,
           case when s.finished_at is null then greatest(c.students, s.rows_read) else c.students end as students,
           coalesce(least(s.pages_done, coalesce(s.last_page, s.pages_expected)), 0) as pages_done,
           coalesce(s.last_page, s.pages_expected, 0) as pages_expected
    from courses c
    left join course_health h using (course_id)
    cross join lateral (
        select coalesce(h.checked_at > now() - interval '3 minutes', false) as fresh) j
    left join lateral (
        select * from sweeps where course_id = c.course_id order by started_at desc limit 1) s on true;

create view v_sync_requests as
    select request_id, course_id, stepik_user_id, requested_at, finished_at, outcome, detail
    from sync_requests;
