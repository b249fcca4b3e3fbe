#include "storage/live_grants.hpp"

#include "coursegate/db/transaction.hpp"

namespace coursegate::web_gateway {
namespace {

#define GRANT_ROWS                                                                                           \
    "SELECT g.grant_id, g.user_id, coalesce(u.email, '') AS email,"                                          \
    " concat_ws(' ', nullif(u.first_name, ''), nullif(u.last_name, '')) AS name, g.course_id,"               \
    " coalesce(c.title, '') AS course_title, g.lesson_id, coalesce(s.lesson_title, '') AS lesson_title,"     \
    " g.state, g.cause, g.lane, g.provider_reason, g.revoke_reason, g.passed_after, g.seen_at, g.wanted_at," \
    " g.asked_at, g.confirmed_at, g.changed_at"                                                              \
    " FROM access.v_grants g LEFT JOIN accounts.users u ON u.id = g.user_id"                                 \
    " LEFT JOIN catalog.courses c ON c.course_id = g.course_id"                                              \
    " LEFT JOIN learning.v_structure s ON s.course_id = g.course_id AND s.lesson_id = g.lesson_id"           \
    " WHERE ($1::bigint[] IS NULL OR g.course_id = ANY ($1)) AND ($2::bigint IS NULL OR g.course_id = $2)"   \
    "   AND ($3::bigint IS NULL OR g.lesson_id = $3) AND ($4::text IS NULL OR g.user_id IN"                  \
    "     (SELECT id FROM accounts.users WHERE position(lower($4) IN lower(email)) > 0"                      \
    "       OR position(lower($4) IN lower(first_name || ' ' || last_name)) > 0"                             \
    "       OR stepik_user_id::text = $4))"                                                                  \
    "   AND ($5::text IS NULL OR g.state = $5) AND ($6::text IS NULL OR g.cause = $6)"                       \
    "   AND ($7::timestamptz IS NULL OR g.confirmed_at >= $7)"                                               \
    "   AND ($8::timestamptz IS NULL OR g.confirmed_at < $8)"

constexpr db::statement select_grants{"access.watch_grants",
    GRANT_ROWS " AND ($9::uuid IS NULL OR g.grant_id < $9) ORDER BY g.grant_id DESC LIMIT $10"};

constexpr db::statement select_touched{"access.touched_grants",
    GRANT_ROWS " AND g.grant_id IN (SELECT unnest($9::uuid[]) UNION ALL"
               "   SELECT t.grant_id FROM unnest($10::bigint[], $11::bigint[], $12::bigint[])"
               "       AS p(course_id, lesson_id, stepik_user_id)"
               "     JOIN accounts.users who ON who.stepik_user_id = p.stepik_user_id"
               "     JOIN access.v_grants t ON t.user_id = who.id AND t.course_id = p.course_id"
               "       AND t.lesson_id = p.lesson_id)"
               " ORDER BY g.changed_at DESC NULLS LAST, g.grant_id DESC"};

#undef GRANT_ROWS

// Of the event log: it is indexed by time, so a day costs what happened in it.
constexpr db::statement select_times{"accounts.access_times",
    "WITH today AS (SELECT (event->'data'->>'confirmed_at')::timestamptz AS confirmed_at,"
    "     (event->'data'->>'passed_after')::timestamptz AS passed_after"
    "   FROM accounts.feed WHERE recorded_at >= ($1::timestamptz[])[1] AND type = 'grant_issued'"
    "     AND ($2::bigint[] IS NULL OR course_id = ANY ($2)) AND ($3::bigint IS NULL OR course_id = $3)"
    "     AND event->'data'->>'lane' = 'fresh'),"
    " took AS (SELECT width_bucket(confirmed_at, $1) - 1 AS hour,"
    "     extract(epoch FROM confirmed_at - passed_after)::double precision AS seconds"
    "   FROM today WHERE passed_after IS NOT NULL AND confirmed_at >= ($1::timestamptz[])[1])"
    " SELECT coalesce(hour, -1) AS hour, count(*)::int AS count,"
    "   percentile_disc(0.5) WITHIN GROUP (ORDER BY seconds) AS p50,"
    "   percentile_disc(0.95) WITHIN GROUP (ORDER BY seconds) AS p95,"
    "   percentile_disc(0.99) WITHIN GROUP (ORDER BY seconds) AS p99"
    " FROM took GROUP BY GROUPING SETS ((), (hour)) HAVING count(*) > 0 ORDER BY 1"};

std::vector<live_grant> read_grants(const pqxx::result& rows)
{
    std::vector<live_grant> out;
    for (const auto& r : rows) {
        live_grant g;
        g.grant_id = db::get<base::uuid>(r, "grant_id");
        g.user_id = db::get<base::uuid>(r, "user_id");
        g.email = db::get<std::string>(r, "email");
        g.name = db::get<std::string>(r, "name");
        g.course_id = db::get<std::int64_t>(r, "course_id");
        g.course_title = db::get<std::string>(r, "course_title");
        g.lesson_id = db::get<std::int64_t>(r, "lesson_id");
        g.lesson_title = db::get<std::string>(r, "lesson_title");
        g.state = db::get<std::string>(r, "state");
        g.cause = db::get_optional<std::string>(r, "cause").value_or("");
        g.lane = db::get_optional<std::string>(r, "lane").value_or("");
        g.provider_reason = db::get_optional<std::string>(r, "provider_reason");
        g.revoke_reason = db::get_optional<std::string>(r, "revoke_reason");
        g.passed_after = db::get_optional<base::time_point>(r, "passed_after");
        g.seen_at = db::get_optional<base::time_point>(r, "seen_at");
        g.wanted_at = db::get_optional<base::time_point>(r, "wanted_at");
        g.asked_at = db::get_optional<base::time_point>(r, "asked_at");
        g.confirmed_at = db::get_optional<base::time_point>(r, "confirmed_at");
        g.changed_at = db::get_optional<base::time_point>(r, "changed_at");
        out.push_back(std::move(g));
    }
    return out;
}

db::param times_of(const std::vector<base::time_point>& all)
{
    return db::times({all.begin(), all.end()});
}

} // namespace

std::vector<live_grant> find_grants(
    db::transaction& tx, const live_filter& f, const std::optional<base::uuid>& before, int limit)
{
    return read_grants(tx.exec(select_grants, f.only, f.course_id, f.lesson_id, f.student, f.state, f.cause,
        f.from, f.to, before, limit));
}

std::vector<live_grant> find_touched(db::transaction& tx, const live_filter& f, const touched_grants& which)
{
    std::vector<std::int64_t> courses, lessons, students;
    for (const auto& p : which.passes) {
        courses.push_back(p.course_id);
        lessons.push_back(p.lesson_id);
        students.push_back(p.stepik_user_id);
    }
    return read_grants(tx.exec(select_touched, f.only, f.course_id, f.lesson_id, f.student, f.state, f.cause,
        f.from, f.to, which.ids, courses, lessons, students));
}

std::vector<access_times> access_times_of(
    db::transaction& tx, const live_filter& f, const std::vector<base::time_point>& hours)
{
    std::vector<access_times> out;
    for (const auto& r : tx.exec(select_times, times_of(hours), f.only, f.course_id)) {
        access_times t;
        t.hour = db::get<int>(r, "hour");
        t.count = db::get<int>(r, "count");
        t.p50 = db::get<double>(r, "p50");
        t.p95 = db::get<double>(r, "p95");
        t.p99 = db::get<double>(r, "p99");
        out.push_back(t);
    }
    return out;
}

} // namespace coursegate::web_gateway
