#include "domain/rules.hpp"

#include <algorithm>
#include <set>
#include <stdexcept>

namespace coursegate::boomstream_grant {

std::string_view to_string(reason r)
{
    switch (r) {
    case reason::passed:
        return "passed";
    case reason::always:
        return "always";
    case reason::enrolled:
        return "enrolled";
    case reason::with_previous:
        return "with_previous";
    case reason::days_passed:
        return "days_passed";
    case reason::granted_by_hand:
        return "granted_by_hand";
    case reason::stays_open:
        return "stays_open";
    case reason::not_passed:
        return "not_passed";
    case reason::cannot_be_passed:
        return "cannot_be_passed";
    case reason::previous_not_open:
        return "previous_not_open";
    case reason::not_enrolled:
        return "not_enrolled";
    case reason::too_early:
        return "too_early";
    case reason::waits_for_author:
        return "waits_for_author";
    case reason::closed_by_hand:
        return "closed_by_hand";
    case reason::not_in_course:
        return "not_in_course";
    case reason::course_paused:
        return "course_paused";
    case reason::no_account:
        return "no_account";
    case reason::no_stepik_account:
        return "no_stepik_account";
    case reason::no_video:
        return "no_video";
    case reason::no_subscription:
        return "no_subscription";
    case reason::no_code:
        return "no_code";
    }
    throw std::logic_error("boomstream-grant: a reason without a word");
}

namespace {

// What the rules alone say about a lesson, before asking whether everything that is needed is there.
struct entitlement
{
    bool yes = false;
    reason why = reason::not_passed;
    std::string detail;
    cause because = cause::on_pass;
    base::time_point since{}; // when the student came to deserve it
    bool backfill = false;    // it was so before we first looked
    std::optional<pass> clocks;
    std::optional<base::time_point> opens_at;
};

entitlement closed(reason why, std::string detail)
{
    entitlement out;
    out.why = why;
    out.detail = std::move(detail);
    return out;
}

struct effective_rule
{
    rule_kind kind = rule_kind::on_pass;
    int days = 0;
    bool theory =
        false; // a lesson nobody can pass under the default: passed counts, else with the lesson before it
};

// Lesson beats module beats course.
effective_rule rule_of(const course_book& course, const course_lesson& lesson)
{
    const access_rule* best = nullptr;
    for (const auto& r : course.rules) {
        const bool fits = (r.scope == rule_scope::course && r.scope_id == course.course_id) ||
                          (r.scope == rule_scope::module && r.scope_id == lesson.module_id) ||
                          (r.scope == rule_scope::lesson && r.scope_id == lesson.lesson_id);
        if (fits && (!best || r.scope > best->scope))
            best = &r;
    }
    effective_rule out;
    if (best) {
        out.kind = best->kind;
        out.days = best->days;
    }
    // on_pass for a course or module means "each when it is passed"; that can't be meant for a lesson without
    // tasks, which goes with the lesson before it as it does without any rule. Said of the lesson itself, it
    // is obeyed.
    const bool said_of_lesson = best && best->scope == rule_scope::lesson;
    out.theory = out.kind == rule_kind::on_pass && lesson.gradable_steps == 0 && !said_of_lesson;
    return out;
}

std::string by_hand(const char* what, const hand& h)
{
    return std::string(what) + " by " + h.actor + ": " + h.reason;
}

entitlement by_enrolment(const progress& done)
{
    if (!done.enrolled)
        return closed(reason::not_enrolled, "Opens after enrolling in the course on Stepik.");
    entitlement out;
    out.yes = true;
    out.why = reason::enrolled;
    out.detail = "Open to everybody who is enrolled in the course.";
    out.because = cause::on_enrolment;
    out.since = done.enrolled->seen_at;
    out.backfill = done.enrolled->first_sweep;
    return out;
}

entitlement by_pass(const pass& p)
{
    entitlement out;
    out.yes = true;
    out.why = reason::passed;
    out.detail = "Every task of the lesson is passed.";
    out.because = cause::on_pass;
    out.since = p.seen_at;
    out.backfill = p.backfill;
    out.clocks = p;
    return out;
}

// `before`: what was said of the lesson before it, nullptr for the first one of the course.
entitlement by_previous(const entitlement* before, std::int64_t before_id, const progress& done)
{
    if (!before)
        return by_enrolment(done); // nothing stands before it: nothing to wait for but the student
    if (!before->yes) {
        auto out =
            closed(reason::previous_not_open, "Opens together with the lesson before it (" +
                                                  std::to_string(before_id) + "), which is not open yet.");
        out.opens_at = before->opens_at;
        return out;
    }
    entitlement out = *before; // its clocks and age too: one pass opened both
    out.why = reason::with_previous;
    out.detail = "Opened together with the lesson before it (" + std::to_string(before_id) + ").";
    out.because = cause::with_previous;
    return out;
}

entitlement by_days(int days, const progress& done, base::time_point now)
{
    auto out = by_enrolment(done);
    if (!out.yes)
        return out;
    const auto due = done.enrolled->joined_at + std::chrono::hours(24) * days;
    if (due > now) {
        out = closed(reason::too_early, "Opens " + std::to_string(days) +
                                            " days after joining the course, at " + base::to_iso8601(due) +
                                            ".");
        out.opens_at = due;
        return out;
    }
    out.why = reason::days_passed;
    out.detail = std::to_string(days) + " days have passed since joining the course.";
    out.because = cause::after_days;
    // He deserved it at that moment, or when we first saw him if that was later.
    out.since = std::max(due, done.enrolled->seen_at);
    out.backfill = done.enrolled->first_sweep && due <= done.enrolled->seen_at;
    return out;
}

entitlement by_rule(const effective_rule& r, const course_lesson& lesson, const account* who,
    const progress& done, const entitlement* before, std::int64_t before_id, base::time_point now)
{
    // Without a Stepik account there is no progress to look at; only `always` does not ask for any.
    if (who && !who->stepik_user_id && r.kind != rule_kind::always && r.kind != rule_kind::manual &&
        !(before && before->yes && (r.kind == rule_kind::with_previous || r.theory)))
        return closed(reason::no_stepik_account, "The account is not linked to a Stepik account.");

    switch (r.kind) {
    case rule_kind::on_pass: {
        if (const auto p = done.passed.find(lesson.lesson_id); p != done.passed.end())
            return by_pass(p->second);
        if (r.theory)
            return by_previous(before, before_id, done);
        if (lesson.gradable_steps == 0)
            return closed(reason::cannot_be_passed,
                "The lesson has no task, so nobody can pass it; it needs another rule.");
        return closed(reason::not_passed, "Opens when every task of the lesson is passed on Stepik.");
    }
    case rule_kind::always: {
        entitlement out;
        out.yes = true;
        out.why = reason::always;
        out.detail = "Open to everybody with an account.";
        out.because = cause::always;
        out.since = who ? who->since : now;
        return out;
    }
    case rule_kind::on_enrolment:
        return by_enrolment(done);
    case rule_kind::with_previous:
        return by_previous(before, before_id, done);
    case rule_kind::after_days:
        return by_days(r.days, done, now);
    case rule_kind::manual:
        return closed(reason::waits_for_author, "The author opens this lesson by hand.");
    }
    throw std::logic_error("boomstream-grant: a rule without a meaning");
}

entitlement stays_open(const held_lesson& h)
{
    entitlement out;
    out.yes = true;
    out.why = reason::stays_open;
    out.detail = "Opened earlier; what is open stays open.";
    out.because = cause::on_pass;
    out.since = h.since;
    return out;
}

// Turns "deserves it" into wishes, or says which piece is missing.
void complete(lesson_decision& out, const entitlement& e, const course_book& course, const account* who,
    bool confirmed, base::time_point now)
{
    out.open = false;
    if (!who) {
        out.lacks = out.why = reason::no_account;
        out.detail = "The student has no account here.";
        return;
    }

    // What Boomstream has confirmed is open, whatever became of the pieces since.
    const auto missing = [&](reason why, const char* detail) {
        out.open = confirmed;
        out.lacks = why;
        out.why = confirmed ? reason::stays_open : why;
        out.detail = confirmed ? "Opened earlier; what is open stays open." : detail;
    };
    if (!course.connected)
        return missing(reason::course_paused, "The course is paused; nothing new is opened.");
    const auto media = course.media.find(out.lesson_id);
    if (media == course.media.end() || media->second.empty())
        return missing(reason::no_video, "No video is attached to the lesson yet.");

    for (const auto& part : media->second) {
        const auto& subscription = part.subscription ? part.subscription : course.default_subscription;
        if (!subscription)
            continue;
        const bool known = std::any_of(out.wishes.begin(), out.wishes.end(),
            [&](const wish& w) { return w.subscription == *subscription; });
        if (known)
            continue; // several parts in one subscription are one grant
        wish w;
        w.subscription = *subscription;
        w.boom_media = part.boom_media;
        const auto attached = course.media_since.find({out.lesson_id, *subscription});
        const auto video_since = attached == course.media_since.end() ? now : attached->second;
        const bool old = e.backfill || e.since < who->since || e.since < video_since;
        w.because = e.because;
        if (old && e.because != cause::manual) {
            w.because = cause::backfill;
            w.way = lane::backfill;
        }
        out.wishes.push_back(std::move(w));
    }
    if (out.wishes.empty())
        return missing(reason::no_subscription,
            "The lesson's videos name no Boomstream subscription, and the course has no default one.");
    if (!who->has_code) {
        out.wishes.clear();
        return missing(reason::no_code, "The account has no Boomstream code.");
    }
    out.open = true;
}

} // namespace

std::vector<lesson_decision> decide(const course_book& course, const account* who, const progress& done,
    const std::map<std::int64_t, held_lesson>& held, const std::map<std::int64_t, hand>& hands,
    base::time_point now)
{
    std::vector<lesson_decision> out;
    out.reserve(course.lessons.size());

    const auto settle = [&](std::int64_t lesson_id, entitlement e) {
        const auto h = hands.find(lesson_id);
        const auto open = held.find(lesson_id);
        if (h != hands.end() && !h->second.open)
            e = closed(reason::closed_by_hand, by_hand("closed", h->second));
        else if (h != hands.end()) {
            auto granted = entitlement{};
            granted.yes = true;
            granted.why = reason::granted_by_hand;
            granted.detail = by_hand("granted", h->second);
            granted.because = cause::manual;
            granted.since = h->second.at;
            // A rule that opens it as well says more about the clocks than the order does.
            e = e.yes ? e : granted;
        }
        if (!e.yes && e.why != reason::closed_by_hand && open != held.end())
            e = stays_open(open->second);

        lesson_decision d;
        d.lesson_id = lesson_id;
        d.why = e.why;
        d.detail = e.detail;
        d.clocks = e.clocks;
        d.opens_at = e.opens_at;
        if (e.yes)
            complete(d, e, course, who, open != held.end() && open->second.confirmed, now);
        out.push_back(std::move(d));
        return e;
    };

    std::set<std::int64_t> seen;
    std::optional<entitlement> before;
    std::int64_t before_id = 0;
    for (const auto& lesson : course.lessons) {
        seen.insert(lesson.lesson_id);
        if (lesson.vanished) {
            settle(lesson.lesson_id,
                closed(reason::not_in_course, "The lesson is no longer part of the course."));
            continue; // it is not "the lesson before" of anything
        }
        const auto e =
            by_rule(rule_of(course, lesson), lesson, who, done, before ? &*before : nullptr, before_id, now);
        before = settle(lesson.lesson_id, e);
        before_id = lesson.lesson_id;
    }

    std::set<std::int64_t> strangers;
    for (const auto& [id, parts] : course.media)
        strangers.insert(id);
    for (const auto& [id, h] : held)
        strangers.insert(id);
    for (const auto& [id, h] : hands)
        strangers.insert(id);
    for (const auto id : strangers)
        if (!seen.contains(id))
            settle(id, closed(reason::not_in_course,
                           "The lesson is not part of the course, as far as Stepik was read."));
    return out;
}

} // namespace coursegate::boomstream_grant
