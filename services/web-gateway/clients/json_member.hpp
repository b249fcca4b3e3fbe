#pragma once

#include <nlohmann/json.hpp>

#include <string>

namespace coursegate::web_gateway {

// The member `name` where it is a text, else empty: what somebody else's answer lacks is found by its value.
inline std::string text_of(const nlohmann::json& j, const char* name)
{
    const auto at = j.find(name);
    return at != j.end() && at->is_string() ? at->get<std::string>() : std::string();
}

} // namespace coursegate::web_gateway
