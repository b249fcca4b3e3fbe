// boom_code_rotated: a user got a new Boomstream code (the code itself never travels).
// Published by web-gateway; read by boomstream-grant, web-gateway's feed.
#pragma once

#include "coursegate/base/uuid.hpp"

#include <nlohmann/json_fwd.hpp>

#include <string>
#include <string_view>

namespace coursegate::events {

struct boom_code_rotated
{
    static constexpr std::string_view type = "boom_code_rotated";
    static constexpr int version = 1;

    base::uuid user_id{}; // the account at Coursegate

    std::string subject() const; // "user/<uuid>"
};

void to_json(nlohmann::json& j, const boom_code_rotated& e);
// Throws std::invalid_argument naming the field that is missing or malformed.
void from_json(const nlohmann::json& j, boom_code_rotated& e);

} // namespace coursegate::events
