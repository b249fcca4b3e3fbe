#include "domain/staff.hpp"

#include "domain/role.hpp"

namespace coursegate::web_gateway {

std::optional<std::vector<std::int64_t>> staff_rights::seen_courses() const
{
    if (sees_all)
        return std::nullopt;
    return std::vector<std::int64_t>(own.begin(), own.end());
}

staff_rights rights_of(const std::set<std::string>& roles, const std::set<std::int64_t>& authors_of)
{
    const auto has = [&](std::string_view role) { return roles.contains(std::string(role)); };
    staff_rights out;
    out.changes_all = has(role::admin);
    out.repairs = has(role::admin) || has(role::ops);
    out.sees_all = out.repairs || has(role::support);
    if (has(role::author))
        out.own = authors_of;
    return out;
}

} // namespace coursegate::web_gateway
