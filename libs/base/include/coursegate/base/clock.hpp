// Time: UTC, microseconds (what PostgreSQL stores). Code that decides by time takes a `clock&`, so that tests
// move it by hand.
#pragma once

#include "coursegate/base/result.hpp"

#include <chrono>
#include <string>
#include <string_view>

namespace coursegate::base {

using time_point = std::chrono::time_point<std::chrono::system_clock, std::chrono::microseconds>;
using duration = std::chrono::microseconds;

class clock
{
public:
    virtual ~clock() = default;
    virtual time_point now() const = 0;
};

// The machine's clock. One instance for the process.
const clock& system_clock();
time_point now(); // system_clock().now()

// "2026-01-02T03:04:05.678901Z", fraction always 6 digits.
std::string to_iso8601(time_point t);

// Accepts 0 to 9 fraction digits and "Z" or "+hh:mm". errc::malformed otherwise.
result<time_point> parse_iso8601(std::string_view text);

} // namespace coursegate::base
