// account_linked: a user was created, or an existing one got his Stepik id.
// Published by web-gateway; read by boomstream-grant, web-gateway's feed.
#pragma once

#include "coursegate/base/uuid.hpp"

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace coursegate::events {

struct account_linked
{
    static constexpr std::string_view type = "account_linked";
    static constexpr int version = 1;

    base::uuid user_id{};                         // the account at Coursegate
    std::optional<std::int64_t> stepik_user_id{}; // Stepik's id of the student, where it is known

    std::string subject() const; // "user/<uuid>"
};

void to_json(nlohmann::json& j, const account_linked& e);
// Throws std::invalid_argument naming the field that is missing or malformed.
void from_json(const nlohmann::json& j, account_linked& e);

} // namespace coursegate::events
