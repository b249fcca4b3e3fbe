#include "storage/sign_in_attempts.hpp"

#include "storage/audit_log.hpp"

#include "coursegate/db/transaction.hpp"

#include <nlohmann/json.hpp>

namespace coursegate::web_gateway {
namespace {

// The session is held until the end of the transaction: one that ends at this moment takes the attempt along.
constexpr db::statement insert_attempt{"accounts.remember_attempt",
    "INSERT INTO accounts.sign_in_attempts (cookie_hash, way, session_id, next, expires_at)"
    " SELECT $1, $2, $3::uuid, $4, now() + make_interval(mins => $5)"
    " WHERE $3::uuid IS NULL OR EXISTS (SELECT FROM accounts.sessions WHERE session_id = $3 FOR KEY SHARE)"};

constexpr db::statement delete_attempt{"accounts.take_attempt",
    "DELETE FROM accounts.sign_in_attempts WHERE cookie_hash = $1 AND way = $2 AND expires_at > now()"
    " RETURNING session_id, next"};

constexpr db::statement insert_link{"accounts.remember_link",
    "INSERT INTO accounts.sign_in_links (token_hash, user_id, signed_in_by, proof_hash, expires_at, "
    "forget_at)"
    " SELECT $1::bytea, id, $3::text, $4::bytea, now() + make_interval(mins => $5), now() + interval '1 day'"
    " FROM accounts.users WHERE id = $2 AND deleted_at IS NULL"
    " ON CONFLICT (proof_hash) DO NOTHING RETURNING expires_at"};

constexpr db::statement select_link{"accounts.is_link_good",
    "SELECT 1 FROM accounts.sign_in_links WHERE token_hash = $1 AND used_at IS NULL AND expires_at > now()"};

constexpr db::statement use_link{"accounts.take_link",
    "UPDATE accounts.sign_in_links SET used_at = now()"
    " WHERE token_hash = $1 AND used_at IS NULL AND expires_at > now() RETURNING user_id, signed_in_by"};

constexpr db::statement purge_attempts{"accounts.purge_sign_in_attempts",
    "DELETE FROM accounts.sign_in_attempts WHERE cookie_hash IN"
    " (SELECT cookie_hash FROM accounts.sign_in_attempts WHERE expires_at < now() LIMIT $1)"};

constexpr db::statement purge_links{"accounts.purge_sign_in_links",
    "DELETE FROM accounts.sign_in_links WHERE token_hash IN"
    " (SELECT token_hash FROM accounts.sign_in_links WHERE forget_at < now() LIMIT $1)"};

} // namespace

bool remember_attempt(db::transaction& tx, const sign_in_attempt& a)
{
    return tx.exec(insert_attempt, db::bytes(a.cookie_hash), std::string(name_of(a.way)), a.session_id,
                 a.next, static_cast<int>(attempt_lasts.count()))
               .affected_rows() == 1;
}

std::optional<sign_in_attempt> take_attempt(db::transaction& tx, const std::string& cookie_hash, way w)
{
    const auto gone = tx.exec(delete_attempt, db::bytes(cookie_hash), std::string(name_of(w)));
    if (gone.empty())
        return std::nullopt;
    sign_in_attempt out;
    out.cookie_hash = cookie_hash;
    out.way = w;
    out.session_id = db::get_optional<base::uuid>(gone[0], "session_id");
    out.next = db::get<std::string>(gone[0], "next");
    return out;
}

std::optional<base::time_point> remember_link(db::transaction& tx, const act& by, const sign_in_link& l)
{
    const auto proof = l.proof_hash ? db::bytes(*l.proof_hash) : db::param(std::optional<std::string>());
    const auto made = tx.exec(insert_link, db::bytes(l.token_hash), l.user_id, l.signed_in_by, proof,
        static_cast<int>(link_lasts.count()));
    if (made.empty())
        return std::nullopt;
    write_audit(tx, by, "sign_in_link.create", "user/" + base::to_string(l.user_id), nullptr,
        {{"signs_in_by", l.signed_in_by}});
    return db::get<base::time_point>(made[0], "expires_at");
}

bool is_link_good(db::transaction& tx, const std::string& token_hash)
{
    return !tx.exec(select_link, db::bytes(token_hash)).empty();
}

std::optional<sign_in_link> take_link(db::transaction& tx, const std::string& token_hash)
{
    const auto used = tx.exec(use_link, db::bytes(token_hash));
    if (used.empty())
        return std::nullopt;
    sign_in_link out;
    out.token_hash = token_hash;
    out.user_id = db::get<base::uuid>(used[0], "user_id");
    out.signed_in_by = db::get<std::string>(used[0], "signed_in_by");
    return out;
}

int purge_sign_in_attempts(db::transaction& tx, int most)
{
    return static_cast<int>(tx.exec(purge_attempts, most).affected_rows());
}

int purge_sign_in_links(db::transaction& tx, int most)
{
    return static_cast<int>(tx.exec(purge_links, most).affected_rows());
}

} // namespace coursegate::web_gateway
