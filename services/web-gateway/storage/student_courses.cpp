#include "storage/student_courses.hpp"

#include "storage/access.hpp"

#include "coursegate/db/transaction.hpp"

#include <algorithm>
#include <map>
#include <utility>

namespace coursegate::web_gateway {
namespace {

constexpr db::statement select_courses{"student.courses",
    "SELECT c.course_id, c.title, c.state, c.default_subscription, e.course_id IS NOT NULL AS enrolled,"
    " e.date_joined, e.last_viewed, e.last_read_at, h.ok AS reading_ok, h.problems AS reading_problems,"
    " p.ok AS provider_ok, p.problem AS provider_problem"
    " FROM catalog.courses c"
    " LEFT JOIN learning.v_enrolments e ON e.course_id = c.course_id AND e.stepik_user_id = $2"
    " LEFT JOIN learning.v_course_health h ON h.course_id = c.course_id"
    " LEFT JOIN access.v_provider_health p ON p.course_id = c.course_id"
    " WHERE e.course_id IS NOT NULL"
    "   OR EXISTS (SELECT 1 FROM access.v_grants g WHERE g.user_id = $1 AND g.course_id = c.course_id)"
    " ORDER BY c.course_id"};

constexpr db::statement select_lessons{"student.lessons",
    "SELECT s.course_id, s.module_id, s.module_position, s.module_title, s.lesson_id, s.lesson_position,"
    " s.lesson_title, s.gradable_steps, s.vanished, st.passed, st.steps_passed, st.steps_total,"
    " st.passed_after, st.passed_before, st.seen_at, st.backfill, st.missing_steps[1] AS missing_step,"
    " CASE WHEN NOT st.passed THEN (SELECT min(p.position) FROM learning.v_steps p"
    "   WHERE p.course_id = s.course_id AND p.lesson_id = s.lesson_id AND p.step_id = ANY (st.missing_steps))"
    " END AS missing_position,"
    " d.open, d.reason, d.detail, d.decided_at"
    " FROM learning.v_structure s"
    " LEFT JOIN learning.v_lesson_state st ON st.course_id = s.course_id AND st.lesson_id = s.lesson_id"
    "   AND st.stepik_user_id = $2"
    " LEFT JOIN access.v_lesson_decision d ON d.user_id = $1 AND d.course_id = s.course_id"
    "   AND d.lesson_id = s.lesson_id"
    " WHERE s.course_id = ANY ($3::bigint[])"
    " ORDER BY s.course_id, s.module_position, s.lesson_position, s.lesson_id"};

constexpr db::statement select_media{"student.media",
    "SELECT course_id, lesson_id, part, boom_media, subscription_code, title FROM catalog.lesson_media"
    " WHERE course_id = ANY ($1::bigint[]) ORDER BY course_id, lesson_id, part"};

constexpr db::statement select_rules{"student.rules",
    "SELECT course_id, scope, scope_id, rule, days FROM catalog.access_rules"
    " WHERE course_id = ANY ($1::bigint[])"};

constexpr db::statement select_last_checks{"student.last_checks",
    "SELECT DISTINCT ON (r.course_id) r.course_id, r.request_id, r.requested_at, s.finished_at, s.outcome"
    " FROM accounts.requests r LEFT JOIN learning.v_sync_requests s ON s.request_id = r.request_id"
    " WHERE r.kind = 'sync' AND r.requested_at > now() - interval '10 minutes' AND r.stepik_user_id = $1"
    "   AND r.course_id = ANY ($2::bigint[]) ORDER BY r.course_id, r.requested_at DESC"};

student_course read_course(const pqxx::row& r)
{
    student_course out;
    out.course.id = db::get<std::int64_t>(r, "course_id");
    out.course.title = db::get<std::string>(r, "title");
    out.course.state = db::get<std::string>(r, "state");
    out.course.default_subscription = db::get_optional<std::string>(r, "default_subscription");
    if (db::get<bool>(r, "enrolled")) {
        trail_enrolment e;
        e.date_joined = db::get_optional<base::time_point>(r, "date_joined");
        e.last_viewed = db::get_optional<base::time_point>(r, "last_viewed");
        e.last_read_at = db::get_optional<base::time_point>(r, "last_read_at");
        out.enrolment = e;
    }
    if (const auto ok = db::get_optional<bool>(r, "reading_ok")) {
        trail_health h;
        h.ok = *ok;
        h.problems = db::get_optional<std::vector<std::string>>(r, "reading_problems")
                         .value_or(std::vector<std::string>());
        out.reading = std::move(h);
    }
    if (const auto ok = db::get_optional<bool>(r, "provider_ok")) {
        trail_health h;
        h.ok = *ok;
        if (auto problem = db::get_optional<std::string>(r, "provider_problem"))
            h.problems.push_back(std::move(*problem));
        out.provider = std::move(h);
    }
    return out;
}

student_lesson read_lesson(const pqxx::row& r)
{
    student_lesson out;
    auto& l = out.lesson;
    l.id = db::get<std::int64_t>(r, "lesson_id");
    l.title = db::get_optional<std::string>(r, "lesson_title").value_or("");
    l.position = db::get<int>(r, "lesson_position");
    l.module_id = db::get<std::int64_t>(r, "module_id");
    l.module_title = db::get_optional<std::string>(r, "module_title").value_or("");
    l.module_position = db::get<int>(r, "module_position");
    l.gradable_steps = db::get<int>(r, "gradable_steps");
    l.vanished = db::get<bool>(r, "vanished");
    if (const auto passed = db::get_optional<bool>(r, "passed")) {
        trail_progress p;
        p.passed = *passed;
        p.steps_passed = db::get<int>(r, "steps_passed");
        p.steps_total = db::get<int>(r, "steps_total");
        if (const auto step = db::get_optional<std::int64_t>(r, "missing_step")) {
            trail_progress::missing_step missing;
            missing.step_id = *step;
            missing.position = db::get_optional<int>(r, "missing_position");
            p.missing.push_back(missing);
        }
        p.passed_after = db::get_optional<base::time_point>(r, "passed_after");
        p.passed_before = db::get_optional<base::time_point>(r, "passed_before");
        p.seen_at = db::get_optional<base::time_point>(r, "seen_at");
        p.backfill = db::get_optional<bool>(r, "backfill").value_or(false);
        out.progress = std::move(p);
    }
    if (const auto open = db::get_optional<bool>(r, "open")) {
        trail_decision d;
        d.open = *open;
        d.reason = db::get_optional<std::string>(r, "reason").value_or("");
        d.detail = db::get_optional<std::string>(r, "detail").value_or("");
        d.decided_at = db::get_optional<base::time_point>(r, "decided_at");
        out.decision = std::move(d);
    }
    return out;
}

// What the statements have read, by course and by lesson in it. Nothing is added while it lives.
class found
{
public:
    explicit found(std::vector<student_course>& courses)
    {
        for (auto& c : courses) {
            courses_.emplace(c.course.id, &c);
            for (auto& l : c.lessons)
                lessons_.emplace(std::pair(c.course.id, l.lesson.id), &l);
        }
    }
    student_course* course(std::int64_t id) const { return at(courses_, id); }
    student_lesson* lesson(std::int64_t course_id, std::int64_t id) const
    {
        return at(lessons_, std::pair(course_id, id));
    }

private:
    template <class Map>
    static typename Map::mapped_type at(const Map& map, const typename Map::key_type& key)
    {
        const auto one = map.find(key);
        return one == map.end() ? nullptr : one->second;
    }

    std::map<std::int64_t, student_course*> courses_;
    std::map<std::pair<std::int64_t, std::int64_t>, student_lesson*> lessons_;
};

void read_lessons(db::transaction& tx, const base::uuid& user_id,
    const std::optional<std::int64_t>& stepik_user_id, const std::vector<std::int64_t>& ids,
    std::vector<student_course>& into)
{
    const found known(into);
    for (const auto& r : tx.exec(select_lessons, user_id, stepik_user_id, ids))
        known.course(db::get<std::int64_t>(r, "course_id"))->lessons.push_back(read_lesson(r));
}

void read_media_and_rules(db::transaction& tx, const std::vector<std::int64_t>& ids, const found& known)
{
    for (const auto& r : tx.exec(select_media, ids)) {
        media_part m;
        m.lesson_id = db::get<std::int64_t>(r, "lesson_id");
        m.part = db::get<int>(r, "part");
        m.boom_media = db::get<std::string>(r, "boom_media");
        m.subscription_code = db::get_optional<std::string>(r, "subscription_code");
        m.title = db::get<std::string>(r, "title");
        if (auto* l = known.lesson(db::get<std::int64_t>(r, "course_id"), m.lesson_id))
            l->media.push_back(std::move(m));
    }
    for (const auto& r : tx.exec(select_rules, ids)) {
        access_rule rule;
        rule.scope = db::get<std::string>(r, "scope");
        rule.scope_id = db::get<std::int64_t>(r, "scope_id");
        rule.rule = db::get<std::string>(r, "rule");
        rule.days = db::get_optional<int>(r, "days");
        known.course(db::get<std::int64_t>(r, "course_id"))->rules.push_back(std::move(rule));
    }
}

void read_checks(db::transaction& tx, std::int64_t stepik_user_id, const std::vector<std::int64_t>& ids,
    const found& known)
{
    for (const auto& r : tx.exec(select_last_checks, stepik_user_id, ids)) {
        student_check c;
        c.request_id = db::get<base::uuid>(r, "request_id");
        c.requested_at = db::get<base::time_point>(r, "requested_at");
        c.state.finished_at = db::get_optional<base::time_point>(r, "finished_at");
        c.state.outcome = db::get_optional<std::string>(r, "outcome");
        known.course(db::get<std::int64_t>(r, "course_id"))->last_check = c;
    }
}

} // namespace

std::vector<student_course> courses_of_student(
    db::transaction& tx, const base::uuid& user_id, const std::optional<std::int64_t>& stepik_user_id)
{
    std::vector<student_course> out;
    std::vector<std::int64_t> ids;
    for (const auto& r : tx.exec(select_courses, user_id, stepik_user_id)) {
        out.push_back(read_course(r));
        ids.push_back(out.back().course.id);
    }
    if (ids.empty())
        return out;
    read_lessons(tx, user_id, stepik_user_id, ids, out);
    const found known(out);
    read_media_and_rules(tx, ids, known);
    for (auto& g : grants_of_student(tx, user_id, ids))
        if (auto* l = known.lesson(g.course_id, g.lesson_id))
            l->grants.push_back(std::move(g.grant));
    if (stepik_user_id)
        read_checks(tx, *stepik_user_id, ids, known);
    return out;
}

} // namespace coursegate::web_gateway
