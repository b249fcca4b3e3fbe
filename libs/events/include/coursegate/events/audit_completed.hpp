// audit_completed: an audit_requested (or the daily audit) has compared a course's grants with Boomstream's
// buyers.
// Published by boomstream-grant; read by web-gateway's feed.
#pragma once

#include "coursegate/base/clock.hpp"
#include "coursegate/base/uuid.hpp"

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace coursegate::events {

struct audit_completed
{
    static constexpr std::string_view type = "audit_completed";
    static constexpr int version = 1;

    base::uuid request_id{};        // id of the request, given to whoever asked; the answer is found by it
    std::int64_t course_id = 0;     // Stepik's id of the course
    bool dry_run = false;           // true: nothing was repaired
    int missing = 0;                // grants confirmed here without a live buyer there
    int extra = 0;                  // buyers there without a grant here
    int wrong_end = 0;              // buyers whose end of access is earlier than the course says
    int repaired = 0;               // differences repaired, at most the budget
    base::time_point finished_at{}; // when the audit ended

    std::string subject() const; // "course/<id>"
};

void to_json(nlohmann::json& j, const audit_completed& e);
// Throws std::invalid_argument naming the field that is missing or malformed.
void from_json(const nlohmann::json& j, audit_completed& e);

} // namespace coursegate::events
