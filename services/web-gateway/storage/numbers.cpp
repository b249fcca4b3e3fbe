#include "storage/numbers.hpp"

#include "coursegate/db/transaction.hpp"

#include <algorithm>
#include <numeric>

namespace coursegate::web_gateway {
namespace {

constexpr db::statement select_people{"learning.count_people",
    "SELECT count(*)::int AS enrolled,"
    " count(*) FILTER (WHERE last_viewed > now() - interval '7 days')::int AS active"
    " FROM learning.v_enrolments WHERE course_id = $1"};

constexpr db::statement select_lessons{"learning.count_lessons",
    "SELECT s.lesson_id, s.lesson_title, s.module_title, s.gradable_steps > 0 AS passable,"
    " EXISTS (SELECT 1 FROM catalog.lesson_media m WHERE m.course_id = s.course_id"
    "   AND m.lesson_id = s.lesson_id) AS has_video,"
    " coalesce(p.people, 0) AS passed, coalesce(g.people, 0) AS opened, coalesce(w.people, 0) AS watched"
    " FROM learning.v_structure s"
    " LEFT JOIN (SELECT lesson_id, count(*)::int AS people FROM learning.v_lesson_state"
    "   WHERE course_id = $1 AND passed GROUP BY lesson_id) p ON p.lesson_id = s.lesson_id"
    " LEFT JOIN (SELECT lesson_id, count(DISTINCT user_id)::int AS people FROM access.v_grants"
    "   WHERE course_id = $1 AND state = 'confirmed' GROUP BY lesson_id) g ON g.lesson_id = s.lesson_id"
    " LEFT JOIN (SELECT lesson_id, count(*)::int AS people FROM accounts.watched"
    "   WHERE course_id = $1 GROUP BY lesson_id) w ON w.lesson_id = s.lesson_id"
    " WHERE s.course_id = $1 AND NOT s.vanished"
    " ORDER BY s.module_position, s.lesson_position, s.lesson_id"};

constexpr db::statement select_days{"access.grants_per_day",
    "SELECT width_bucket(confirmed_at, $2::timestamptz[]) AS nth, count(*)::int AS grants"
    " FROM access.v_grants WHERE course_id = $1 AND confirmed_at >= ($2::timestamptz[])[1]"
    " GROUP BY nth"};

#define STUDENT_COLUMNS                                                                                      \
    " u.id AS user_id, coalesce(u.email, '') AS email,"                                                      \
    " concat_ws(' ', nullif(u.first_name, ''), nullif(u.last_name, '')) AS name, e.date_joined, "            \
    "e.last_viewed"

constexpr db::statement select_enrolled{"learning.people_of_course",
    "SELECT e.stepik_user_id, NULL::timestamptz AS passed_before," STUDENT_COLUMNS
    " FROM learning.v_enrolments e LEFT JOIN accounts.users u ON u.stepik_user_id = e.stepik_user_id"
    " WHERE e.course_id = $1 AND (NOT $2::boolean OR e.last_viewed > now() - interval '7 days')"
    "   AND ($3::bigint IS NULL OR e.stepik_user_id > $3) ORDER BY e.stepik_user_id LIMIT $4"};

constexpr db::statement select_passed{"learning.people_who_passed",
    "SELECT s.stepik_user_id, s.passed_before," STUDENT_COLUMNS " FROM learning.v_lesson_state s"
    " LEFT JOIN learning.v_enrolments e ON e.course_id = s.course_id AND e.stepik_user_id = s.stepik_user_id"
    " LEFT JOIN accounts.users u ON u.stepik_user_id = s.stepik_user_id"
    " WHERE s.course_id = $1 AND s.lesson_id = $2 AND s.passed"
    "   AND ($3::bigint IS NULL OR s.stepik_user_id > $3) ORDER BY s.stepik_user_id LIMIT $4"};

#undef STUDENT_COLUMNS

db::param times_of(const std::vector<base::time_point>& all)
{
    return db::times({all.begin(), all.end()});
}

} // namespace

int course_numbers::stuck() const
{
    return static_cast<int>(
        std::count_if(lessons.begin(), lessons.end(), [](const lesson_numbers& l) { return l.is_stuck(); }));
}

int course_numbers::opened() const
{
    return std::accumulate(
        lessons.begin(), lessons.end(), 0, [](int sum, const lesson_numbers& l) { return sum + l.opened; });
}

course_numbers numbers_of(
    db::transaction& tx, std::int64_t course_id, const std::vector<base::time_point>& days)
{
    course_numbers out;
    const auto people_row = tx.exec(select_people, course_id)[0];
    out.enrolled = db::get<int>(people_row, "enrolled");
    out.active = db::get<int>(people_row, "active");
    for (const auto& r : tx.exec(select_lessons, course_id)) {
        lesson_numbers l;
        l.lesson_id = db::get<std::int64_t>(r, "lesson_id");
        l.title = db::get_optional<std::string>(r, "lesson_title").value_or("");
        l.module_title = db::get_optional<std::string>(r, "module_title").value_or("");
        l.passable = db::get<bool>(r, "passable");
        l.has_video = db::get<bool>(r, "has_video");
        l.passed = db::get<int>(r, "passed");
        l.opened = db::get<int>(r, "opened");
        l.watched = db::get<int>(r, "watched");
        out.lessons.push_back(std::move(l));
    }
    out.days.assign(days.size() - 1, 0);
    for (const auto& r : tx.exec(select_days, course_id, times_of(days))) {
        const auto nth = static_cast<std::size_t>(db::get<int>(r, "nth")); // from 1
        if (nth >= 1 && nth <= out.days.size())
            out.days[nth - 1] = db::get<int>(r, "grants");
    }
    return out;
}

std::vector<counted_student> people_of(db::transaction& tx, std::int64_t course_id, people which,
    const std::optional<std::int64_t>& lesson_id, const std::optional<std::int64_t>& after, int limit)
{
    const auto rows = which == people::passed
                          ? tx.exec(select_passed, course_id, lesson_id, after, limit)
                          : tx.exec(select_enrolled, course_id, which == people::active, after, limit);
    std::vector<counted_student> out;
    for (const auto& r : rows) {
        counted_student s;
        s.stepik_user_id = db::get<std::int64_t>(r, "stepik_user_id");
        s.user_id = db::get_optional<base::uuid>(r, "user_id");
        s.email = db::get<std::string>(r, "email");
        s.name = db::get<std::string>(r, "name");
        s.date_joined = db::get_optional<base::time_point>(r, "date_joined");
        s.last_viewed = db::get_optional<base::time_point>(r, "last_viewed");
        s.passed_before = db::get_optional<base::time_point>(r, "passed_before");
        out.push_back(std::move(s));
    }
    return out;
}

} // namespace coursegate::web_gateway
