// A person who may watch videos.
#pragma once

#include "coursegate/base/clock.hpp"
#include "coursegate/base/secret.hpp"
#include "coursegate/base/uuid.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace coursegate::web_gateway {

struct user
{
    base::uuid id{};
    std::string email;
    std::string first_name;
    std::string last_name;
    std::optional<std::int64_t> stepik_user_id{};
    std::optional<std::int64_t> telegram_id{};
    std::string role;
    std::string locale;
    bool has_code = false;
    int code_version = 1;
    base::time_point created_at{};
};

struct new_user
{
    std::string email;
    std::string first_name;
    std::string last_name;
    std::optional<std::int64_t> stepik_user_id{};
    std::optional<base::secret> boom_code{}; // left out: one is generated
    std::string locale = "ru";
};

// What to change; left out: as it is.
struct user_changes
{
    std::optional<std::string> email{};
    std::optional<std::string> first_name{};
    std::optional<std::string> last_name{};
    std::optional<std::optional<std::int64_t>> stepik_user_id{}; // given and empty: unlink
    std::optional<std::string> locale{};

    bool empty() const { return !email && !first_name && !last_name && !stepik_user_id && !locale; }
};

} // namespace coursegate::web_gateway
