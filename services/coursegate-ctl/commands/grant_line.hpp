// How one grant that just opened is shown in a terminal: who, what, and the milliseconds of each leg of its
// way.
#pragma once

#include "coursegate/base/clock.hpp"

#include <nlohmann/json_fwd.hpp>

#include <map>
#include <optional>
#include <string>

namespace coursegate::ctl {

struct names
{
    std::map<std::string, std::string> students; // user id -> e-mail or name
    std::map<std::int64_t, std::string> lessons; // lesson id -> title
};

// `passed_at` is when the student passed on Stepik where that is known to the millisecond (the sandbox
// tells); without it the line says "at most" from the interval that Stepik lets us see.
std::string grant_line(
    const nlohmann::json& issued, const names& known, const std::optional<base::time_point>& passed_at);

} // namespace coursegate::ctl
