#include "storage/learning.hpp"

#include "coursegate/db/transaction.hpp"

namespace coursegate::web_gateway {
namespace {

constexpr db::statement select_structure{"learning.structure",
    "SELECT module_id, module_position, module_title, lesson_id, lesson_position, lesson_title, "
    "gradable_steps, vanished"
    " FROM learning.v_structure WHERE course_id = $1 ORDER BY module_position, lesson_position, lesson_id"};

constexpr db::statement select_courses_with_lesson{"learning.courses_with_lesson",
    "SELECT DISTINCT s.course_id FROM learning.v_structure s JOIN catalog.courses c USING (course_id)"
    " WHERE s.lesson_id = $1 ORDER BY s.course_id"};

constexpr db::statement select_enrolment{"learning.enrolment",
    "SELECT date_joined, last_viewed, last_read_at FROM learning.v_enrolments"
    " WHERE course_id = $1 AND stepik_user_id = $2"};

constexpr db::statement select_progress{"learning.lesson_state",
    "SELECT passed, steps_passed, steps_total, missing_steps, passed_after, passed_before, seen_at, backfill"
    " FROM learning.v_lesson_state WHERE course_id = $1 AND stepik_user_id = $2 AND lesson_id = $3"};

// In the order of the lesson; a step that has left it since has no position and comes last.
constexpr db::statement select_missing_steps{"learning.missing_steps",
    "SELECT m.step_id, s.position FROM unnest($3::bigint[]) AS m(step_id) LEFT JOIN learning.v_steps s"
    " ON s.course_id = $1 AND s.lesson_id = $2 AND s.step_id = m.step_id"
    " ORDER BY s.position NULLS LAST, m.step_id"};

constexpr db::statement select_health{"learning.course_health",
    "SELECT course_id, ok, problems, token_state, can_view_grades, has_learners_group, last_good_sweep_at,"
    " last_structure_at, last_error, checked_at, students, pages_done, pages_expected"
    " FROM learning.v_course_health WHERE $1::bigint IS NULL OR course_id = $1"};

constexpr db::statement select_sync_request{"learning.sync_request",
    "SELECT finished_at, outcome, detail FROM learning.v_sync_requests WHERE request_id = $1"};

// Waiting: asked for through us in the last ten minutes and not answered; what is older was lost or never
// read, and would make every estimate absurd.
constexpr db::statement count_waiting{"learning.waiting_syncs",
    "SELECT count(*) AS waiting FROM accounts.requests r"
    " LEFT JOIN learning.v_sync_requests s ON s.request_id = r.request_id"
    " WHERE r.kind = 'sync' AND r.requested_at > now() - interval '10 minutes' AND r.request_id <> $1"
    "   AND s.finished_at IS NULL"};

constexpr db::statement select_recent_syncs{"learning.recent_syncs",
    "WITH last AS (SELECT r.requested_at, s.finished_at FROM accounts.requests r"
    "   JOIN learning.v_sync_requests s ON s.request_id = r.request_id"
    "   WHERE r.kind = 'sync' AND r.requested_at > now() - interval '1 hour' AND s.finished_at IS NOT NULL"
    "     AND s.outcome = 'checked' ORDER BY s.finished_at DESC LIMIT 20)"
    " SELECT extract(epoch FROM finished_at - requested_at)::double precision AS took,"
    // A gap counts only where this one was already waiting when the one before it was answered: otherwise
    // nobody was asking, and the gap says nothing about the pace.
    "   CASE WHEN requested_at < lag(finished_at) OVER by_time"
    "     THEN extract(epoch FROM finished_at - lag(finished_at) OVER by_time)::double precision END AS gap"
    " FROM last WINDOW by_time AS (ORDER BY finished_at)"};

course_health read_health(const pqxx::row& r)
{
    course_health out;
    out.ok = db::get<bool>(r, "ok");
    out.problems =
        db::get_optional<std::vector<std::string>>(r, "problems").value_or(std::vector<std::string>());
    out.token_state = db::get_optional<std::string>(r, "token_state").value_or("");
    out.can_view_grades = db::get_optional<bool>(r, "can_view_grades").value_or(false);
    out.has_learners_group = db::get_optional<bool>(r, "has_learners_group").value_or(false);
    out.last_good_sweep_at = db::get_optional<base::time_point>(r, "last_good_sweep_at");
    out.last_structure_at = db::get_optional<base::time_point>(r, "last_structure_at");
    out.last_error = db::get_optional<std::string>(r, "last_error");
    out.checked_at = db::get_optional<base::time_point>(r, "checked_at");
    out.students = db::get_optional<int>(r, "students").value_or(0);
    out.pages_done = db::get_optional<int>(r, "pages_done").value_or(0);
    out.pages_expected = db::get_optional<int>(r, "pages_expected").value_or(0);
    return out;
}

} // namespace

std::vector<lesson> structure_of(db::transaction& tx, std::int64_t course_id)
{
    std::vector<lesson> out;
    for (const auto& r : tx.exec(select_structure, course_id)) {
        lesson l;
        l.id = db::get<std::int64_t>(r, "lesson_id");
        l.title = db::get_optional<std::string>(r, "lesson_title").value_or("");
        l.position = db::get<int>(r, "lesson_position");
        l.module_id = db::get<std::int64_t>(r, "module_id");
        l.module_title = db::get_optional<std::string>(r, "module_title").value_or("");
        l.module_position = db::get<int>(r, "module_position");
        l.gradable_steps = db::get<int>(r, "gradable_steps");
        l.vanished = db::get<bool>(r, "vanished");
        out.push_back(std::move(l));
    }
    return out;
}

std::vector<std::int64_t> courses_with_lesson(db::transaction& tx, std::int64_t lesson_id)
{
    std::vector<std::int64_t> out;
    for (const auto& r : tx.exec(select_courses_with_lesson, lesson_id))
        out.push_back(db::get<std::int64_t>(r, "course_id"));
    return out;
}

std::optional<trail_enrolment> enrolment_of(
    db::transaction& tx, std::int64_t course_id, std::int64_t stepik_user_id)
{
    const auto rows = tx.exec(select_enrolment, course_id, stepik_user_id);
    if (rows.empty())
        return std::nullopt;
    trail_enrolment out;
    out.date_joined = db::get_optional<base::time_point>(rows[0], "date_joined");
    out.last_viewed = db::get_optional<base::time_point>(rows[0], "last_viewed");
    out.last_read_at = db::get_optional<base::time_point>(rows[0], "last_read_at");
    return out;
}

std::optional<trail_progress> progress_of(
    db::transaction& tx, std::int64_t course_id, std::int64_t stepik_user_id, std::int64_t lesson_id)
{
    const auto rows = tx.exec(select_progress, course_id, stepik_user_id, lesson_id);
    if (rows.empty())
        return std::nullopt;
    const auto& r = rows[0];
    trail_progress out;
    out.passed = db::get<bool>(r, "passed");
    out.steps_passed = db::get<int>(r, "steps_passed");
    out.steps_total = db::get<int>(r, "steps_total");
    const auto missing =
        db::get_optional<std::vector<std::int64_t>>(r, "missing_steps").value_or(std::vector<std::int64_t>());
    for (const auto& m : tx.exec(select_missing_steps, course_id, lesson_id, missing)) {
        trail_progress::missing_step step;
        step.step_id = db::get<std::int64_t>(m, "step_id");
        step.position = db::get_optional<int>(m, "position");
        out.missing.push_back(step);
    }
    out.passed_after = db::get_optional<base::time_point>(r, "passed_after");
    out.passed_before = db::get_optional<base::time_point>(r, "passed_before");
    out.seen_at = db::get_optional<base::time_point>(r, "seen_at");
    out.backfill = db::get_optional<bool>(r, "backfill").value_or(false);
    return out;
}

std::map<std::int64_t, course_health> health_of_courses(db::transaction& tx)
{
    std::map<std::int64_t, course_health> out;
    for (const auto& r : tx.exec(select_health, std::nullopt))
        out.emplace(db::get<std::int64_t>(r, "course_id"), read_health(r));
    return out;
}

std::optional<course_health> health_of_course(db::transaction& tx, std::int64_t course_id)
{
    const auto rows = tx.exec(select_health, course_id);
    if (rows.empty())
        return std::nullopt;
    return read_health(rows[0]);
}

std::optional<sync_state> sync_request(db::transaction& tx, const base::uuid& request_id)
{
    const auto rows = tx.exec(select_sync_request, request_id);
    if (rows.empty())
        return std::nullopt;
    sync_state out;
    out.finished_at = db::get_optional<base::time_point>(rows[0], "finished_at");
    out.outcome = db::get_optional<std::string>(rows[0], "outcome");
    out.detail = db::get_optional<std::string>(rows[0], "detail");
    return out;
}

recent_syncs recent_syncs_of(db::transaction& tx, std::int64_t course_id, const base::uuid& except)
{
    recent_syncs out;
    out.waiting = db::get<int>(tx.exec(count_waiting, except)[0], "waiting");
    for (const auto& r : tx.exec(select_recent_syncs)) {
        out.took_seconds.push_back(db::get<double>(r, "took"));
        if (const auto gap = db::get_optional<double>(r, "gap"))
            out.gaps_seconds.push_back(*gap);
    }
    if (const auto health = health_of_course(tx, course_id); health && !health->ok) {
        out.stepik_readable = false;
        out.problem =
            health->problems.empty() ? health->last_error.value_or("unknown") : health->problems.front();
    }
    return out;
}

} // namespace coursegate::web_gateway
