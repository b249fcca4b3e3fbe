// sync_completed: a sync_requested was answered, whatever came of it.
// Published by stepik-sync; read by web-gateway's feed.
#pragma once

#include "coursegate/base/clock.hpp"
#include "coursegate/base/uuid.hpp"

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace coursegate::events {

struct sync_completed
{
    static constexpr std::string_view type = "sync_completed";
    static constexpr int version = 1;

    base::uuid request_id{};         // id of the request, given to whoever asked; the answer is found by it
    std::int64_t course_id = 0;      // Stepik's id of the course
    std::int64_t stepik_user_id = 0; // Stepik's id of the student
    // "checked" | "cooldown" | "not_enrolled" | "failed". checked: the row was read; cooldown: it was read
    // moments ago; not_enrolled: there is no row; failed: see detail.
    std::string outcome;
    std::vector<std::int64_t> newly_passed{}; // lessons that this reading found passed
    std::optional<std::string> detail{};      // a sentence for people, where there is something to say
    base::time_point checked_at{};            // when the answer was found

    std::string subject() const; // "course/<id>/student/<stepik id>"
};

void to_json(nlohmann::json& j, const sync_completed& e);
// Throws std::invalid_argument naming the field that is missing or malformed.
void from_json(const nlohmann::json& j, sync_completed& e);

} // namespace coursegate::events
