#include "storage/idempotency.hpp"

#include "domain/refused.hpp"

#include "coursegate/db/transaction.hpp"

namespace coursegate::web_gateway {
namespace {

constexpr db::statement forget_expired{"accounts.forget_expired_idempotency_key",
    "DELETE FROM accounts.idempotency_keys WHERE who = $1 AND key "
    "= $2 AND created_at < now() - interval '24 hours'"};

constexpr db::statement claim_key{"accounts.claim_idempotency_key",
    "INSERT INTO accounts.idempotency_keys (who, key, route, body_hash) VALUES ($1, $2, $3, $4)"
    " ON CONFLICT (who, key) DO NOTHING"};

constexpr db::statement read_key{"accounts.read_idempotency_key",
    "SELECT route, body_hash, status, answer_box FROM accounts.idempotency_keys WHERE who = $1 AND key = $2"};

constexpr db::statement keep_answer{"accounts.keep_idempotent_answer",
    "UPDATE accounts.idempotency_keys SET status = $3, answer_box = $4 WHERE who = $1 AND key = $2"};

constexpr db::statement forget_key{
    "accounts.forget_idempotency_key", "DELETE FROM accounts.idempotency_keys WHERE who = $1 AND key = $2"};

constexpr db::statement purge_keys{"accounts.purge_idempotency_keys",
    "DELETE FROM accounts.idempotency_keys WHERE (who, key) IN (SELECT who, key FROM "
    "accounts.idempotency_keys"
    " WHERE created_at < now() - interval '24 hours' LIMIT $1)"};

constexpr std::string_view boxes_table = "accounts.idempotency_keys";
constexpr std::string_view boxes_column = "answer_box";

answer stored_answer(
    db::transaction& tx, const base::keyring& keys, const idempotent_call& call, const std::string& row)
{
    const auto found = tx.exec(read_key, call.who, call.key);
    if (found.empty())
        throw std::runtime_error("the idempotency key went away between two statements"); // purged: try again
    const auto& r = found[0];
    if (db::get<std::string>(r, "route") != call.route || db::get_bytes(r, "body_hash") != call.body_hash)
        throw refused(refusal::conflict, slug::idempotency_key_reused,
            "This key was used for another request before: take a new one.", "Idempotency-Key");
    const auto box = keys.open({boxes_table, boxes_column, row}, db::get_bytes(r, "answer_box"));
    answer out;
    out.status = db::get<int>(r, "status");
    out.body = box.value().expose();
    out.replayed = true;
    return out;
}

} // namespace

answer once(db::transaction& tx, const base::keyring& keys, const std::optional<idempotent_call>& call,
    const std::function<answer()>& work)
{
    if (!call)
        return work();
    const auto row = call->who + "/" + call->key;
    tx.exec(forget_expired, call->who, call->key);
    const auto claimed = tx.exec(claim_key, call->who, call->key, call->route, db::bytes(call->body_hash));
    if (claimed.affected_rows() == 0)
        return stored_answer(tx, keys, *call, row);

    auto out = work();
    if (out.status >= 400)
        tx.exec(forget_key, call->who, call->key);
    else
        tx.exec(keep_answer, call->who, call->key, out.status,
            db::bytes(keys.seal({boxes_table, boxes_column, row}, base::secret(out.body))));
    return out;
}

int purge_idempotency_keys(db::transaction& tx, int most)
{
    return static_cast<int>(tx.exec(purge_keys, most).affected_rows());
}

} // namespace coursegate::web_gateway
