-- Where each step of the current structure stands: who shows a lesson's missing steps shows "step 3", not Stepik's id.
-- A new view only: the code before it still works.

create view v_steps as
    select s.course_id, s.lesson_id, s.step_id, s.position, s.gradable
    from stepik_steps s
    join stepik_lessons l using (course_id, lesson_id)
    where s.vanished_at is null and l.vanished_at is null;
