#include "storage/access.hpp"

#include "coursegate/db/transaction.hpp"

namespace coursegate::web_gateway {
namespace {

#define GRANT_COLUMNS                                                                                        \
    "g.grant_id, g.subscription_code, g.state, g.cause, g.lane, g.attempts, g.provider_reason, "             \
    "g.next_try_at,"                                                                                         \
    " g.wanted_at, g.asked_at, g.confirmed_at, g.revoked_at, g.revoked_by, g.revoke_reason, g.end_date"

constexpr db::statement select_grants{"access.list_grants",
    "SELECT " GRANT_COLUMNS ", g.user_id, u.email, g.course_id, g.lesson_id, g.boom_media, g.passed_after,"
    " g.passed_before, g.seen_at, g.changed_at"
    " FROM access.v_grants g LEFT JOIN accounts.users u ON u.id = g.user_id"
    " WHERE ($1::bigint IS NULL OR g.course_id = $1) AND ($2::uuid IS NULL OR g.user_id = $2)"
    "   AND ($3::bigint IS NULL OR g.lesson_id = $3) AND ($4::text IS NULL OR g.state = $4)"
    "   AND ($5::text IS NULL OR g.cause = $5) AND ($6::uuid IS NULL OR g.grant_id < $6)"
    " ORDER BY g.grant_id DESC LIMIT $7"};

constexpr db::statement select_grants_of_lesson{"access.grants_of_lesson",
    "SELECT " GRANT_COLUMNS " FROM access.v_grants g"
    " WHERE g.user_id = $1 AND g.course_id = $2 AND g.lesson_id = $3 ORDER BY g.subscription_code"};

constexpr db::statement select_grants_of_student{"access.grants_of_student",
    "SELECT " GRANT_COLUMNS ", g.course_id, g.lesson_id FROM access.v_grants g"
    " WHERE g.user_id = $1 AND g.course_id = ANY ($2::bigint[])"
    " ORDER BY g.course_id, g.lesson_id, g.subscription_code"};

#undef GRANT_COLUMNS

constexpr db::statement select_decision{"access.lesson_decision",
    "SELECT open, reason, detail, decided_at FROM access.v_lesson_decision"
    " WHERE user_id = $1 AND course_id = $2 AND lesson_id = $3"};

constexpr db::statement select_provider_health{"access.provider_health",
    "SELECT course_id, ok, problem, last_ok_at, circuit, rate_per_second, waiting_fresh, waiting_backfill"
    " FROM access.v_provider_health WHERE $1::bigint IS NULL OR course_id = $1"};

constexpr db::statement select_order{
    "access.request", "SELECT state, detail, at FROM access.v_requests WHERE request_id = $1"};

constexpr db::statement select_audit{"access.audit",
    "SELECT dry_run, state, missing, extra, wrong_end, repaired, started_at, finished_at, findings, detail"
    " FROM access.v_audits WHERE request_id = $1"};

constexpr db::statement select_last_audits{"access.last_audits",
    "SELECT * FROM (SELECT course_id, dry_run, state, missing, extra, wrong_end, repaired, started_at, "
    "finished_at,"
    "   NULL AS findings, detail,"
    "   row_number() OVER (PARTITION BY course_id ORDER BY started_at DESC NULLS FIRST) AS nth"
    "   FROM access.v_audits WHERE $1::bigint[] IS NULL OR course_id = ANY ($1)) a"
    " WHERE nth <= 3 ORDER BY course_id, nth"};

trail_grant read_grant(const pqxx::row& r)
{
    trail_grant out;
    out.id = db::get<base::uuid>(r, "grant_id");
    out.subscription_code = db::get<std::string>(r, "subscription_code");
    out.state = db::get<std::string>(r, "state");
    out.cause = db::get_optional<std::string>(r, "cause").value_or("");
    out.lane = db::get_optional<std::string>(r, "lane").value_or("");
    out.attempts = db::get_optional<int>(r, "attempts").value_or(0);
    out.provider_reason = db::get_optional<std::string>(r, "provider_reason");
    out.next_try_at = db::get_optional<base::time_point>(r, "next_try_at");
    out.wanted_at = db::get_optional<base::time_point>(r, "wanted_at");
    out.asked_at = db::get_optional<base::time_point>(r, "asked_at");
    out.confirmed_at = db::get_optional<base::time_point>(r, "confirmed_at");
    out.revoked_at = db::get_optional<base::time_point>(r, "revoked_at");
    out.revoked_by = db::get_optional<std::string>(r, "revoked_by");
    out.revoke_reason = db::get_optional<std::string>(r, "revoke_reason");
    out.end_date = db::get_optional<base::time_point>(r, "end_date");
    return out;
}

provider_health read_provider_health(const pqxx::row& r)
{
    provider_health out;
    out.ok = db::get<bool>(r, "ok");
    out.problem = db::get_optional<std::string>(r, "problem");
    out.last_ok_at = db::get_optional<base::time_point>(r, "last_ok_at");
    out.circuit = db::get_optional<std::string>(r, "circuit").value_or("");
    out.rate_per_second = db::get_optional<double>(r, "rate_per_second").value_or(0);
    out.waiting_fresh = db::get_optional<int>(r, "waiting_fresh").value_or(0);
    out.waiting_backfill = db::get_optional<int>(r, "waiting_backfill").value_or(0);
    return out;
}

audit_state read_audit(const pqxx::row& r)
{
    audit_state out;
    out.dry_run = db::get<bool>(r, "dry_run");
    out.state = db::get<std::string>(r, "state");
    out.missing = db::get_optional<int>(r, "missing").value_or(0);
    out.extra = db::get_optional<int>(r, "extra").value_or(0);
    out.wrong_end = db::get_optional<int>(r, "wrong_end").value_or(0);
    out.repaired = db::get_optional<int>(r, "repaired").value_or(0);
    out.started_at = db::get_optional<base::time_point>(r, "started_at");
    out.finished_at = db::get_optional<base::time_point>(r, "finished_at");
    out.findings = db::get_optional<std::string>(r, "findings").value_or("null");
    out.detail = db::get_optional<std::string>(r, "detail");
    return out;
}

} // namespace

std::vector<listed_grant> list_grants(db::transaction& tx, const grant_filter& f)
{
    std::vector<listed_grant> out;
    for (const auto& r :
        tx.exec(select_grants, f.course_id, f.user_id, f.lesson_id, f.state, f.cause, f.before, f.limit))
    {
        listed_grant g;
        g.grant = read_grant(r);
        g.user_id = db::get<base::uuid>(r, "user_id");
        g.email = db::get_optional<std::string>(r, "email").value_or("");
        g.course_id = db::get<std::int64_t>(r, "course_id");
        g.lesson_id = db::get<std::int64_t>(r, "lesson_id");
        g.boom_media = db::get_optional<std::string>(r, "boom_media").value_or("");
        g.passed_after = db::get_optional<base::time_point>(r, "passed_after");
        g.passed_before = db::get_optional<base::time_point>(r, "passed_before");
        g.seen_at = db::get_optional<base::time_point>(r, "seen_at");
        g.changed_at = db::get_optional<base::time_point>(r, "changed_at");
        out.push_back(std::move(g));
    }
    return out;
}

std::vector<trail_grant> grants_of_lesson(
    db::transaction& tx, const base::uuid& user_id, std::int64_t course_id, std::int64_t lesson_id)
{
    std::vector<trail_grant> out;
    for (const auto& r : tx.exec(select_grants_of_lesson, user_id, course_id, lesson_id))
        out.push_back(read_grant(r));
    return out;
}

std::vector<lesson_grant> grants_of_student(
    db::transaction& tx, const base::uuid& user_id, const std::vector<std::int64_t>& course_ids)
{
    std::vector<lesson_grant> out;
    for (const auto& r : tx.exec(select_grants_of_student, user_id, course_ids)) {
        lesson_grant g;
        g.course_id = db::get<std::int64_t>(r, "course_id");
        g.lesson_id = db::get<std::int64_t>(r, "lesson_id");
        g.grant = read_grant(r);
        out.push_back(std::move(g));
    }
    return out;
}

std::optional<trail_decision> decision_of(
    db::transaction& tx, const base::uuid& user_id, std::int64_t course_id, std::int64_t lesson_id)
{
    const auto rows = tx.exec(select_decision, user_id, course_id, lesson_id);
    if (rows.empty())
        return std::nullopt;
    trail_decision out;
    out.open = db::get<bool>(rows[0], "open");
    out.reason = db::get_optional<std::string>(rows[0], "reason").value_or("");
    out.detail = db::get_optional<std::string>(rows[0], "detail").value_or("");
    out.decided_at = db::get_optional<base::time_point>(rows[0], "decided_at");
    return out;
}

std::map<std::int64_t, provider_health> provider_health_of_courses(db::transaction& tx)
{
    std::map<std::int64_t, provider_health> out;
    for (const auto& r : tx.exec(select_provider_health, std::nullopt))
        out.emplace(db::get<std::int64_t>(r, "course_id"), read_provider_health(r));
    return out;
}

std::optional<provider_health> provider_health_of(db::transaction& tx, std::int64_t course_id)
{
    const auto rows = tx.exec(select_provider_health, course_id);
    if (rows.empty())
        return std::nullopt;
    return read_provider_health(rows[0]);
}

std::optional<order_state> grant_order(db::transaction& tx, const base::uuid& request_id)
{
    const auto rows = tx.exec(select_order, request_id);
    if (rows.empty())
        return std::nullopt;
    order_state out;
    out.state = db::get<std::string>(rows[0], "state");
    out.detail = db::get_optional<std::string>(rows[0], "detail");
    out.at = db::get_optional<base::time_point>(rows[0], "at");
    return out;
}

std::optional<audit_state> audit_order(db::transaction& tx, const base::uuid& request_id)
{
    const auto rows = tx.exec(select_audit, request_id);
    return rows.empty() ? std::nullopt : std::optional(read_audit(rows[0]));
}

std::map<std::int64_t, std::vector<audit_state>> last_audits(
    db::transaction& tx, const std::optional<std::vector<std::int64_t>>& courses)
{
    std::map<std::int64_t, std::vector<audit_state>> out;
    for (const auto& r : tx.exec(select_last_audits, courses))
        out[db::get<std::int64_t>(r, "course_id")].push_back(read_audit(r));
    return out;
}

} // namespace coursegate::web_gateway
