// accounts.feed, the event log: every domain event once, read in the order (xid, seq), and only up to the
// oldest transaction that is still running, so that one that commits late is never stepped over.
#pragma once

#include "domain/feed_position.hpp"
#include "domain/trail.hpp"

#include "coursegate/base/clock.hpp"
#include "coursegate/base/uuid.hpp"
#include "coursegate/db/pool.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace coursegate::web_gateway {

// NOTIFY channel; one wake-up per transaction that appended.
inline constexpr std::string_view feed_channel = "feed";

struct feed_record
{
    base::uuid event_id{};
    std::string event; // the envelope's JSON text
    std::string type;
    std::optional<std::int64_t> course_id{};
    std::optional<std::int64_t> lesson_id{};
    std::optional<std::int64_t> stepik_user_id{};
    std::optional<base::uuid> user_id{};
};

// An event that is there already stays as it is: redelivery changes nothing, so no inbox row is needed.
void append_to_feed(db::transaction& tx, const std::vector<feed_record>& records);

struct feed_row
{
    feed_position position;
    std::string event;
    std::string type;
    std::optional<std::int64_t> course_id{};
    std::optional<std::int64_t> stepik_user_id{};
    std::optional<base::uuid> user_id{};
};

struct feed_page
{
    std::vector<feed_row> rows;
    bool more_unsettled = false; // rows are there that wait for an older transaction to end
};

// Rows after `from`, oldest first. `up_to` (inclusive) ends the page earlier.
feed_page read_feed(db::transaction& tx, const feed_position& from, int limit,
    const std::optional<feed_position>& up_to = std::nullopt);

// Where to start for what is still to come.
feed_place feed_end(db::transaction& tx);

// Where to start for what was recorded at `since` or later; feed_end when there is nothing yet.
feed_place feed_since(db::transaction& tx, base::time_point since);

// The last events about a student in a course: of this lesson, or of no lesson in particular. Newest first.
std::vector<trail_event> events_about(db::transaction& tx, std::int64_t course_id, std::int64_t lesson_id,
    const std::optional<std::int64_t>& stepik_user_id, const std::optional<base::uuid>& user_id, int limit);

// Forgets up to `most` rows older than 30 days; returns how many.
int purge_feed(db::transaction& tx, int most);

} // namespace coursegate::web_gateway
