// grant_revoked: a grant was closed by a person and Boomstream has confirmed it.
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

struct grant_revoked
{
    static constexpr std::string_view type = "grant_revoked";
    static constexpr int version = 1;

    base::uuid grant_id{};                        // the grant: one per (user, course, lesson, subscription)
    base::uuid user_id{};                         // the account at Coursegate
    std::optional<std::int64_t> stepik_user_id{}; // Stepik's id of the student, where it is known
    std::int64_t course_id = 0;                   // Stepik's id of the course
    std::int64_t lesson_id = 0;                   // Stepik's id of the lesson
    std::string subscription_code; // Boomstream's code of the subscription the video belongs to
    std::string actor;             // who asked: an account, a token or a tool, as the audit log names it
    std::string reason;            // why, in the words of whoever asked
    base::time_point revoked_at{}; // when the revocation was confirmed

    std::string subject() const; // "course/<id>/student/<stepik id>", or "user/<uuid>" without one
};

void to_json(nlohmann::json& j, const grant_revoked& e);
// Throws std::invalid_argument naming the field that is missing or malformed.
void from_json(const nlohmann::json& j, grant_revoked& e);

} // namespace coursegate::events
