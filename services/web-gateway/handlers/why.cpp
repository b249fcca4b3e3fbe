// "Why is it locked": the whole trail of one student and one lesson, the student's sentence, and what ops
// need.
#include "domain/input.hpp"
#include "domain/refused.hpp"
#include "domain/texts.hpp"
#include "domain/trail.hpp"
#include "handlers/reading.hpp"
#include "handlers/shapes.hpp"
#include "handlers/uses.hpp"
#include "storage/catalog.hpp"
#include "storage/feed.hpp"
#include "storage/users.hpp"

#include <algorithm>

namespace coursegate::web_gateway {
namespace {

constexpr int most_events = 20;

trail_student student_of(const user& u)
{
    trail_student out;
    out.user_id = u.id;
    out.email = u.email;
    out.stepik_user_id = u.stepik_user_id;
    out.has_code = u.has_code;
    out.locale = u.locale;
    return out;
}

// The course that was named, or the only one that has the lesson.
course course_of(db::transaction& tx, std::optional<std::int64_t> named, std::int64_t lesson_id)
{
    if (named)
        return course_named(tx, *named, "course");
    const auto candidates = courses_with_lesson(tx, lesson_id);
    if (candidates.empty())
        throw refused(refusal::not_found, slug::lesson_not_found,
            "No course here has lesson " + std::to_string(lesson_id) + ".", "lesson");
    if (candidates.size() > 1) {
        std::string names;
        for (const auto id : candidates)
            names += (names.empty() ? "" : ", ") + std::to_string(id);
        throw refused(refusal::conflict, slug::course_ambiguous,
            "Several courses have this lesson; name one of them: " + names + ".", "course");
    }
    return course_named(tx, candidates.front(), "course");
}

// The lesson and the one before it in the course, vanished ones passed over.
void find_lesson(const std::vector<lesson>& structure, std::int64_t lesson_id, trail& t)
{
    const auto found =
        std::find_if(structure.begin(), structure.end(), [&](const lesson& l) { return l.id == lesson_id; });
    if (found == structure.end())
        throw refused(refusal::not_found, slug::lesson_not_found,
            "The course has no lesson " + std::to_string(lesson_id) + ".", "lesson");
    t.lesson = *found;
    for (auto before = found; before != structure.begin();)
        if (--before; !before->vanished) {
            t.previous = *before;
            return;
        }
}

trail_health health_of(const course_health& h)
{
    trail_health out;
    out.ok = h.ok;
    out.problems = h.problems;
    return out;
}

trail_health health_of(const provider_health& h)
{
    trail_health out;
    out.ok = h.ok;
    if (h.problem)
        out.problems.push_back(*h.problem);
    return out;
}

void read_facts(db::transaction& tx, trail& t)
{
    const auto world = read_media_world(tx, t.course);
    require_structure(tx, world, t.course, "course");
    find_lesson(world.structure, t.lesson.id, t);
    t.rule = rule_for(t.lesson, rules_of(tx, t.course.id));
    std::copy_if(world.existing.begin(), world.existing.end(), std::back_inserter(t.media),
        [&](const media_part& m) { return m.lesson_id == t.lesson.id; });
    if (t.student.stepik_user_id) {
        t.enrolment = enrolment_of(tx, t.course.id, *t.student.stepik_user_id);
        t.progress = progress_of(tx, t.course.id, *t.student.stepik_user_id, t.lesson.id);
    }
    if (t.student.user_id) {
        t.decision = decision_of(tx, *t.student.user_id, t.course.id, t.lesson.id);
        t.grants = grants_of_lesson(tx, *t.student.user_id, t.course.id, t.lesson.id);
    }
    if (const auto h = health_of_course(tx, t.course.id))
        t.reading = health_of(*h);
    if (const auto h = provider_health_of(tx, t.course.id))
        t.provider = health_of(*h);
    t.events =
        events_about(tx, t.course.id, t.lesson.id, t.student.stepik_user_id, t.student.user_id, most_events);
}

nlohmann::json progress_json(const trail& t)
{
    nlohmann::json out;
    out["enrolled"] = t.enrolment.has_value();
    out["date_joined"] = t.enrolment ? json_of(t.enrolment->date_joined) : nlohmann::json();
    const auto p = t.progress.value_or(trail_progress{});
    out["known"] = t.progress.has_value();
    out["passed"] = p.passed;
    out["steps_passed"] = p.steps_passed;
    out["steps_total"] = t.progress ? p.steps_total : t.lesson.gradable_steps;
    out["missing_steps"] = nlohmann::json::array();
    for (const auto& step : p.missing) {
        nlohmann::json entry;
        entry["step_id"] = step.step_id;
        entry["position"] = step.position ? nlohmann::json(*step.position) : nlohmann::json();
        entry["link"] = stepik_link(t.lesson.id, step.position);
        out["missing_steps"].push_back(std::move(entry));
    }
    out["passed_after"] = json_of(p.passed_after);
    out["passed_before"] = json_of(p.passed_before);
    out["seen_at"] = json_of(p.seen_at);
    out["backfill"] = p.backfill;
    return out;
}

nlohmann::json trail_json(const trail& t)
{
    nlohmann::json out;
    out["rule"] = json_of(t.rule);
    out["progress"] = progress_json(t);
    nlohmann::json stepik;
    stepik["last_viewed"] = t.enrolment ? json_of(t.enrolment->last_viewed) : nlohmann::json();
    stepik["last_read_at"] = t.enrolment ? json_of(t.enrolment->last_read_at) : nlohmann::json();
    out["stepik"] = std::move(stepik);
    out["media"] = nlohmann::json::array();
    for (const auto& m : t.media) {
        auto entry = json_of(m);
        entry["subscription_code"] = json_of(subscription_of(t, m));
        out["media"].push_back(std::move(entry));
    }
    out["opens_on"] = json_of(opens_on(t));
    if (t.decision) {
        nlohmann::json decision;
        decision["open"] = t.decision->open;
        decision["reason"] = t.decision->reason;
        decision["detail"] = t.decision->detail;
        decision["decided_at"] = json_of(t.decision->decided_at);
        out["decision"] = std::move(decision);
    }
    else
        out["decision"] = nullptr;
    out["grants"] = nlohmann::json::array();
    for (const auto& grant : t.grants)
        out["grants"].push_back(json_of(grant));
    return out;
}

nlohmann::json ops_json(const trail& t, stage s)
{
    nlohmann::json out;
    out["queues"] = queues_of(s);
    out["events"] = nlohmann::json::array();
    for (const auto& e : t.events) {
        nlohmann::json entry;
        entry["event_id"] = base::to_string(e.event_id);
        entry["type"] = e.type;
        entry["recorded_at"] = base::to_iso8601(e.recorded_at);
        out["events"].push_back(std::move(entry));
    }
    out["course_problems"] = t.reading ? t.reading->problems : std::vector<std::string>{};
    out["provider_problems"] = t.provider ? t.provider->problems : std::vector<std::string>{};
    return out;
}

nlohmann::json answer_json(const trail& t, const std::string& language)
{
    const auto s = stage_of(t);
    nlohmann::json out;
    nlohmann::json student;
    const auto told = tell_student(t, s, language);
    student["sentence"] = told.sentence;
    student["action"] = told.action;
    student["link"] = json_of(told.link);
    student["language"] = language;

    nlohmann::json who;
    who["user_id"] =
        t.student.user_id ? nlohmann::json(base::to_string(*t.student.user_id)) : nlohmann::json();
    who["email"] = t.student.user_id ? nlohmann::json(t.student.email) : nlohmann::json();
    who["stepik_user_id"] = json_of(t.student.stepik_user_id);

    nlohmann::json course;
    course["course_id"] = t.course.id;
    course["title"] = t.course.title;
    course["state"] = t.course.state;

    auto lesson = json_of(t.lesson);
    lesson["module_title"] = t.lesson.module_title;

    out["open"] = s == stage::open;
    out["stage"] = to_string(s);
    out["user"] = std::move(who);
    out["course"] = std::move(course);
    out["lesson"] = std::move(lesson);
    out["trail"] = trail_json(t);
    out["student"] = std::move(student);
    out["ops"] = ops_json(t, s);
    return out;
}

} // namespace

async::task<http::response> why_route(gateway& g, call& c)
{
    query_reader query(c.request);
    const auto who = query.text("user");
    const auto stepik_user_id = query.id("stepik_user");
    const auto course_id = query.id("course");
    const auto lesson_id = query.required_id("lesson");
    const auto wished_language = query.text("lang");
    query.finish();
    if (who && stepik_user_id)
        throw invalid("stepik_user", "Give user or stepik_user, not both.");
    if (!who && !stepik_user_id)
        throw refused(
            refusal::invalid, slug::missing_field, "Give user (id or e-mail) or stepik_user.", "user");
    if (wished_language)
        checked_locale(*wished_language, "lang");

    auto body = [&](db::transaction& tx) {
        trail t;
        t.now = base::now();
        t.lesson.id = lesson_id;
        if (who)
            t.student = student_of(user_named(tx, *who, "user"));
        else if (const auto known = find_user_by_stepik_id(tx, *stepik_user_id))
            t.student = student_of(*known);
        else
            t.student.stepik_user_id = stepik_user_id;
        t.course = course_of(tx, course_id, lesson_id);
        read_facts(tx, t);
        return t;
    };
    const auto t = co_await g.db.snapshot(body);
    auto language = wished_language;
    if (!language)
        language = preferred_language(c.request.headers.get("Accept-Language").value_or(""));
    if (!language)
        language = t.student.locale.empty() ? "ru" : t.student.locale;
    co_return http::response::json(200, answer_json(t, *language));
}

} // namespace coursegate::web_gateway
