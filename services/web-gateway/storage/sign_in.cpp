#include "storage/sign_in.hpp"

#include "coursegate/db/transaction.hpp"

#include <cstring>

namespace coursegate::web_gateway {
namespace {

// Locks of two kinds, always taken in this order, one of each: nobody waits in a circle.
constexpr int account_locks = 0x63676163; // "cgac"
constexpr int address_locks = 0x63676164; // "cgad"

constexpr db::statement take_turn{"accounts.sign_in_turn", "SELECT pg_advisory_xact_lock($1::int, $2::int)"};

// Only the youngest that matter are read: the oldest of `limit` is the one whose leaving allows the next try.
constexpr db::statement select_standing{"accounts.sign_in_standing",
    "WITH of_account AS (SELECT at FROM accounts.sign_in_failures WHERE account_hmac = $1"
    "   AND at > statement_timestamp() - make_interval(hours => $4) ORDER BY at DESC LIMIT $5),"
    " of_address AS (SELECT at FROM accounts.sign_in_failures WHERE address_hmac = $2"
    "   AND at > statement_timestamp() - make_interval(hours => $4) ORDER BY at DESC LIMIT $6)"
    " SELECT statement_timestamp() AS now,"
    "   (SELECT count(*) FROM of_account) AS of_account, (SELECT min(at) FROM of_account) AS account_oldest,"
    "   (SELECT count(*) FROM of_address) AS of_address, (SELECT min(at) FROM of_address) AS address_oldest,"
    "   u.id, u.boom_code_hmac IS NOT NULL AS has_code, coalesce(u.boom_code_hmac, '') AS boom_code_hmac"
    " FROM (SELECT) one LEFT JOIN accounts.users u ON lower(u.email) = lower($3)"};

constexpr db::statement hold_code{"accounts.hold_sign_in_code",
    "SELECT 1 FROM accounts.users WHERE id = $1 AND boom_code_hmac = $2 FOR SHARE"};

constexpr db::statement insert_failure{"accounts.note_sign_in_failure",
    "INSERT INTO accounts.sign_in_failures (account_hmac, address_hmac, at) "
    "VALUES ($1, $2, statement_timestamp())"};

constexpr db::statement purge_failures{"accounts.purge_sign_in_failures",
    "DELETE FROM accounts.sign_in_failures WHERE failure_id IN (SELECT failure_id FROM "
    "accounts.sign_in_failures"
    " WHERE at < now() - make_interval(hours => $2) LIMIT $1)"};

// Two that share their first 32 bits take turns without need: that costs a millisecond.
int lock_of(const std::string& hmac)
{
    std::int32_t out = 0;
    std::memcpy(&out, hmac.data(), sizeof out);
    return out;
}

} // namespace

standing standing_of(db::transaction& tx, const attempt_keys& keys, const std::string& email)
{
    // Statements of their own: what is read below must see what those before us have committed.
    tx.exec(take_turn, account_locks, lock_of(keys.account));
    tx.exec(take_turn, address_locks, lock_of(keys.address));
    const auto r = tx.exec(select_standing, db::bytes(keys.account), db::bytes(keys.address), email,
        failures_count_for.count(), failures_per_account, failures_per_address)[0];
    standing out;
    out.now = db::get<base::time_point>(r, "now");
    out.failures.of_account = db::get<int>(r, "of_account");
    out.failures.of_address = db::get<int>(r, "of_address");
    out.failures.account_blocked_by = db::get_optional<base::time_point>(r, "account_oldest");
    out.failures.address_blocked_by = db::get_optional<base::time_point>(r, "address_oldest");
    out.user_id = db::get_optional<base::uuid>(r, "id");
    if (db::get<bool>(r, "has_code"))
        out.boom_code_hmac = db::get_bytes(r, "boom_code_hmac");
    return out;
}

bool still_has_code(db::transaction& tx, const base::uuid& user_id, const std::string& boom_code_hmac)
{
    return !tx.exec(hold_code, user_id, db::bytes(boom_code_hmac)).empty();
}

void note_failure(db::transaction& tx, const attempt_keys& keys)
{
    tx.exec(insert_failure, db::bytes(keys.account), db::bytes(keys.address));
}

int purge_sign_in_failures(db::transaction& tx, int most)
{
    return static_cast<int>(tx.exec(purge_failures, most, failures_count_for.count()).affected_rows());
}

} // namespace coursegate::web_gateway
