// Who got what: grants, newest first.
#include "domain/input.hpp"
#include "domain/refused.hpp"
#include "handlers/reading.hpp"
#include "handlers/shapes.hpp"
#include "handlers/uses.hpp"
#include "storage/catalog.hpp"
#include "storage/learning.hpp"
#include "storage/users.hpp"

#include <algorithm>
#include <array>

namespace coursegate::web_gateway {
namespace {

constexpr std::array<std::string_view, 5> states{"wanted", "asked", "confirmed", "failed", "revoked"};
constexpr std::array<std::string_view, 7> causes{
    "on_pass", "always", "on_enrolment", "with_previous", "after_days", "manual", "backfill"};

// An empty list would say that nobody has a grant there.
void require_known(db::transaction& tx, const grant_filter& f)
{
    if (f.course_id)
        course_named(tx, *f.course_id, "course");
    if (!f.lesson_id)
        return;
    const auto with_it = courses_with_lesson(tx, *f.lesson_id);
    const bool known =
        f.course_id ? std::binary_search(with_it.begin(), with_it.end(), *f.course_id) : !with_it.empty();
    if (!known)
        throw refused(refusal::not_found, slug::lesson_not_found,
            "No lesson " + std::to_string(*f.lesson_id) + " is known there.", "lesson");
}

nlohmann::json row_of(const listed_grant& l)
{
    auto out = json_of(l.grant);
    out["user_id"] = base::to_string(l.user_id);
    out["email"] = l.email;
    out["course_id"] = l.course_id;
    out["lesson_id"] = l.lesson_id;
    out["boom_media"] = l.boom_media;
    out["passed_after"] = json_of(l.passed_after);
    out["passed_before"] = json_of(l.passed_before);
    out["seen_at"] = json_of(l.seen_at);
    out["changed_at"] = json_of(l.changed_at);
    return out;
}

} // namespace

async::task<http::response> list_grants_route(gateway& g, call& c)
{
    query_reader query(c.request);
    grant_filter filter;
    filter.course_id = query.id("course");
    const auto who = query.text("user");
    filter.lesson_id = query.id("lesson");
    filter.state = query.text("state");
    if (filter.state && std::find(states.begin(), states.end(), *filter.state) == states.end())
        throw invalid("state", "The state is one of wanted, asked, confirmed, failed, revoked.");
    filter.cause = query.text("cause");
    if (filter.cause && std::find(causes.begin(), causes.end(), *filter.cause) == causes.end())
        throw invalid("cause",
            "The cause is one of on_pass, always, on_enrolment, with_previous, after_days, "
            "manual, backfill.");
    filter.before = query.cursor();
    const auto limit = query.limit(50, 500);
    query.finish();

    filter.limit = limit + 1; // one more tells whether there is a next page
    auto body = [&](db::transaction& tx) {
        require_known(tx, filter);
        auto wanted = filter;
        if (who)
            wanted.user_id = user_named(tx, *who, "user").id;
        return list_grants(tx, wanted);
    };
    auto grants = co_await g.db.transact(body);
    const bool more = grants.size() > static_cast<std::size_t>(limit);
    if (more)
        grants.pop_back();
    nlohmann::json out;
    out["grants"] = nlohmann::json::array();
    for (const auto& l : grants)
        out["grants"].push_back(row_of(l));
    out["next_cursor"] = more ? nlohmann::json(cursor_after(grants.back().grant.id)) : nlohmann::json();
    co_return http::response::json(200, out);
}

} // namespace coursegate::web_gateway
