#include "storage/issued.hpp"

#include "coursegate/events/grant_failed.hpp"
#include "coursegate/events/grant_issued.hpp"
#include "coursegate/events/grant_revoked.hpp"
#include "coursegate/metrics/metrics.hpp"

namespace coursegate::boomstream_grant {

using db::get;
using db::get_optional;

namespace {

template <class E>
E about(const pqxx::row& row)
{
    E e;
    e.grant_id = get<base::uuid>(row, "grant_id");
    e.user_id = get<base::uuid>(row, "user_id");
    e.stepik_user_id = get_optional<std::int64_t>(row, "stepik_user_id");
    e.course_id = get<std::int64_t>(row, "course_id");
    e.lesson_id = get<std::int64_t>(row, "lesson_id");
    e.subscription_code = get<std::string>(row, "subscription_code");
    return e;
}

} // namespace

events::envelope issued(const pqxx::row& row)
{
    auto e = about<events::grant_issued>(row);
    e.cause = get<std::string>(row, "cause");
    e.lane = get<std::string>(row, "lane");
    e.passed_after = get_optional<base::time_point>(row, "passed_after");
    e.passed_before = get_optional<base::time_point>(row, "passed_before");
    e.seen_at = get_optional<base::time_point>(row, "seen_at");
    e.wanted_at = get<base::time_point>(row, "wanted_at");
    e.asked_at = get_optional<base::time_point>(row, "asked_at");
    e.confirmed_at = get<base::time_point>(row, "confirmed_at");
    return events::wrap(service_name, e);
}

events::envelope failed(const pqxx::row& row)
{
    auto e = about<events::grant_failed>(row);
    e.reason = get<std::string>(row, "provider_reason");
    e.attempts = get<int>(row, "attempts");
    e.next_try_at = get_optional<base::time_point>(row, "next_try_at");
    e.failed_at = get<base::time_point>(row, "failed_at");
    return events::wrap(service_name, e);
}

events::envelope revoked(const pqxx::row& row)
{
    auto e = about<events::grant_revoked>(row);
    e.actor = get<std::string>(row, "revoked_by");
    e.reason = get<std::string>(row, "revoke_reason");
    e.revoked_at = get<base::time_point>(row, "revoked_at");
    return events::wrap(service_name, e);
}

confirmation confirmation_of(const pqxx::row& row)
{
    confirmation out;
    out.way = parse_lane(get<std::string>(row, "lane"));
    if (const auto seen = get_optional<base::time_point>(row, "seen_at"))
        out.took = get<base::time_point>(row, "confirmed_at") - *seen;
    return out;
}

void count(const std::vector<confirmation>& confirmed)
{
    static auto& fresh = metrics::get_counter(
        "coursegate_grants_confirmed_total", "Grants that became confirmed, by lane", {{"lane", "fresh"}});
    static auto& backfill = metrics::get_counter(
        "coursegate_grants_confirmed_total", "Grants that became confirmed, by lane", {{"lane", "backfill"}});
    static auto& seconds = metrics::get_histogram("coursegate_grant_seconds",
        "From reading the pass on Stepik to Boomstream's confirmation, passes of today only");
    for (const auto& c : confirmed) {
        (c.way == lane::fresh ? fresh : backfill).increment();
        if (c.way == lane::fresh && c.took)
            seconds.observe(*c.took);
    }
}

} // namespace coursegate::boomstream_grant
