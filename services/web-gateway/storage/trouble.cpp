#include "storage/trouble.hpp"

#include "coursegate/db/transaction.hpp"

namespace coursegate::web_gateway {
namespace {

constexpr db::statement select_groups{"access.failures_by_cause",
    "SELECT g.course_id, coalesce(c.title, '') AS title, coalesce(g.provider_reason, '') AS reason,"
    " g.next_try_at IS NULL AS for_person, count(*)::int AS grants, count(DISTINCT g.user_id)::int AS people,"
    " min(g.changed_at) AS since, min(g.next_try_at) AS next_try_at"
    " FROM access.v_grants g LEFT JOIN catalog.courses c ON c.course_id = g.course_id"
    " WHERE g.state = 'failed' AND ($1::bigint[] IS NULL OR g.course_id = ANY ($1))"
    " GROUP BY g.course_id, c.title, 3, 4 ORDER BY grants DESC, g.course_id, reason"};

constexpr db::statement select_failed{"access.failures_of_cause",
    "SELECT g.user_id, coalesce(u.email, '') AS email, concat_ws(' ', u.first_name, u.last_name) AS name,"
    " g.lesson_id, coalesce(s.lesson_title, '') AS lesson_title, g.attempts, g.changed_at, g.next_try_at"
    " FROM access.v_grants g LEFT JOIN accounts.users u ON u.id = g.user_id"
    " LEFT JOIN learning.v_structure s ON s.course_id = g.course_id AND s.lesson_id = g.lesson_id"
    " WHERE g.state = 'failed' AND g.course_id = $1 AND coalesce(g.provider_reason, '') = $2"
    "   AND (g.next_try_at IS NULL) = $3 ORDER BY g.changed_at, g.grant_id LIMIT $4"};

} // namespace

std::vector<failure_group> failures_by_cause(
    db::transaction& tx, const std::optional<std::vector<std::int64_t>>& courses)
{
    std::vector<failure_group> out;
    for (const auto& r : tx.exec(select_groups, courses)) {
        failure_group g;
        g.cause.course_id = db::get<std::int64_t>(r, "course_id");
        g.cause.reason = db::get<std::string>(r, "reason");
        g.cause.for_person = db::get<bool>(r, "for_person");
        g.course_title = db::get<std::string>(r, "title");
        g.grants = db::get<int>(r, "grants");
        g.people = db::get<int>(r, "people");
        g.since = db::get<base::time_point>(r, "since");
        g.next_try_at = db::get_optional<base::time_point>(r, "next_try_at");
        out.push_back(std::move(g));
    }
    return out;
}

std::vector<failed_grant> failures_of(db::transaction& tx, const failure_cause& cause, int most)
{
    std::vector<failed_grant> out;
    for (const auto& r : tx.exec(select_failed, cause.course_id, cause.reason, cause.for_person, most)) {
        failed_grant g;
        g.user_id = db::get<base::uuid>(r, "user_id");
        g.email = db::get<std::string>(r, "email");
        g.name = db::get<std::string>(r, "name");
        g.lesson_id = db::get<std::int64_t>(r, "lesson_id");
        g.lesson_title = db::get<std::string>(r, "lesson_title");
        g.attempts = db::get_optional<int>(r, "attempts").value_or(0);
        g.since = db::get<base::time_point>(r, "changed_at");
        g.next_try_at = db::get_optional<base::time_point>(r, "next_try_at");
        out.push_back(std::move(g));
    }
    return out;
}

} // namespace coursegate::web_gateway
