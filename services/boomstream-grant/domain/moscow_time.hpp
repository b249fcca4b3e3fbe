// Boomstream writes and reads all dates in Europe/Moscow, which has been UTC+3 without summer time since
// 2014-10-26: a fixed offset, so no time zone database is needed (none of the dates we exchange is older).
#pragma once

#include "coursegate/base/clock.hpp"
#include "coursegate/base/result.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace coursegate::boomstream_grant {

// "2100-12-12 23:59:59", whole seconds (a fraction is cut off).
std::string to_moscow(base::time_point t);

// "YYYY-MM-DD HH:MM:SS", or "YYYY-MM-DD", which Boomstream reads as 23:59:59 of that day. Empty and
// "0000-00-00 00:00:00" mean that there is no end: nullopt. base::errc::malformed otherwise.
base::result<std::optional<base::time_point>> parse_moscow(std::string_view text);

// What "never ends" is sent as: 2100-12-12 23:59:59 in Moscow.
base::time_point never_ends();

} // namespace coursegate::boomstream_grant
