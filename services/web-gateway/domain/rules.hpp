// Rules as authors write them.
#pragma once

#include "domain/course.hpp"

#include <vector>

namespace coursegate::web_gateway {

// Checks names, scope and days and fills in scope_id for the scope `course`. Throws `refused` naming scope,
// scope_id, rule or days. Whether the module or lesson exists is the caller's to look up.
access_rule checked_rule(std::int64_t course_id, const std::string& scope,
    std::optional<std::int64_t> scope_id, const std::string& rule, std::optional<std::int64_t> days);

// Throws `refused` naming scope or scope_id; returns the scope's id.
std::int64_t checked_scope(
    std::int64_t course_id, const std::string& scope, std::optional<std::int64_t> scope_id);

// An author may not change what the environment gives: it would come back at the next start. Throws `refused`
// (given_by_environment) naming the field; the same value again is no change.
void refuse_environment_fields(const course_settings& wish, const course_settings& given);

// Who gives the keys of the course that `wish` is about: "environment" for the one of the environment (after
// the check above), else "admin".
std::string source_of(const course_settings& wish, const std::optional<course_settings>& given);

// The rule as boomstream-grant applies it: a lesson that nobody can pass opens with the lesson before it
// unless an author said otherwise of that lesson, or with another rule than on_pass.
governing_rule rule_for(const lesson& l, const std::vector<access_rule>& rules);

} // namespace coursegate::web_gateway
