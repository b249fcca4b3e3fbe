// lesson_media_changed: videos were attached to lessons, moved or taken away.
// Published by web-gateway; read by boomstream-grant, web-gateway's feed.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace coursegate::events {

struct lesson_media_changed
{
    static constexpr std::string_view type = "lesson_media_changed";
    static constexpr int version = 1;

    std::int64_t course_id = 0;             // Stepik's id of the course
    std::vector<std::int64_t> lesson_ids{}; // Stepik's ids of the lessons whose videos changed

    std::string subject() const; // "course/<id>"
};

void to_json(nlohmann::json& j, const lesson_media_changed& e);
// Throws std::invalid_argument naming the field that is missing or malformed.
void from_json(const nlohmann::json& j, lesson_media_changed& e);

} // namespace coursegate::events
