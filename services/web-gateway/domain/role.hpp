// What somebody may do on the site and through the API, beyond being a student, which everybody is.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace coursegate::web_gateway {

namespace role {
inline constexpr std::string_view student = "student"; // never given, never taken away
inline constexpr std::string_view author = "author";   // of given courses
inline constexpr std::string_view support = "support"; // may see and explain, not change
inline constexpr std::string_view ops = "ops";
inline constexpr std::string_view admin = "admin";

// Those that are given.
inline constexpr std::array given{author, support, ops, admin};
} // namespace role

struct given_role
{
    std::string role;
    std::optional<std::int64_t> course_id{}; // with "author", and only there

    auto operator<=>(const given_role&) const = default;
};

// Throws `refused` (invalid_value, missing_field) naming role or course_id.
given_role checked_role(std::string_view role, std::optional<std::int64_t> course_id);

} // namespace coursegate::web_gateway
