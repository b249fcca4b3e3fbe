// accounts.play_links: what somebody asked to watch a moment ago. The database knows the SHA-256 of what
// stands in a link, and never the link.
#pragma once

#include "domain/principal.hpp"

#include "coursegate/base/uuid.hpp"
#include "coursegate/db/pool.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace coursegate::web_gateway {

struct play_link
{
    base::uuid link_id{};
    base::uuid session_id{};
    base::uuid user_id{};
    std::int64_t course_id = 0;
    std::int64_t lesson_id = 0;
    int part = 1;
};

// With its audit row. What this session asked for before in the same lesson and has not used is forgotten.
void add_play_link(db::transaction& tx, const act& by, const play_link& link, const std::string& id_hash);

// What this session asked to watch of the lesson and has neither used nor let grow old.
std::optional<play_link> waiting_play_link(
    db::transaction& tx, const base::uuid& session_id, std::int64_t course_id, std::int64_t lesson_id);

// The link is used up by this; nothing when it is used already, old, unknown or another session's. Of several
// at the same moment one gets it.
std::optional<play_link> use_play_link(
    db::transaction& tx, const base::uuid& session_id, const std::string& id_hash);

// Used or old ones too.
std::optional<play_link> find_play_link(
    db::transaction& tx, const base::uuid& session_id, const std::string& id_hash);

// That the link's video is being played, for the numbers of its course; stays when the link is forgotten.
void note_watched(db::transaction& tx, const play_link& link);

// Forgets up to `most` links that ended an hour ago; returns how many.
int purge_play_links(db::transaction& tx, int most);

} // namespace coursegate::web_gateway
