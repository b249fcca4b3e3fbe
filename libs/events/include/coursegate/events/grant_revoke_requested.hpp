// grant_revoke_requested: a person closes a lesson's videos to a user by hand.
// Published by web-gateway; read by boomstream-grant, web-gateway's feed.
#pragma once

#include "coursegate/base/uuid.hpp"

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace coursegate::events {

struct grant_revoke_requested
{
    static constexpr std::string_view type = "grant_revoke_requested";
    static constexpr int version = 1;

    base::uuid request_id{};    // id of the request, given to whoever asked; the answer is found by it
    base::uuid user_id{};       // the account at Coursegate
    std::int64_t course_id = 0; // Stepik's id of the course
    std::int64_t lesson_id = 0; // Stepik's id of the lesson
    std::string actor;          // who asked: an account, a token or a tool, as the audit log names it
    std::string reason;         // why, in the words of whoever asked

    std::string subject() const; // "user/<uuid>"
};

void to_json(nlohmann::json& j, const grant_revoke_requested& e);
// Throws std::invalid_argument naming the field that is missing or malformed.
void from_json(const nlohmann::json& j, grant_revoke_requested& e);

} // namespace coursegate::events
