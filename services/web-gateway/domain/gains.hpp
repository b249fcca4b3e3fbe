// Who would gain by a rule: what rules open for somebody, before anybody writes them down. Decides as
// boomstream-grant's domain/rules does, of which only "opens or not" is asked here.
#pragma once

#include "domain/course.hpp"

#include <cstdint>
#include <optional>
#include <set>
#include <vector>

namespace coursegate::web_gateway {

// What counts of somebody in one course.
struct course_standing
{
    bool linked = false;                         // to a Stepik account
    std::optional<base::time_point> joined_at{}; // empty: not enrolled
    std::set<std::int64_t> passed;
    std::set<std::int64_t> held;   // open, or on its way: stays
    std::set<std::int64_t> closed; // by a person: no rule opens it

    bool is_outside() const { return !joined_at && held.empty(); } // has nothing to do with the course
};

// The structure with the rule that governs each lesson: worked out once for everybody.
struct ruled_lesson
{
    std::int64_t id = 0;
    governing_rule rule;
};
std::vector<ruled_lesson> ruled(
    const std::vector<lesson>& structure, const std::vector<access_rule>& rules); // vanished ones left out

// The lessons that are open for him under these rules.
std::set<std::int64_t> opened(
    const std::vector<ruled_lesson>& lessons, const course_standing& who, base::time_point now);

// The rules with one changed: `rule` empty takes the scope's away.
std::vector<access_rule> with_rule(std::vector<access_rule> rules, const std::string& scope,
    std::int64_t scope_id, const std::optional<access_rule>& rule);

} // namespace coursegate::web_gateway
