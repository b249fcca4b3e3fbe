// Days and hours as a reader lives them: in his time zone, with 23 or 25 hours where clocks are changed.
#pragma once

#include "pages/pages.hpp"

#include "coursegate/base/clock.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace coursegate::web_gateway {

// Where the last `count` days begin, today's being the last; then where tomorrow begins.
std::vector<base::time_point> last_days(base::time_point now, int count, const reader& who);
// Where the hours of today begin; then where tomorrow begins.
std::vector<base::time_point> hours_of_today(base::time_point now, const reader& who);

// "2026-11-26", as <input type=date> writes it.
std::string date_of(base::time_point t, const reader& who);
// "14"
std::string hour_of(base::time_point t, const reader& who);
// "2026-11-26 14:03:05"
std::string clock_of(base::time_point t, const reader& who);

struct span_of_time
{
    base::time_point from{};
    base::time_point to{}; // not included
};
// Nothing when this is no date.
std::optional<span_of_time> day_named(std::string_view date, const reader& who);

// "8 ms", "1.4 s", "12 min", "3 h": no longer than a cell of a table.
std::string how_long(base::duration d, const pages& words, const reader& who);

} // namespace coursegate::web_gateway
