#include "storage/profile.hpp"

#include "storage/audit_log.hpp"
#include "storage/orders.hpp"
#include "storage/sessions.hpp"

#include "coursegate/db/transaction.hpp"
#include "coursegate/events/account_linked.hpp"
#include "coursegate/outbox/outbox.hpp"

#include <nlohmann/json.hpp>

namespace coursegate::web_gateway {
namespace {

constexpr db::statement select_profile{"accounts.own_profile",
    "SELECT first_name, last_name, locale, time_zone FROM accounts.users WHERE id = $1 FOR UPDATE"};

constexpr db::statement update_profile{"accounts.change_own_profile",
    "UPDATE accounts.users SET first_name = $2, last_name = $3, locale = $4, time_zone = $5, changed_at = "
    "now()"
    " WHERE id = $1"};

constexpr db::statement select_language{
    "accounts.own_language", "SELECT locale FROM accounts.users WHERE id = $1 FOR UPDATE"};

constexpr db::statement update_language{"accounts.change_own_language",
    "UPDATE accounts.users SET locale = $2, changed_at = now() WHERE id = $1"};

constexpr db::statement select_notices{"accounts.notices_of",
    "SELECT notice_telegram, notice_email, to_char(quiet_from, 'HH24:MI') AS quiet_from,"
    " to_char(quiet_to, 'HH24:MI') AS quiet_to FROM accounts.users WHERE id = $1"};

constexpr db::statement lock_user{
    "accounts.lock_own_user", "SELECT 1 FROM accounts.users WHERE id = $1 FOR UPDATE"};

constexpr db::statement update_notices{"accounts.change_notices",
    "UPDATE accounts.users SET notice_telegram = $2, notice_email = $3, quiet_from = $4::time,"
    " quiet_to = $5::time, changed_at = now() WHERE id = $1"};

// What others did is told without who they are. '0' is the character after '/'.
constexpr db::statement select_all{"accounts.all_about",
    "WITH me AS (SELECT * FROM accounts.users WHERE id = $1)"
    " SELECT jsonb_pretty(jsonb_build_object("
    "'made_at', now(),"
    "'user', (SELECT jsonb_build_object('id', id, 'email', email, 'first_name', first_name, 'last_name', "
    "last_name,"
    "  'stepik_user_id', stepik_user_id, 'telegram_id', telegram_id, 'google_sub', google_sub,"
    "  'telegram_username', telegram_username, 'google_email', google_email, 'language', "
    "locale,"
    "  'time_zone', time_zone, 'has_boomstream_code', boom_code_box IS NOT NULL, 'created_at', created_at,"
    "  'changed_at', changed_at) FROM me),"
    "'notices', (SELECT jsonb_build_object('by_telegram', notice_telegram, 'by_email', notice_email,"
    "  'quiet_from', quiet_from, 'quiet_to', quiet_to) FROM me),"
    "'roles', (SELECT coalesce(jsonb_agg(jsonb_build_object('role', role, 'course_id', course_id,"
    "  'given_at', given_at)), '[]') FROM accounts.user_roles WHERE user_id = $1),"
    "'sessions', (SELECT coalesce(jsonb_agg(jsonb_build_object('signed_in_by', signed_in_by,"
    "  'created_at', created_at, 'last_seen_at', last_seen_at, 'expires_at', expires_at,"
    "  'user_agent', user_agent, 'address', address)), '[]') FROM accounts.sessions WHERE user_id = $1),"
    "'enrolments', (SELECT coalesce(jsonb_agg(to_jsonb(e)), '[]') FROM learning.v_enrolments e"
    "  JOIN me ON me.stepik_user_id = e.stepik_user_id),"
    "'progress', (SELECT coalesce(jsonb_agg(to_jsonb(s)), '[]') FROM learning.v_lesson_state s"
    "  JOIN me ON me.stepik_user_id = s.stepik_user_id),"
    "'grants', (SELECT coalesce(jsonb_agg(to_jsonb(g) - 'buyer_ref'), '[]') FROM access.v_grants g"
    "  WHERE g.user_id = $1),"
    "'watched', (SELECT coalesce(jsonb_agg(to_jsonb(w) - 'user_id'), '[]') FROM accounts.watched w"
    "  WHERE w.user_id = $1),"
    "'requests', (SELECT coalesce(jsonb_agg(jsonb_build_object('request_id', request_id, 'kind', kind,"
    "  'course_id', course_id, 'lesson_id', lesson_id, 'requested_at', requested_at)), '[]')"
    "  FROM accounts.requests WHERE user_id = $1),"
    "'audit', (SELECT coalesce(jsonb_agg(jsonb_build_object('at', at, 'what', what, 'target', target,"
    "  'before', before, 'after', after, 'why', why, 'by_yourself', a.who = 'user/' || $1::text,"
    "  'address', CASE WHEN a.who = 'user/' || $1::text THEN address END) ORDER BY id), '[]')"
    "  FROM accounts.audit_log a WHERE a.who = 'user/' || $1::text OR a.target = 'user/' || $1::text"
    "  OR (a.target ~>=~ ('user/' || $1::text || '/') AND a.target ~<~ ('user/' || $1::text || '0')))"
    ")) AS all_about"};

constexpr db::statement select_for_deletion{"accounts.user_to_delete",
    "SELECT stepik_user_id FROM accounts.users WHERE id = $1 AND deleted_at IS NULL FOR UPDATE"};

constexpr db::statement select_open_lessons{"accounts.lessons_to_close",
    "SELECT DISTINCT course_id, lesson_id FROM access.v_grants WHERE user_id = $1 AND state <> 'revoked'"
    " ORDER BY course_id, lesson_id"};

constexpr db::statement empty_user{"accounts.empty_user",
    "UPDATE accounts.users SET email = 'deleted-' || id || '@deleted.invalid', first_name = '', last_name = "
    "'',"
    " boom_code_box = NULL, boom_code_hmac = NULL, code_version = code_version + 1, stepik_user_id = NULL,"
    " telegram_id = NULL, google_sub = NULL, telegram_username = '', google_email = '', role = 'student', "
    "locale = 'ru', time_zone = 'UTC',"
    " notice_telegram = false, notice_email = false, quiet_from = NULL, quiet_to = NULL,"
    " changed_at = now(), deleted_at = now() WHERE id = $1"};

constexpr db::statement delete_links{
    "accounts.delete_links_of", "DELETE FROM accounts.sign_in_links WHERE user_id = $1"};

constexpr db::statement delete_app_sign_ins{
    "accounts.delete_app_sign_ins_of", "DELETE FROM accounts.mini_app_sign_ins WHERE user_id = $1"};

constexpr db::statement delete_roles{
    "accounts.delete_roles_of", "DELETE FROM accounts.user_roles WHERE user_id = $1"};

constexpr db::statement delete_watched{
    "accounts.delete_watched_of", "DELETE FROM accounts.watched WHERE user_id = $1"};

// That something was done stays; what stood in it about the person, and from where he did it, goes. An
// account that somebody else's word created (`sign-in/google`) was created from where the person sat.
constexpr db::statement empty_audit{"accounts.empty_audit_of",
    "UPDATE accounts.audit_log SET"
    " before = CASE WHEN target = $1 THEN NULL ELSE before END,"
    " after = CASE WHEN target = $1 THEN NULL ELSE after END,"
    " why = CASE WHEN target = $1 THEN NULL ELSE why END,"
    " address = CASE WHEN who = $1 OR who LIKE 'sign-in/%' THEN NULL ELSE address END"
    " WHERE target = $1 OR who = $1"};

std::string target_of(const base::uuid& id)
{
    return "user/" + base::to_string(id);
}

nlohmann::json audit_view(const own_profile& p)
{
    return {{"first_name", p.first_name}, {"last_name", p.last_name}, {"locale", p.language},
        {"time_zone", p.time_zone}};
}

nlohmann::json audit_view(const notice_settings& n)
{
    const auto quiet =
        n.quiet_from ? nlohmann::json(*n.quiet_from + "-" + n.quiet_to.value_or("")) : nlohmann::json();
    return {{"by_telegram", n.by_telegram}, {"by_email", n.by_email}, {"quiet", quiet}};
}

} // namespace

notice_settings notices_of(db::transaction& tx, const base::uuid& user_id)
{
    notice_settings out;
    for (const auto& r : tx.exec(select_notices, user_id)) {
        out.by_telegram = db::get<bool>(r, "notice_telegram");
        out.by_email = db::get<bool>(r, "notice_email");
        out.quiet_from = db::get_optional<std::string>(r, "quiet_from");
        out.quiet_to = db::get_optional<std::string>(r, "quiet_to");
    }
    return out;
}

void change_profile(db::transaction& tx, const act& by, const base::uuid& user_id, const own_profile& wish)
{
    const auto rows = tx.exec(select_profile, user_id);
    if (rows.empty())
        return; // gone at this very moment, and his session with it
    own_profile before;
    before.first_name = db::get<std::string>(rows[0], "first_name");
    before.last_name = db::get<std::string>(rows[0], "last_name");
    before.language = db::get<std::string>(rows[0], "locale");
    before.time_zone = db::get<std::string>(rows[0], "time_zone");
    if (audit_view(before) == audit_view(wish))
        return;
    tx.exec(update_profile, user_id, wish.first_name, wish.last_name, wish.language, wish.time_zone);
    write_audit(tx, by, "user.change", target_of(user_id), audit_view(before), audit_view(wish));
}

void change_language(
    db::transaction& tx, const act& by, const base::uuid& user_id, const std::string& language)
{
    const auto rows = tx.exec(select_language, user_id);
    if (rows.empty())
        return; // gone at this very moment, and his session with it
    const auto before = db::get<std::string>(rows[0], "locale");
    if (before == language)
        return;
    tx.exec(update_language, user_id, language);
    write_audit(tx, by, "user.change", target_of(user_id), {{"locale", before}}, {{"locale", language}});
}

void change_notices(
    db::transaction& tx, const act& by, const base::uuid& user_id, const notice_settings& wish)
{
    tx.exec(lock_user, user_id); // of two changes at once, the second sees what the first has left
    const auto before = notices_of(tx, user_id);
    if (before == wish)
        return;
    tx.exec(update_notices, user_id, wish.by_telegram, wish.by_email, wish.quiet_from, wish.quiet_to);
    write_audit(tx, by, "user.notices", target_of(user_id), audit_view(before), audit_view(wish));
}

std::string all_about(db::transaction& tx, const base::uuid& user_id)
{
    return db::get<std::string>(tx.exec(select_all, user_id)[0], "all_about");
}

void delete_account(db::transaction& tx, act by, const base::uuid& user_id)
{
    const auto rows = tx.exec(select_for_deletion, user_id);
    if (rows.empty())
        return; // by another tab a moment ago
    const bool was_linked = !rows[0]["stepik_user_id"].is_null();
    by.address.clear(); // would be the first thing we learn of him after he has left
    by.why = "The account was deleted by its owner.";

    const auto lessons = tx.exec(select_open_lessons, user_id);
    for (const auto& r : lessons)
        order_revoke(
            tx, by, user_id, db::get<std::int64_t>(r, "course_id"), db::get<std::int64_t>(r, "lesson_id"));
    const auto ended = end_all_sessions(tx, by, user_id);
    tx.exec(delete_roles, user_id);
    tx.exec(delete_links, user_id);
    tx.exec(delete_app_sign_ins, user_id);
    tx.exec(delete_watched, user_id);
    tx.exec(empty_user, user_id);
    tx.exec(empty_audit, target_of(user_id));
    write_audit(tx, by, "user.delete", target_of(user_id), nullptr,
        {{"lessons_closed", lessons.size()}, {"sessions_ended", ended}});
    if (!was_linked)
        return;
    events::account_linked unlinked;
    unlinked.user_id = user_id;
    outbox::add(tx, service_name, unlinked, cause_of(by));
}

} // namespace coursegate::web_gateway
