// grant_failed: Boomstream refused a grant.
// Published by boomstream-grant; read by web-gateway's feed.
#pragma once

#include "coursegate/base/clock.hpp"
#include "coursegate/base/uuid.hpp"

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace coursegate::events {

struct grant_failed
{
    static constexpr std::string_view type = "grant_failed";
    static constexpr int version = 1;

    base::uuid grant_id{};                        // the grant: one per (user, course, lesson, subscription)
    base::uuid user_id{};                         // the account at Coursegate
    std::optional<std::int64_t> stepik_user_id{}; // Stepik's id of the student, where it is known
    std::int64_t course_id = 0;                   // Stepik's id of the course
    std::int64_t lesson_id = 0;                   // Stepik's id of the lesson
    std::string subscription_code; // Boomstream's code of the subscription the video belongs to
    std::string reason; // what Boomstream said, or what was wrong with its answer; never the raw answer
    int attempts = 0;   // times it was asked so far
    // When it is asked again. Left out: it waits for a person.
    std::optional<base::time_point> next_try_at{};
    base::time_point failed_at{}; // when it failed

    std::string subject() const; // "course/<id>/student/<stepik id>", or "user/<uuid>" without one
};

void to_json(nlohmann::json& j, const grant_failed& e);
// Throws std::invalid_argument naming the field that is missing or malformed.
void from_json(const nlohmann::json& j, grant_failed& e);

} // namespace coursegate::events
