// access_rule_changed: an author set or removed the rule that opens a lesson, a module or the whole course.
// Published by web-gateway; read by boomstream-grant, web-gateway's feed.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace coursegate::events {

struct access_rule_changed
{
    static constexpr std::string_view type = "access_rule_changed";
    static constexpr int version = 1;

    std::int64_t course_id = 0; // Stepik's id of the course
    std::string scope;          // "course" | "module" | "lesson". What the rule is set on
    std::int64_t scope_id = 0;  // Stepik's id of that course, module (section) or lesson

    std::string subject() const; // "course/<id>"
};

void to_json(nlohmann::json& j, const access_rule_changed& e);
// Throws std::invalid_argument naming the field that is missing or malformed.
void from_json(const nlohmann::json& j, access_rule_changed& e);

} // namespace coursegate::events
