// structure_sync_due: it is time to read a course's structure again.
// Published by stepik-sync; read by stepik-sync.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace coursegate::events {

struct structure_sync_due
{
    static constexpr std::string_view type = "structure_sync_due";
    static constexpr int version = 1;

    std::int64_t course_id = 0; // Stepik's id of the course
    // The leader's term when it scheduled this, for whoever reads the log; an older one is handled all the
    // same.
    std::int64_t term = 0;

    std::string subject() const; // "course/<id>"
};

void to_json(nlohmann::json& j, const structure_sync_due& e);
// Throws std::invalid_argument naming the field that is missing or malformed.
void from_json(const nlohmann::json& j, structure_sync_due& e);

} // namespace coursegate::events
