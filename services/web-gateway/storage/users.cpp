#include "storage/users.hpp"

#include "domain/input.hpp"
#include "domain/refused.hpp"
#include "storage/audit_log.hpp"

#include "coursegate/base/encoding.hpp"
#include "coursegate/db/transaction.hpp"
#include "coursegate/events/account_linked.hpp"
#include "coursegate/events/boom_code_rotated.hpp"
#include "coursegate/outbox/outbox.hpp"

#include <nlohmann/json.hpp>

#include <map>
#include <stdexcept>

namespace coursegate::web_gateway {
namespace {

#define USER_COLUMNS                                                                                         \
    "id, email, first_name, last_name, stepik_user_id, telegram_id, role, locale, boom_code_box IS NOT "     \
    "NULL AS has_code,"                                                                                      \
    " code_version, created_at"

constexpr db::statement insert_user{"accounts.insert_user",
    "INSERT INTO accounts.users (id, email, first_name, last_name, stepik_user_id, boom_code_box, "
    "boom_code_hmac, locale, created_by)"
    " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING RETURNING " USER_COLUMNS};

constexpr db::statement select_user{
    "accounts.user_by_id", "SELECT " USER_COLUMNS " FROM accounts.users WHERE id = $1"};

constexpr db::statement select_user_for_change{
    "accounts.user_for_change", "SELECT " USER_COLUMNS " FROM accounts.users WHERE id = $1 FOR UPDATE"};

constexpr db::statement select_user_by_email{
    "accounts.user_by_email", "SELECT " USER_COLUMNS " FROM accounts.users WHERE lower(email) = lower($1)"};

constexpr db::statement select_user_by_stepik_id{
    "accounts.user_by_stepik_id", "SELECT " USER_COLUMNS " FROM accounts.users WHERE stepik_user_id = $1"};

constexpr db::statement code_is_taken{
    "accounts.code_is_taken", "SELECT 1 FROM accounts.users WHERE boom_code_hmac = $1"};

constexpr db::statement select_users{"accounts.list_users",
    "SELECT " USER_COLUMNS " FROM accounts.users"
    " WHERE ($1::text IS NULL OR lower(email) = lower($1))"
    "   AND ($2::bigint IS NULL OR stepik_user_id = $2)"
    "   AND ($3::text IS NULL OR email ILIKE $3 OR first_name || ' ' || last_name ILIKE $3"
    "        OR last_name || ' ' || first_name ILIKE $3)"
    "   AND ($4::uuid IS NULL OR id > $4)"
    " ORDER BY id LIMIT $5"};

constexpr db::statement update_user{"accounts.update_user",
    "UPDATE accounts.users SET email = $2, first_name = $3, last_name = $4, stepik_user_id = $5, locale = $6,"
    " changed_at = now() WHERE id = $1 RETURNING " USER_COLUMNS};

constexpr db::statement update_code{"accounts.update_code",
    "UPDATE accounts.users SET boom_code_box = $2, boom_code_hmac = $3, code_version = code_version + 1,"
    " changed_at = now() WHERE id = $1 RETURNING " USER_COLUMNS};

constexpr db::statement select_code{"accounts.boom_code_of",
    "SELECT boom_code_box FROM accounts.users WHERE id = $1 AND boom_code_box IS NOT NULL"};

// Whoever signed in with the old code may be the reason why there is a new one.
constexpr db::statement end_sessions_by_code{"accounts.end_sessions_by_code",
    "DELETE FROM accounts.sessions WHERE user_id = $1 AND signed_in_by = 'code'"};

#undef USER_COLUMNS

// How often a generated code may meet a taken one before we give up. With a million users of a billion codes
// the fourth miss in a row has odds of one in 10^12.
constexpr int code_tries = 4;

user read_user(const pqxx::row& r)
{
    user out;
    out.id = db::get<base::uuid>(r, "id");
    out.email = db::get<std::string>(r, "email");
    out.first_name = db::get<std::string>(r, "first_name");
    out.last_name = db::get<std::string>(r, "last_name");
    out.stepik_user_id = db::get_optional<std::int64_t>(r, "stepik_user_id");
    out.telegram_id = db::get_optional<std::int64_t>(r, "telegram_id");
    out.role = db::get<std::string>(r, "role");
    out.locale = db::get<std::string>(r, "locale");
    out.has_code = db::get<bool>(r, "has_code");
    out.code_version = db::get<int>(r, "code_version");
    out.created_at = db::get<base::time_point>(r, "created_at");
    return out;
}

std::optional<user> only(const pqxx::result& rows)
{
    if (rows.empty())
        return std::nullopt;
    return read_user(rows[0]);
}

nlohmann::json audit_view(const user& u)
{
    return {{"email", u.email}, {"first_name", u.first_name}, {"last_name", u.last_name},
        {"stepik_user_id", u.stepik_user_id ? nlohmann::json(*u.stepik_user_id) : nlohmann::json()},
        {"locale", u.locale}, {"code_version", u.code_version}};
}

std::string target_of(const base::uuid& id)
{
    return "user/" + base::to_string(id);
}

std::string hmac_of(const base::keyring& keys, const base::secret& code)
{
    return keys.hmac("boom_code", code.expose());
}

std::string box_of(const base::keyring& keys, const base::uuid& id, const base::secret& code)
{
    const auto row = base::to_string(id);
    return keys.seal({"accounts.users", "boom_code_box", row}, code);
}

refused duplicate(const std::string& field)
{
    static const std::map<std::string, std::string> sentences{
        {"email", "Another user has this e-mail."},
        {"stepik_user_id", "Another user is linked to this Stepik account."},
        {"boom_code",
            "This Boomstream code belongs to another user: choose another, or leave it out to get one."},
    };
    return refused(refusal::conflict, slug::duplicate, sentences.at(field), field);
}

// Throws the refusal that explains why inserting `wish` met a row that is there.
void refuse_taken(db::transaction& tx, const new_user& wish, const std::string& hmac)
{
    if (find_user_by_email(tx, wish.email))
        throw duplicate("email");
    if (wish.stepik_user_id && find_user_by_stepik_id(tx, *wish.stepik_user_id))
        throw duplicate("stepik_user_id");
    if (wish.boom_code && !tx.exec(code_is_taken, db::bytes(hmac)).empty())
        throw duplicate("boom_code");
}

void tell_linked(db::transaction& tx, const act& by, const user& u)
{
    events::account_linked linked;
    linked.user_id = u.id;
    linked.stepik_user_id = u.stepik_user_id;
    outbox::add(tx, service_name, linked, cause_of(by));
}

} // namespace

created_user create_user(db::transaction& tx, const base::keyring& keys, const act& by, const new_user& wish)
{
    const auto id = base::new_uuid();
    for (int left = code_tries; left > 0; --left) {
        const auto code = wish.boom_code ? *wish.boom_code : base::secret(base::random_digits(9));
        const auto hmac = hmac_of(keys, code);
        // Insert first, explain afterwards: whoever else writes the same at this moment is waited for here.
        const auto inserted = tx.exec(insert_user, id, wish.email, wish.first_name, wish.last_name,
            wish.stepik_user_id, db::bytes(box_of(keys, id, code)), db::bytes(hmac), wish.locale, by.actor());
        if (inserted.empty()) {
            refuse_taken(tx, wish, hmac);
            continue; // only the generated code was taken
        }
        created_user out;
        out.user = read_user(inserted[0]);
        if (!wish.boom_code)
            out.generated_code = code;
        write_audit(tx, by, "user.create", target_of(id), nullptr, audit_view(out.user));
        tell_linked(tx, by, out.user);
        return out;
    }
    throw refused(
        refusal::conflict, slug::duplicate, "No free Boomstream code was found: try again.", "boom_code");
}

user change_user(db::transaction& tx, const act& by, const base::uuid& id, const user_changes& changes)
{
    const auto before = only(tx.exec(select_user_for_change, id));
    if (!before)
        throw refused(refusal::not_found, slug::user_not_found, "There is no such user.", "id");

    auto wish = *before;
    wish.email = changes.email.value_or(before->email);
    wish.first_name = changes.first_name.value_or(before->first_name);
    wish.last_name = changes.last_name.value_or(before->last_name);
    wish.stepik_user_id = changes.stepik_user_id.value_or(before->stepik_user_id);
    wish.locale = changes.locale.value_or(before->locale);
    if (audit_view(wish) == audit_view(*before))
        return *before;

    if (const auto other = find_user_by_email(tx, wish.email); other && other->id != id)
        throw duplicate("email");
    if (wish.stepik_user_id)
        if (const auto other = find_user_by_stepik_id(tx, *wish.stepik_user_id); other && other->id != id)
            throw duplicate("stepik_user_id");

    const auto after = read_user(tx.exec(
        update_user, id, wish.email, wish.first_name, wish.last_name, wish.stepik_user_id, wish.locale)[0]);
    write_audit(tx, by, "user.change", target_of(id), audit_view(*before), audit_view(after));
    if (after.stepik_user_id != before->stepik_user_id)
        tell_linked(tx, by, after);
    return after;
}

created_user rotate_code(db::transaction& tx, const base::keyring& keys, const act& by, const base::uuid& id)
{
    const auto before = only(tx.exec(select_user_for_change, id));
    if (!before)
        throw refused(refusal::not_found, slug::user_not_found, "There is no such user.", "id");
    for (int left = code_tries; left > 0; --left) {
        const base::secret code(base::random_digits(9));
        const auto hmac = hmac_of(keys, code);
        if (!tx.exec(code_is_taken, db::bytes(hmac)).empty())
            continue;
        created_user out;
        out.user = read_user(tx.exec(update_code, id, db::bytes(box_of(keys, id, code)), db::bytes(hmac))[0]);
        out.generated_code = code;
        const auto ended = static_cast<int>(tx.exec(end_sessions_by_code, id).affected_rows());
        write_audit(tx, by, "user.rotate_code", target_of(id), {{"code_version", before->code_version}},
            {{"code_version", out.user.code_version}, {"sessions_ended", ended}});
        events::boom_code_rotated rotated;
        rotated.user_id = id;
        outbox::add(tx, service_name, rotated, cause_of(by));
        return out;
    }
    throw refused(
        refusal::conflict, slug::duplicate, "No free Boomstream code was found: try again.", "boom_code");
}

std::optional<user> find_user(db::transaction& tx, const base::uuid& id)
{
    return only(tx.exec(select_user, id));
}

std::optional<user> find_user_by_email(db::transaction& tx, const std::string& email)
{
    return only(tx.exec(select_user_by_email, email));
}

std::optional<user> find_user_by_stepik_id(db::transaction& tx, std::int64_t stepik_user_id)
{
    return only(tx.exec(select_user_by_stepik_id, stepik_user_id));
}

user user_named(db::transaction& tx, const std::string& who, const std::string& field)
{
    std::optional<user> found;
    if (const auto id = base::parse_uuid(who); id.has_value())
        found = find_user(tx, *id);
    else if (who.find('@') != who.npos)
        found = find_user_by_email(tx, checked_email(who, field));
    else
        throw invalid(field, "A user is named by id or by e-mail.");
    if (!found)
        throw refused(refusal::not_found, slug::user_not_found, "There is no such user.", field);
    return *found;
}

std::optional<base::secret> boom_code_of(db::transaction& tx, const base::keyring& keys, const base::uuid& id)
{
    const auto rows = tx.exec(select_code, id);
    if (rows.empty())
        return std::nullopt;
    const auto row = base::to_string(id);
    auto code = keys.open({"accounts.users", "boom_code_box", row}, db::get_bytes(rows[0], "boom_code_box"));
    if (!code.has_value())
        throw std::runtime_error("the Boomstream code of user " + row + " does not open with SECRET_KEY");
    return std::move(*code);
}

std::vector<user> list_users(db::transaction& tx, const user_filter& filter)
{
    std::optional<std::string> pattern;
    if (filter.words) {
        pattern = "%";
        for (const char c : *filter.words) {
            if (c == '%' || c == '_' || c == '\\')
                *pattern += '\\';
            *pattern += c;
        }
        *pattern += "%";
    }
    std::vector<user> out;
    for (const auto& row :
        tx.exec(select_users, filter.email, filter.stepik_user_id, pattern, filter.after, filter.limit))
        out.push_back(read_user(row));
    return out;
}

std::optional<std::string> field_of_constraint(const std::string& constraint)
{
    if (constraint == "users_email_key")
        return "email";
    if (constraint == "users_stepik_user_id_key")
        return "stepik_user_id";
    if (constraint == "users_boom_code_key")
        return "boom_code";
    return std::nullopt;
}

} // namespace coursegate::web_gateway
