#include "storage/roles.hpp"

#include "domain/refused.hpp"
#include "storage/audit_log.hpp"
#include "storage/users.hpp"

#include "coursegate/db/transaction.hpp"

#include <nlohmann/json.hpp>

namespace coursegate::web_gateway {
namespace {

constexpr db::statement insert_role{"accounts.give_role",
    "INSERT INTO accounts.user_roles (user_id, role, course_id) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING"};

constexpr db::statement delete_role{"accounts.take_role",
    "DELETE FROM accounts.user_roles WHERE user_id = $1 AND role = $2"
    " AND coalesce(course_id, 0) = coalesce($3::bigint, 0)"};

constexpr db::statement select_roles{"accounts.roles_of",
    "SELECT role, course_id FROM accounts.user_roles WHERE user_id = $1 ORDER BY role, course_id"};

constexpr db::statement select_admins{"accounts.lock_admins",
    "SELECT user_id FROM accounts.user_roles WHERE role = 'admin' ORDER BY user_id FOR UPDATE"};

void must_be_there(db::transaction& tx, const base::uuid& user_id)
{
    if (!find_user(tx, user_id))
        throw refused(refusal::not_found, slug::user_not_found, "There is no such user.", "id");
}

nlohmann::json audit_view(const given_role& r)
{
    nlohmann::json out{{"role", r.role}};
    if (r.course_id)
        out["course_id"] = *r.course_id;
    return out;
}

} // namespace

std::vector<given_role> give_role(
    db::transaction& tx, const act& by, const base::uuid& user_id, const given_role& role)
{
    must_be_there(tx, user_id);
    if (tx.exec(insert_role, user_id, role.role, role.course_id).affected_rows() > 0)
        write_audit(tx, by, "role.give", "user/" + base::to_string(user_id), nullptr, audit_view(role));
    return roles_of(tx, user_id);
}

std::vector<given_role> take_role(
    db::transaction& tx, const act& by, const base::uuid& user_id, const given_role& role)
{
    must_be_there(tx, user_id);
    if (tx.exec(delete_role, user_id, role.role, role.course_id).affected_rows() > 0)
        write_audit(tx, by, "role.take", "user/" + base::to_string(user_id), audit_view(role), nullptr);
    return roles_of(tx, user_id);
}

bool is_only_admin(db::transaction& tx, const base::uuid& user_id)
{
    const auto rows = tx.exec(select_admins);
    return rows.size() == 1 && db::get<base::uuid>(rows[0], "user_id") == user_id;
}

std::vector<given_role> roles_of(db::transaction& tx, const base::uuid& user_id)
{
    std::vector<given_role> out;
    for (const auto& r : tx.exec(select_roles, user_id)) {
        given_role one;
        one.role = db::get<std::string>(r, "role");
        one.course_id = db::get_optional<std::int64_t>(r, "course_id");
        out.push_back(std::move(one));
    }
    return out;
}

} // namespace coursegate::web_gateway
