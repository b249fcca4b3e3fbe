// course_structure_synced: the course's modules, lessons and steps were read from Stepik and differ from
// what was known (or were read for the first time).
// Published by stepik-sync; read by boomstream-grant, web-gateway's feed.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace coursegate::events {

struct course_structure_synced
{
    static constexpr std::string_view type = "course_structure_synced";
    static constexpr int version = 1;

    std::int64_t course_id = 0; // Stepik's id of the course
    int modules = 0;            // modules (Stepik's sections) in the course
    int lessons = 0;            // lessons in the course
    int steps = 0;              // steps in the course, gradable or not
    // Lessons without any gradable step: nobody can pass them.
    std::vector<std::int64_t> lessons_without_tasks{};
    std::vector<std::int64_t> added{}; // lessons that were not there at the last reading
    std::vector<std::int64_t> moved{}; // lessons that stand in another module or at another position
    // Lessons that are gone from the course; progress and grants are kept.
    std::vector<std::int64_t> vanished{};

    std::string subject() const; // "course/<id>"
};

void to_json(nlohmann::json& j, const course_structure_synced& e);
// Throws std::invalid_argument naming the field that is missing or malformed.
void from_json(const nlohmann::json& j, course_structure_synced& e);

} // namespace coursegate::events
