// The time zones a reader may choose from: those of the system's tzdata.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace coursegate::web_gateway {

// IANA names in order, read once; "UTC" among them, alone where the system has no tzdata.
const std::vector<std::string>& time_zones();
bool is_time_zone(std::string_view name);

} // namespace coursegate::web_gateway
