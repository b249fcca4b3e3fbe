// lesson_passed: every gradable step of a lesson is passed; exactly once per student and lesson.
// Published by stepik-sync; read by boomstream-grant, web-gateway's feed.
#pragma once

#include "coursegate/base/clock.hpp"

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace coursegate::events {

struct lesson_passed
{
    static constexpr std::string_view type = "lesson_passed";
    static constexpr int version = 1;

    std::int64_t course_id = 0;      // Stepik's id of the course
    std::int64_t stepik_user_id = 0; // Stepik's id of the student
    std::int64_t lesson_id = 0;      // Stepik's id of the lesson
    // The pass happened after this: the last reading without it. Left out when there was none.
    std::optional<base::time_point> passed_after{};
    // The pass happened at this time or before: the first reading with it, or the row's last activity if
    // that was earlier.
    base::time_point passed_before{};
    base::time_point seen_at{}; // when the grades row that shows the pass was read
    bool backfill = false;      // true when the course's first sweep found it: an old pass, not one of today

    std::string subject() const; // "course/<id>/student/<stepik id>"
};

void to_json(nlohmann::json& j, const lesson_passed& e);
// Throws std::invalid_argument naming the field that is missing or malformed.
void from_json(const nlohmann::json& j, lesson_passed& e);

} // namespace coursegate::events
