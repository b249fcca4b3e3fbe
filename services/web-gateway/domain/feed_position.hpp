// A place in the event log: the id of a server-sent event and what Last-Event-ID brings back.
#pragma once

#include "coursegate/base/result.hpp"

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

namespace coursegate::web_gateway {

// Ordered as the log is read: by transaction, then within it.
struct feed_position
{
    std::uint64_t xid = 0;
    std::int64_t seq = 0;

    auto operator<=>(const feed_position&) const = default;
};

std::string to_string(const feed_position& p);                     // "4711.22"
base::result<feed_position> parse_feed_position(std::string_view); // errc::malformed

} // namespace coursegate::web_gateway
