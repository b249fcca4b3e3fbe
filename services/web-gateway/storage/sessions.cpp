#include "storage/sessions.hpp"

#include "storage/audit_log.hpp"

#include "coursegate/db/transaction.hpp"

#include <nlohmann/json.hpp>

namespace coursegate::web_gateway {
namespace {

constexpr db::statement insert_session{"accounts.start_session",
    "INSERT INTO accounts.sessions (session_id, token_hash, user_id, signed_in_by, user_agent, address, "
    "expires_at)"
    " VALUES ($1, $2, $3, $4, $5, $6, now() + make_interval(hours => $7))"};

constexpr db::statement delete_by_token{
    "accounts.replace_session", "DELETE FROM accounts.sessions WHERE token_hash = $1 RETURNING session_id"};

#define LIVE_SESSION                                                                                         \
    "SELECT s.session_id, s.user_id, s.signed_in_by, s.last_seen_at, statement_timestamp() AS now, u.email," \
    " u.first_name,"                                                                                         \
    " u.last_name, u.locale, u.time_zone,"                                                                   \
    " ARRAY(SELECT DISTINCT r.role FROM accounts.user_roles r WHERE r.user_id = u.id) AS roles,"             \
    " ARRAY(SELECT r.course_id FROM accounts.user_roles r WHERE r.user_id = u.id AND r.role = 'author')"     \
    " AS courses"                                                                                            \
    " FROM accounts.sessions s JOIN accounts.users u ON u.id = s.user_id"                                    \
    " WHERE s.expires_at > statement_timestamp()"

constexpr db::statement select_live{"accounts.find_session", LIVE_SESSION " AND s.token_hash = $1"};

constexpr db::statement select_live_of_link{"accounts.find_app_session_of_link",
    LIVE_SESSION " AND s.signed_in_by = 'mini_app' AND s.session_id ="
                 " (SELECT session_id FROM accounts.play_links WHERE id_hash = $1)"};

#undef LIVE_SESSION

constexpr db::statement update_seen{"accounts.note_session_seen",
    "UPDATE accounts.sessions SET last_seen_at = now(), expires_at = now() +"
    " CASE signed_in_by WHEN 'mini_app' THEN make_interval(hours => $4) ELSE make_interval(hours => $2) END"
    " WHERE session_id = $1 AND expires_at > now() AND last_seen_at <= now() - make_interval(hours => $3)"};

constexpr db::statement select_own{"accounts.sessions_of",
    "SELECT session_id, signed_in_by, created_at, last_seen_at, expires_at, user_agent, address"
    " FROM accounts.sessions WHERE user_id = $1 AND expires_at > now() ORDER BY last_seen_at DESC, "
    "session_id DESC"};

constexpr db::statement delete_one{"accounts.end_session",
    "DELETE FROM accounts.sessions WHERE session_id = $1 AND user_id = $2 RETURNING signed_in_by"};

constexpr db::statement delete_all{
    "accounts.end_all_sessions", "DELETE FROM accounts.sessions WHERE user_id = $1"};

constexpr db::statement purge_expired{"accounts.purge_sessions",
    "DELETE FROM accounts.sessions WHERE session_id IN"
    " (SELECT session_id FROM accounts.sessions WHERE expires_at < now() LIMIT $1)"};

std::string target_of(const base::uuid& user_id)
{
    return "user/" + base::to_string(user_id);
}

std::optional<live_session> only(const pqxx::result& rows)
{
    if (rows.empty())
        return std::nullopt;
    const auto& r = rows[0];
    live_session out;
    out.session_id = db::get<base::uuid>(r, "session_id");
    out.user_id = db::get<base::uuid>(r, "user_id");
    out.signed_in_by = db::get<std::string>(r, "signed_in_by");
    out.last_seen_at = db::get<base::time_point>(r, "last_seen_at");
    out.now = db::get<base::time_point>(r, "now");
    out.email = db::get<std::string>(r, "email");
    out.first_name = db::get<std::string>(r, "first_name");
    out.last_name = db::get<std::string>(r, "last_name");
    out.locale = db::get<std::string>(r, "locale");
    out.time_zone = db::get<std::string>(r, "time_zone");
    for (auto& name : db::get<std::vector<std::string>>(r, "roles"))
        out.roles.insert(std::move(name));
    for (const auto id : db::get<std::vector<std::int64_t>>(r, "courses"))
        out.authors_of.insert(id);
    return out;
}

} // namespace

void start_session(db::transaction& tx, const act& by, const new_session& s)
{
    nlohmann::json after{{"session_id", base::to_string(s.session_id)}, {"signed_in_by", s.signed_in_by}};
    if (s.replaces) {
        const auto gone = tx.exec(delete_by_token, db::bytes(*s.replaces));
        if (!gone.empty())
            after["replaces"] = base::to_string(db::get<base::uuid>(gone[0], "session_id"));
    }
    tx.exec(insert_session, s.session_id, db::bytes(s.token_hash), s.user_id, s.signed_in_by, s.user_agent,
        s.address, s.lasts.count());
    write_audit(tx, by, "session.start", target_of(s.user_id), nullptr, after);
}

std::optional<live_session> find_session(db::transaction& tx, const std::string& token_hash)
{
    return only(tx.exec(select_live, db::bytes(token_hash)));
}

std::optional<live_session> find_app_session_of_link(db::transaction& tx, const std::string& link_hash)
{
    return only(tx.exec(select_live_of_link, db::bytes(link_hash)));
}

void note_seen(db::transaction& tx, const base::uuid& session_id)
{
    tx.exec(update_seen, session_id, session_lasts.count(), session_seen_every.count(),
        app_session_lasts.count());
}

std::vector<listed_session> sessions_of(db::transaction& tx, const base::uuid& user_id)
{
    std::vector<listed_session> out;
    for (const auto& r : tx.exec(select_own, user_id)) {
        listed_session one;
        one.session_id = db::get<base::uuid>(r, "session_id");
        one.signed_in_by = db::get<std::string>(r, "signed_in_by");
        one.created_at = db::get<base::time_point>(r, "created_at");
        one.last_seen_at = db::get<base::time_point>(r, "last_seen_at");
        one.expires_at = db::get<base::time_point>(r, "expires_at");
        one.user_agent = db::get<std::string>(r, "user_agent");
        one.address = db::get<std::string>(r, "address");
        out.push_back(std::move(one));
    }
    return out;
}

bool end_session(db::transaction& tx, const act& by, const base::uuid& user_id, const base::uuid& session_id)
{
    const auto gone = tx.exec(delete_one, session_id, user_id);
    if (gone.empty())
        return false;
    write_audit(tx, by, "session.end", target_of(user_id),
        {{"session_id", base::to_string(session_id)},
            {"signed_in_by", db::get<std::string>(gone[0], "signed_in_by")}},
        nullptr);
    return true;
}

int end_all_sessions(db::transaction& tx, const act& by, const base::uuid& user_id)
{
    const auto gone = static_cast<int>(tx.exec(delete_all, user_id).affected_rows());
    if (gone > 0)
        write_audit(tx, by, "session.end_all", target_of(user_id), {{"sessions", gone}}, nullptr);
    return gone;
}

int purge_sessions(db::transaction& tx, int most)
{
    return static_cast<int>(tx.exec(purge_expired, most).affected_rows());
}

} // namespace coursegate::web_gateway
