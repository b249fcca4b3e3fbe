// student_enrolled: a student's row appeared in the course's grades for the first time.
// Published by stepik-sync; read by boomstream-grant, web-gateway's feed.
#pragma once

#include "coursegate/base/clock.hpp"

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace coursegate::events {

struct student_enrolled
{
    static constexpr std::string_view type = "student_enrolled";
    static constexpr int version = 1;

    std::int64_t course_id = 0;                    // Stepik's id of the course
    std::int64_t stepik_user_id = 0;               // Stepik's id of the student
    std::optional<base::time_point> date_joined{}; // when the student joined the course, as Stepik says
    base::time_point seen_at{};                    // when the row was first read

    std::string subject() const; // "course/<id>/student/<stepik id>"
};

void to_json(nlohmann::json& j, const student_enrolled& e);
// Throws std::invalid_argument naming the field that is missing or malformed.
void from_json(const nlohmann::json& j, student_enrolled& e);

} // namespace coursegate::events
