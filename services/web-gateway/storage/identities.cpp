#include "storage/identities.hpp"

#include "domain/refused.hpp"
#include "storage/audit_log.hpp"

#include "coursegate/base/encoding.hpp"
#include "coursegate/db/transaction.hpp"
#include "coursegate/events/account_linked.hpp"
#include "coursegate/outbox/outbox.hpp"

#include <nlohmann/json.hpp>

#include <cstring>

namespace coursegate::web_gateway {
namespace {

constexpr int identity_locks = 0x63676964; // "cgid"

constexpr db::statement take_turn{"accounts.identity_turn", "SELECT pg_advisory_xact_lock($1::int, $2::int)"};

constexpr db::statement select_google{
    "accounts.user_by_google", "SELECT id FROM accounts.users WHERE google_sub = $1"};
constexpr db::statement select_telegram{
    "accounts.user_by_telegram", "SELECT id FROM accounts.users WHERE telegram_id = $1::bigint"};
constexpr db::statement select_stepik{
    "accounts.user_by_stepik", "SELECT id FROM accounts.users WHERE stepik_user_id = $1::bigint"};

constexpr db::statement select_linked{"accounts.linked_of",
    "SELECT google_sub, telegram_id::text AS telegram_id, stepik_user_id::text AS stepik_user_id,"
    " google_email, telegram_username, boom_code_hmac IS NOT NULL AS has_code"
    " FROM accounts.users WHERE id = $1"};
constexpr db::statement select_linked_for_change{"accounts.linked_for_change",
    "SELECT google_sub, telegram_id::text AS telegram_id, stepik_user_id::text AS stepik_user_id,"
    " google_email, telegram_username, boom_code_hmac IS NOT NULL AS has_code"
    " FROM accounts.users WHERE id = $1 FOR UPDATE"};

// NULL takes the link away.
constexpr db::statement update_google{"accounts.set_google",
    "UPDATE accounts.users SET google_sub = $2, google_email = $3, changed_at = now() WHERE id = $1"};
constexpr db::statement update_telegram{"accounts.set_telegram",
    "UPDATE accounts.users SET telegram_id = $2::bigint, telegram_username = $3, changed_at = now()"
    " WHERE id = $1"};
constexpr db::statement update_stepik{"accounts.set_stepik",
    "UPDATE accounts.users SET stepik_user_id = $2::bigint, changed_at = now() WHERE id = $1"};

constexpr db::statement end_sessions_by_way{"accounts.end_sessions_by_way",
    "DELETE FROM accounts.sessions WHERE user_id = $1 AND session_id <> $3"
    " AND (signed_in_by = $2 OR ($2 = 'telegram' AND signed_in_by = 'mini_app'))"};

struct linked_accounts
{
    std::map<way, std::string> subjects;
    std::map<way, std::string> shown;
    bool has_code = false;
};

linked_accounts read_linked(const pqxx::row& r)
{
    linked_accounts out;
    const auto take = [&](way w, const char* column, const char* shown) {
        if (auto subject = db::get_optional<std::string>(r, column)) {
            out.shown[w] = shown == nullptr ? *subject : db::get<std::string>(r, shown);
            out.subjects[w] = std::move(*subject);
        }
    };
    take(way::google, "google_sub", "google_email");
    take(way::telegram, "telegram_id", "telegram_username");
    take(way::stepik, "stepik_user_id", nullptr);
    out.has_code = db::get<bool>(r, "has_code");
    return out;
}

linked_accounts held(db::transaction& tx, const base::uuid& user_id)
{
    const auto rows = tx.exec(select_linked_for_change, user_id);
    if (rows.empty())
        throw refused(refusal::not_found, slug::user_not_found, "There is no such user.", "id");
    return read_linked(rows[0]);
}

void set(db::transaction& tx, const base::uuid& user_id, way w, const std::optional<std::string>& subject,
    const std::string& shown)
{
    switch (w) {
    case way::google:
        tx.exec(update_google, user_id, subject, shown);
        break;
    case way::telegram:
        tx.exec(update_telegram, user_id, subject, shown);
        break;
    case way::stepik:
        tx.exec(update_stepik, user_id, subject);
        break;
    }
}

// Grants may have waited for it.
void tell_linked(
    db::transaction& tx, const act& by, const base::uuid& user_id, const std::optional<std::string>& stepik)
{
    events::account_linked linked;
    linked.user_id = user_id;
    if (stepik)
        linked.stepik_user_id = std::stoll(*stepik);
    outbox::add(tx, service_name, linked, cause_of(by));
}

std::string target_of(const base::uuid& user_id)
{
    return "user/" + base::to_string(user_id);
}

nlohmann::json audit_view(way w, const std::string& subject)
{
    return {{"way", name_of(w)}, {"subject", subject}};
}

} // namespace

std::optional<base::uuid> owner_of(db::transaction& tx, const identity& who)
{
    // Two that share these 32 bits take turns without need: that costs a millisecond.
    std::int32_t lock = 0;
    const auto hash = base::sha256(std::string(name_of(who.way)) + ":" + who.subject);
    std::memcpy(&lock, hash.data(), sizeof lock);
    tx.exec(take_turn, identity_locks, lock);
    const auto& query = who.way == way::google     ? select_google
                        : who.way == way::telegram ? select_telegram
                                                   : select_stepik;
    const auto rows = tx.exec(query, who.subject);
    if (rows.empty())
        return std::nullopt;
    return db::get<base::uuid>(rows[0], "id");
}

linking link_identity(db::transaction& tx, const act& by, const base::uuid& user_id, const identity& who)
{
    const auto owner = owner_of(tx, who);
    if (owner)
        return *owner == user_id ? linking::known : linking::somebody_elses;
    const auto before = held(tx, user_id);
    if (before.subjects.count(who.way) > 0)
        return linking::has_another;
    set(tx, user_id, who.way, who.subject, who.shown);
    write_audit(tx, by, "identity.link", target_of(user_id), nullptr, audit_view(who.way, who.subject));
    if (who.way == way::stepik)
        tell_linked(tx, by, user_id, who.subject);
    return linking::linked;
}

unlinking unlink_identity(db::transaction& tx, const act& by, const base::uuid& user_id, way w,
    const std::set<way>& on, const base::uuid& keeps)
{
    const auto before = held(tx, user_id);
    const auto at = before.subjects.find(w);
    if (at == before.subjects.end())
        return unlinking::not_there;
    bool has_other = before.has_code;
    for (const auto& [other, subject] : before.subjects)
        has_other = has_other || (other != w && on.count(other) > 0);
    if (!has_other)
        return unlinking::last_way_in;
    set(tx, user_id, w, std::nullopt, "");
    const auto ended = static_cast<int>(
        tx.exec(end_sessions_by_way, user_id, std::string(name_of(w)), keeps).affected_rows());
    write_audit(tx, by, "identity.unlink", target_of(user_id), audit_view(w, at->second),
        {{"sessions_ended", ended}});
    if (w == way::stepik)
        tell_linked(tx, by, user_id, std::nullopt);
    return unlinking::unlinked;
}

std::map<way, std::string> identities_of(db::transaction& tx, const base::uuid& user_id)
{
    const auto rows = tx.exec(select_linked, user_id);
    if (rows.empty())
        return {};
    return read_linked(rows[0]).shown;
}

std::optional<base::uuid> user_of_telegram(db::transaction& tx, std::int64_t telegram_id)
{
    identity who;
    who.way = way::telegram;
    who.subject = std::to_string(telegram_id);
    return owner_of(tx, who);
}

} // namespace coursegate::web_gateway
