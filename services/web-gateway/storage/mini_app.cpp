#include "storage/mini_app.hpp"

#include "domain/init_data.hpp"

#include "coursegate/db/transaction.hpp"

namespace coursegate::web_gateway {
namespace {

// Telegram's clock may be ahead of ours, and the hour begins at its own.
constexpr std::chrono::hours remembered = init_data_lasts + std::chrono::hours(1);

constexpr db::statement select_launch{"accounts.find_app_sign_in",
    "SELECT a.user_id = $2 AND EXISTS (SELECT 1 FROM accounts.sessions s WHERE s.session_id = a.session_id"
    " AND s.user_id = $2 AND s.expires_at > now()) AS is_alive"
    " FROM accounts.mini_app_sign_ins a WHERE a.proof_hash = $1"};

constexpr db::statement insert_launch{"accounts.add_app_sign_in",
    "INSERT INTO accounts.mini_app_sign_ins (proof_hash, user_id, session_id, forget_at)"
    " VALUES ($1, $2, $3, now() + make_interval(hours => $4))"};

constexpr db::statement purge_old{"accounts.purge_app_sign_ins",
    "DELETE FROM accounts.mini_app_sign_ins WHERE proof_hash IN"
    " (SELECT proof_hash FROM accounts.mini_app_sign_ins WHERE forget_at < now() LIMIT $1)"};

} // namespace

app_start start_app_session(
    db::transaction& tx, const act& by, const new_session& s, const std::string& proof_hash)
{
    const auto known = tx.exec(select_launch, db::bytes(proof_hash), s.user_id);
    if (!known.empty())
        return db::get<bool>(known[0], "is_alive") ? app_start::goes_on : app_start::is_over;
    tx.exec(insert_launch, db::bytes(proof_hash), s.user_id, s.session_id, remembered.count());
    start_session(tx, by, s);
    return app_start::started;
}

int purge_app_sign_ins(db::transaction& tx, int most)
{
    return static_cast<int>(tx.exec(purge_old, most).affected_rows());
}

} // namespace coursegate::web_gateway
