// Who may see and do what in the admin area, beyond his own courses as a student.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace coursegate::web_gateway {

// Made of a person's roles (domain/role.hpp): authors see and steer their own courses, support sees
// everything and changes nothing, ops sees everything and repairs (redrive, audits, checks), an admin does
// all.
struct staff_rights
{
    bool sees_all = false;    // every course and everybody in it
    bool changes_all = false; // what an author decides, in every course; and people, who belong to no course
    bool repairs = false;     // asks daemons to do again what failed
    std::set<std::int64_t> own; // courses of an author

    bool is_staff() const { return sees_all || changes_all || repairs || !own.empty(); }
    bool sees(std::int64_t course_id) const { return sees_all || own.contains(course_id); }
    bool changes(std::int64_t course_id) const { return changes_all || own.contains(course_id); }
    bool repairs_in(std::int64_t course_id) const { return repairs || own.contains(course_id); }
    // The courses he sees; nothing: all.
    std::optional<std::vector<std::int64_t>> seen_courses() const;
};

staff_rights rights_of(const std::set<std::string>& roles, const std::set<std::int64_t>& authors_of);

} // namespace coursegate::web_gateway
