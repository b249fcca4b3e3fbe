#include "handlers/student_view.hpp"

#include "pages/catalogue.hpp"
#include "storage/learning.hpp"
#include "storage/users.hpp"

namespace coursegate::web_gateway {
namespace {

look look_of(stage s)
{
    switch (s) {
    case stage::open:
        return look::open;
    case stage::wanted:
    case stage::asked:
    case stage::retrying:
    case stage::being_decided:
        return look::moving;
    default:
        return look::locked;
    }
}

// What is true of all lessons of a course; the rest is put in lesson by lesson.
trail trail_of(const student_view& v, const student_course& c)
{
    trail out;
    out.now = v.now;
    out.student = v.student;
    out.course = c.course;
    out.enrolment = c.enrolment;
    out.reading = c.reading;
    out.provider = c.provider;
    return out;
}

} // namespace

student_view read_view(db::transaction& tx, const visitor& who)
{
    student_view out;
    out.now = base::now();
    out.student.user_id = who.user_id;
    if (const auto u = find_user(tx, who.user_id)) {
        out.student.stepik_user_id = u->stepik_user_id;
        out.student.has_code = u->has_code;
    }
    out.courses = courses_of_student(tx, who.user_id, out.student.stepik_user_id);
    for (const auto& c : out.courses)
        if (c.last_check && !c.last_check->state.finished_at)
            out.estimates.emplace(
                c.course.id, estimate_sync(recent_syncs_of(tx, c.course.id, c.last_check->request_id)));
    return out;
}

std::string_view to_string(look l)
{
    switch (l) {
    case look::open:
        return "open";
    case look::moving:
        return "moving";
    case look::locked:
        break;
    }
    return "locked";
}

std::string_view word_of(look l)
{
    switch (l) {
    case look::open:
        return say("open");
    case look::moving:
        return say("on its way");
    case look::locked:
        break;
    }
    return say("locked");
}

void each_lesson(
    const student_view& v, const student_course& c, const std::function<void(const seen_lesson&)>& show)
{
    auto t = trail_of(v, c);
    auto previous = look::locked;
    for (const auto& l : c.lessons) {
        t.lesson = l.lesson;
        t.rule = rule_for(l.lesson, c.rules);
        t.media = l.media;
        t.progress = l.progress;
        t.decision = l.decision;
        t.grants = l.grants;
        const auto at = stage_of(t);
        // It comes with the lesson before it, and that one is open or coming: there is nothing to do but
        // wait.
        const bool follows = at == stage::waits_for_previous && previous != look::locked;
        const auto seen = follows ? look::moving : look_of(at);
        if (l.lesson.vanished && seen == look::locked)
            continue; // it is not in the course any more, and was nothing here
        show({l, t, at, seen, follows});
        if (!l.lesson.vanished) {
            t.previous = l.lesson;
            previous = seen;
        }
    }
}

} // namespace coursegate::web_gateway
