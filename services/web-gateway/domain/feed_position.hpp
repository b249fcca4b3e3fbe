// A place in the event log: the id of a server-sent event and what Last-Event-ID brings back.
#pragma once

#include "coursegate/base/result.hpp"

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace coursegate::web_gateway {

// Ordered as the log is read: by transaction, then within it.
struct feed_position
{
    std::uint64_t xid = 0;
    std::int64_t seq = 0;

    auto operator<=>(const feed_position&) const = default;
};

// How far a stream has come: everything up to `after` was seen. Where transactions were running when it
// began, a position alone can't tell what was there already (and is not news) from what they were still to
// append: that is remembered until the log is read beyond that moment.
struct feed_place
{
    feed_position after;
    std::uint64_t began_at = 0; // the first transaction id not given out then; 0: nothing to remember
    std::vector<std::uint64_t> running{}; // below it and not ended then; ascending

    bool was_there(const feed_position& p) const;
    void move_to(const feed_position& p); // never back
};

std::string to_string(const feed_place& p);                  // "4711.22"; "4711.0.4720.4711.4715"
base::result<feed_place> parse_feed_place(std::string_view); // errc::malformed

} // namespace coursegate::web_gateway
