// UUIDv7 (RFC 9562): time-ordered ids for events, grants and requests.
#pragma once

#include "coursegate/base/result.hpp"

#include <array>
#include <compare>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace coursegate::base {

struct uuid
{
    std::array<std::uint8_t, 16> bytes{};

    auto operator<=>(const uuid&) const = default;
    bool is_nil() const { return *this == uuid{}; }
};

// A new UUIDv7: 48 bits of milliseconds, then 74 random bits. Unique across processes; ordered by the
// millisecond only. Thread safe.
uuid new_uuid();

std::string to_string(const uuid& id);          // lower case, with hyphens
result<uuid> parse_uuid(std::string_view text); // any version; errc::malformed

} // namespace coursegate::base

template <>
struct std::hash<coursegate::base::uuid>
{
    std::size_t operator()(const coursegate::base::uuid& id) const noexcept;
};
