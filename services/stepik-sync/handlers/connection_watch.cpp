#include "handlers/connection_watch.hpp"

#include "coursegate/log/log.hpp"
#include "coursegate/metrics/metrics.hpp"

#include <algorithm>

namespace coursegate::stepik_sync {

namespace {

metrics::gauge& gauge_of(std::int64_t course_id, const std::string& problem)
{
    return metrics::get_gauge("coursegate_stepik_course_problem",
        "1 while a course's connection to Stepik has this problem",
        {{"course", std::to_string(course_id)}, {"problem", problem}});
}

health_note note_of(const base::error& e)
{
    health_note n;
    n.error = e.detail.empty() ? e.code.message() : e.detail;
    n.last_call = health_note::call::worked; // it answered: what is wrong is known
    if (e.code == stepik_errc::wrong_secret)
        n.token = token_state::wrong_secret;
    else if (e.code == stepik_errc::unreadable_key) {
        n.token = token_state::unreadable_key;
        n.last_call = health_note::call::none;
    }
    else if (e.code == stepik_errc::token_refused)
        n.token = token_state::refused;
    else if (e.code == stepik_errc::forbidden) {
        n.token = token_state::ok;
        n.can_view_grades = false;
    }
    else if (e.code == stepik_errc::not_found) {
        n.token = token_state::ok;
        n.course_found = false;
    }
    else if (e.code == stepik_errc::rate_limited || e.code == stepik_errc::busy)
        n.last_call = health_note::call::none; // the budget knows until when
    else
        n.last_call = health_note::call::failed;
    return n;
}

} // namespace

base::result<application> unseal(const base::keyring& keys, const course_row& course)
{
    const std::string row = std::to_string(course.course_id);
    const base::box_owner owner{"catalog.courses", "stepik_client_secret_box", row};
    auto secret = keys.open(owner, course.secret_box);
    if (!secret.has_value())
        return base::fail(
            stepik_errc::unreadable_key, "the sealed application secret: " + secret.error().code.message());
    application out;
    out.course_id = course.course_id;
    out.client_id = course.client_id;
    out.client_secret = std::move(*secret);
    return out;
}

connection_watch::connection_watch(health_store& store) : store_(store) {}

async::task<void> connection_watch::worked(std::int64_t course_id)
{
    health_note n;
    n.last_call = health_note::call::worked;
    n.token = token_state::ok;
    n.course_found = true;
    tell(co_await store_.note(course_id, n));
}

async::task<void> connection_watch::failed(std::int64_t course_id, base::error e)
{
    log::warning("reading from Stepik failed",
        {{"course_id", course_id}, {"error", e.code.message()}, {"detail", e.detail}});
    const health_note n = note_of(e);
    tell(co_await store_.note(course_id, n));
}

async::task<void> connection_watch::saw(std::int64_t course_id, const course_answer& course)
{
    health_note n;
    n.last_call = health_note::call::worked;
    n.token = token_state::ok;
    n.course_found = true;
    n.can_view_grades = course.can_view_grades;
    n.has_learners_group = course.has_learners_group;
    tell(co_await store_.note(course_id, n));
}

async::task<void> connection_watch::judge(std::int64_t course_id)
{
    const health_note nothing;
    tell(co_await store_.note(course_id, nothing));
}

async::task<void> connection_watch::judge_all()
{
    for (const auto& verdict : co_await store_.judge_all())
        tell(verdict);
}

void connection_watch::tell(const course_verdict& v)
{
    if (v.course_id == 0)
        return; // not connected (any more)
    show(v);
    if (!v.changed)
        return;
    const auto was_there = [&](const std::string& name) {
        return std::find(v.before.begin(), v.before.end(), name) != v.before.end();
    };
    for (const auto& p : v.problems)
        if (!was_there(p.name))
            log::warning(
                p.sentence, {{"course_id", v.course_id}, {"problem", p.name}, {"blocking", p.blocking}});
    for (const auto& name : v.before)
        if (std::none_of(
                v.problems.begin(), v.problems.end(), [&](const problem& p) { return p.name == name; }))
            log::info("a problem with a course's connection is gone",
                {{"course_id", v.course_id}, {"problem", name}});
}

void connection_watch::show(const course_verdict& v)
{
    for (auto it = shown_.begin(); it != shown_.end();) {
        const auto& [course, name] = *it;
        const bool still =
            course != v.course_id || std::any_of(v.problems.begin(), v.problems.end(),
                                         [&](const problem& p) { return p.name == it->second; });
        if (still) {
            ++it;
            continue;
        }
        gauge_of(course, name).set(0);
        it = shown_.erase(it);
    }
    for (const auto& p : v.problems)
        if (shown_.emplace(v.course_id, p.name).second)
            gauge_of(v.course_id, p.name).set(1);
}

} // namespace coursegate::stepik_sync
