#include "domain/role.hpp"

#include "domain/input.hpp"
#include "domain/refused.hpp"

#include <algorithm>

namespace coursegate::web_gateway {

given_role checked_role(std::string_view role, std::optional<std::int64_t> course_id)
{
    if (role == role::student)
        throw invalid("role", "Everybody is a student: this role is neither given nor taken away.");
    if (std::find(role::given.begin(), role::given.end(), role) == role::given.end())
        throw invalid("role", "The role is one of author, support, ops, admin.");
    if (role == role::author && !course_id)
        throw refused(
            refusal::invalid, slug::missing_field, "An author is one of a given course.", "course_id");
    if (role != role::author && course_id)
        throw invalid("course_id", "Only an author belongs to a course.");
    given_role out;
    out.role = std::string(role);
    if (course_id)
        out.course_id = checked_id(*course_id, "course_id");
    return out;
}

} // namespace coursegate::web_gateway
