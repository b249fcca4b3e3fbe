// course_connected: an author connected a course or changed its keys, or the gateway started with a course
// in its environment.
// Published by web-gateway; read by stepik-sync, boomstream-grant, web-gateway's feed.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace coursegate::events {

struct course_connected
{
    static constexpr std::string_view type = "course_connected";
    static constexpr int version = 1;

    std::int64_t course_id = 0; // Stepik's id of the course
    std::string source;         // "environment" | "admin". Where its keys come from

    std::string subject() const; // "course/<id>"
};

void to_json(nlohmann::json& j, const course_connected& e);
// Throws std::invalid_argument naming the field that is missing or malformed.
void from_json(const nlohmann::json& j, course_connected& e);

} // namespace coursegate::events
