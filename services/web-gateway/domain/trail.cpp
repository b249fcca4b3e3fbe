#include "domain/trail.hpp"

#include <algorithm>

namespace coursegate::web_gateway {
namespace {

const trail_grant* grant_for(const trail& t, const std::string& subscription)
{
    const auto found = std::find_if(t.grants.begin(), t.grants.end(),
        [&](const trail_grant& g) { return g.subscription_code == subscription; });
    return found == t.grants.end() ? nullptr : &*found;
}

// What the grants alone say; empty when they leave it to the rules.
std::optional<stage> stage_of_grants(const trail& t)
{
    const auto any = [&](auto fits) { return std::any_of(t.grants.begin(), t.grants.end(), fits); };
    if (any([](const trail_grant& g) { return g.state == "failed" && !g.next_try_at; }))
        return stage::needs_author;
    if (any([](const trail_grant& g) { return g.state == "failed"; }))
        return stage::retrying;
    if (any([](const trail_grant& g) { return g.state == "asked"; }))
        return stage::asked;
    if (any([](const trail_grant& g) { return g.state == "wanted"; }))
        return stage::wanted;
    const bool all_confirmed = std::all_of(t.media.begin(), t.media.end(), [&](const media_part& part) {
        const auto code = subscription_of(t, part);
        const auto* grant = code ? grant_for(t, *code) : nullptr;
        return grant != nullptr && grant->state == "confirmed";
    });
    if (!t.grants.empty() && all_confirmed)
        return stage::open;
    return std::nullopt;
}

stage stage_of_passing(const trail& t)
{
    if (t.progress && t.progress->passed)
        return stage::being_decided;
    if (t.lesson.gradable_steps == 0)
        return stage::cannot_be_passed;
    if (!t.reading || !t.reading->ok)
        return stage::stepik_unreadable;
    return stage::steps_missing;
}

// Nothing is missing but what the rule asks for.
stage stage_of_rule(const trail& t)
{
    if (t.rule.rule == "manual")
        return stage::waits_for_author;
    if (t.rule.rule == "always") // for every account: no look at Stepik is needed
        return stage::being_decided;
    if (!t.student.stepik_user_id)
        return stage::no_stepik_account;
    if (t.rule.rule == "with_previous" && t.previous)
        return t.progress && t.progress->passed ? stage::being_decided : stage::waits_for_previous;
    if (!t.enrolment)
        return t.reading && t.reading->ok ? stage::not_enrolled : stage::stepik_unreadable;
    if (t.rule.rule == "after_days") {
        const auto day = opens_on(t);
        return day && *day > t.now ? stage::waits_for_days : stage::being_decided;
    }
    if (t.rule.rule == "on_pass")
        return stage_of_passing(t);
    return stage::being_decided; // on_enrolment, or the first lesson with nothing before it
}

} // namespace

std::string_view to_string(stage s)
{
    switch (s) {
    case stage::open:
        return "open";
    case stage::revoked:
        return "revoked";
    case stage::no_video:
        return "no_video";
    case stage::no_subscription:
        return "no_subscription";
    case stage::no_account:
        return "no_account";
    case stage::no_stepik_account:
        return "no_stepik_account";
    case stage::no_code:
        return "no_code";
    case stage::course_paused:
        return "course_paused";
    case stage::not_enrolled:
        return "not_enrolled";
    case stage::stepik_unreadable:
        return "stepik_unreadable";
    case stage::steps_missing:
        return "steps_missing";
    case stage::waits_for_days:
        return "waits_for_days";
    case stage::waits_for_previous:
        return "waits_for_previous";
    case stage::waits_for_author:
        return "waits_for_author";
    case stage::cannot_be_passed:
        return "cannot_be_passed";
    case stage::not_in_course:
        return "not_in_course";
    case stage::wanted:
        return "wanted";
    case stage::asked:
        return "asked";
    case stage::retrying:
        return "retrying";
    case stage::needs_author:
        return "needs_author";
    case stage::being_decided:
        return "being_decided";
    }
    return "being_decided";
}

std::optional<std::string> subscription_of(const trail& t, const media_part& part)
{
    return part.subscription_code ? part.subscription_code : t.course.default_subscription;
}

std::optional<base::time_point> opens_on(const trail& t)
{
    if (t.rule.rule != "after_days" || !t.rule.days || !t.enrolment || !t.enrolment->date_joined)
        return std::nullopt;
    return *t.enrolment->date_joined + std::chrono::days(*t.rule.days);
}

std::optional<closing> closed_by(const trail& t)
{
    closing out;
    const auto revoked = std::find_if(
        t.grants.begin(), t.grants.end(), [](const trail_grant& g) { return g.state == "revoked"; });
    if (revoked != t.grants.end()) {
        out.actor = revoked->revoked_by.value_or("?");
        out.reason = revoked->revoke_reason.value_or("?");
        return out;
    }
    // Closed before anything was opened: there is no grant that could say so.
    if (!t.decision || t.decision->reason != "closed_by_hand")
        return std::nullopt;
    constexpr std::string_view prefix = "closed by ";
    std::string_view words = t.decision->detail;
    if (words.starts_with(prefix))
        words.remove_prefix(prefix.size());
    const auto colon = std::min(words.find(": "), words.size());
    out.actor = words.substr(0, colon);
    out.reason = words.substr(std::min(colon + 2, words.size()));
    return out;
}

stage stage_of(const trail& t)
{
    // A person closed it: nothing else matters until a person opens it again.
    if (closed_by(t))
        return stage::revoked;
    if (t.media.empty())
        return stage::no_video;
    if (const auto settled = stage_of_grants(t))
        return *settled;

    if (std::any_of(t.media.begin(), t.media.end(),
            [&](const media_part& part) { return !subscription_of(t, part); }))
        return stage::no_subscription;
    if (!t.student.user_id)
        return stage::no_account;
    if (!t.student.has_code)
        return stage::no_code;
    if (t.course.state == "paused")
        return stage::course_paused;
    if (t.decision && t.decision->open)
        return stage::being_decided;
    if (t.lesson.vanished)
        return stage::not_in_course;
    return stage_of_rule(t);
}

std::vector<std::string> queues_of(stage s)
{
    switch (s) {
    case stage::steps_missing:
    case stage::not_enrolled:
    case stage::stepik_unreadable:
    case stage::waits_for_previous:
        return {"stepik-sync.work", "stepik-sync.requests"};
    case stage::being_decided:
        return {"boomstream-grant.passes", "boomstream-grant.changes"};
    case stage::revoked:
        return {"boomstream-grant.orders"};
    default:
        return {};
    }
}

std::string stepik_link(std::int64_t lesson_id, std::optional<int> position)
{
    const auto page = "https://stepik.org/lesson/" + std::to_string(lesson_id);
    return position ? page + "/step/" + std::to_string(*position) : page;
}

} // namespace coursegate::web_gateway
