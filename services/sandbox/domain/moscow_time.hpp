// Boomstream's clock: local time of Europe/Moscow, UTC+3 all year since 2014.
#pragma once

#include "coursegate/base/clock.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace coursegate::sandbox {

// "2025-12-31 19:00:10"; "0000-00-00 00:00:00" for no time at all.
std::string to_moscow(std::optional<base::time_point> t);

// "YYYY-MM-DD HH:MM:SS", or a date alone, which then means `time_of_day`. The outer nullopt: not such a text.
// The inner one: empty or all zeros, which says "no end".
std::optional<std::optional<base::time_point>> parse_moscow(
    std::string_view text, std::string_view time_of_day);

} // namespace coursegate::sandbox
