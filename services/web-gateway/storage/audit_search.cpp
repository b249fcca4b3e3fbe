#include "storage/audit_search.hpp"

#include "coursegate/db/transaction.hpp"

#include <map>

namespace coursegate::web_gateway {
namespace {

constexpr db::statement select_rows{"accounts.find_audit_rows",
    "SELECT id, at, who, on_behalf_of, what, target, course_id, before::text AS before, after::text AS after,"
    " why, request_id, CASE WHEN $1::bigint[] IS NULL OR who = $2 THEN address END AS address"
    " FROM accounts.audit_log a"
    " WHERE ($1::bigint[] IS NULL OR course_id = ANY ($1) OR who = $2)"
    "   AND ($3::text IS NULL OR who = $3 OR position(lower($3) IN lower(on_behalf_of)) > 0 OR who IN"
    "     (SELECT 'user/' || id FROM accounts.users WHERE position(lower($3) IN lower(email)) > 0"
    "       OR position(lower($3) IN lower(first_name || ' ' || last_name)) > 0))"
    "   AND ($4::text IS NULL OR what = $4 OR starts_with(what, $4 || '.'))"
    "   AND ($5::text IS NULL OR target = $5 OR starts_with(target, $5 || '/'))"
    "   AND ($6::bigint IS NULL OR course_id = $6)"
    "   AND ($7::timestamptz IS NULL OR at >= $7) AND ($8::timestamptz IS NULL OR at < $8)"
    "   AND ($9::bigint IS NULL OR id < $9)"
    " ORDER BY id DESC LIMIT $10"};

constexpr db::statement select_id{"accounts.id_of_email",
    "SELECT 'user/' || id AS target FROM accounts.users WHERE lower(email) = lower($1)"};

constexpr db::statement select_emails{
    "accounts.emails_of", "SELECT id::text AS id, email FROM accounts.users WHERE id = ANY ($1::uuid[])"};

// The id in "user/<id>" and "user/<id>/…"; nothing in what does not speak of a user.
std::optional<base::uuid> user_in(const std::string& text)
{
    constexpr std::string_view before = "user/";
    if (!text.starts_with(before))
        return std::nullopt;
    const auto id = text.substr(before.size(), text.find('/', before.size()) - before.size());
    const auto parsed = base::parse_uuid(id);
    return parsed.has_value() ? std::optional(*parsed) : std::nullopt;
}

void name_people(db::transaction& tx, std::vector<audit_row>& rows)
{
    std::vector<base::uuid> ids;
    for (const auto& r : rows)
        for (const auto* text : {&r.who, &r.target})
            if (const auto id = user_in(*text))
                ids.push_back(*id);
    if (ids.empty())
        return;
    std::map<std::string, std::string> emails;
    for (const auto& r : tx.exec(select_emails, ids))
        emails.emplace(db::get<std::string>(r, "id"), db::get<std::string>(r, "email"));
    const auto email_in = [&](const std::string& text) {
        const auto id = user_in(text);
        const auto found = id ? emails.find(base::to_string(*id)) : emails.end();
        return found == emails.end() ? std::string() : found->second;
    };
    for (auto& r : rows) {
        r.who_email = email_in(r.who);
        r.target_email = email_in(r.target);
    }
}

} // namespace

std::vector<audit_row> find_audit_rows(
    db::transaction& tx, const audit_filter& f, const std::optional<std::int64_t>& before, int limit)
{
    auto target = f.target;
    if (target && target->find('@') != std::string::npos) {
        const auto rows = tx.exec(select_id, *target);
        if (!rows.empty())
            target = db::get<std::string>(rows[0], "target");
    }
    std::vector<audit_row> out;
    for (const auto& r : tx.exec(select_rows, f.only, f.himself, f.person, f.what, target, f.course_id,
             f.from, f.to, before, limit))
    {
        audit_row row;
        row.id = db::get<std::int64_t>(r, "id");
        row.at = db::get<base::time_point>(r, "at");
        row.who = db::get<std::string>(r, "who");
        row.on_behalf_of = db::get_optional<std::string>(r, "on_behalf_of");
        row.what = db::get<std::string>(r, "what");
        row.target = db::get<std::string>(r, "target");
        row.course_id = db::get_optional<std::int64_t>(r, "course_id");
        row.before = db::get_optional<std::string>(r, "before");
        row.after = db::get_optional<std::string>(r, "after");
        row.why = db::get_optional<std::string>(r, "why");
        row.request_id = db::get<std::string>(r, "request_id");
        row.address = db::get_optional<std::string>(r, "address");
        out.push_back(std::move(row));
    }
    name_people(tx, out);
    return out;
}

} // namespace coursegate::web_gateway
