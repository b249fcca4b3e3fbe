// accounts.sessions: who is signed in. The database knows the SHA-256 of a token and never the token, so
// neither a copy of it nor its log signs anybody in. Every start and end is one change with its audit row, in
// the caller's transaction.
#pragma once

#include "domain/principal.hpp"
#include "domain/sign_in.hpp"

#include "coursegate/base/clock.hpp"
#include "coursegate/base/uuid.hpp"
#include "coursegate/db/pool.hpp"

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace coursegate::web_gateway {

struct new_session
{
    base::uuid session_id{};
    std::string token_hash; // 32 raw bytes
    base::uuid user_id{};
    std::string signed_in_by; // "code"
    std::string user_agent;
    std::string address;
    // The session this browser had before, whoever's: it ends, so that a token never outlives a sign-in.
    std::optional<std::string> replaces{};
    std::chrono::hours lasts = session_lasts;
};
void start_session(db::transaction& tx, const act& by, const new_session& s);

// Whoever a token belongs to, with all that a page wants to know of him.
struct live_session
{
    base::uuid session_id{};
    base::uuid user_id{};
    std::string signed_in_by;
    base::time_point last_seen_at{};
    base::time_point now{}; // the database's
    std::string email;
    std::string first_name;
    std::string last_name;
    std::string locale;
    std::string time_zone;
    std::set<std::string> roles;       // as given
    std::set<std::int64_t> authors_of; // courses
};
// One statement. Nothing for a token that is unknown, ended or expired.
std::optional<live_session> find_session(db::transaction& tx, const std::string& token_hash);
// The Mini App's session that asked for a video (storage/play_links), by the hash of what stands in the link.
std::optional<live_session> find_app_session_of_link(db::transaction& tx, const std::string& link_hash);

// Puts the expiry off. Of several at the same moment one writes.
void note_seen(db::transaction& tx, const base::uuid& session_id);

// One line of the list of one's own sessions.
struct listed_session
{
    base::uuid session_id{};
    std::string signed_in_by;
    base::time_point created_at{};
    base::time_point last_seen_at{};
    base::time_point expires_at{};
    std::string user_agent;
    std::string address;
};
std::vector<listed_session> sessions_of(
    db::transaction& tx, const base::uuid& user_id); // the last seen first

// False when the user has no such session: it is over already, or somebody else's.
bool end_session(db::transaction& tx, const act& by, const base::uuid& user_id, const base::uuid& session_id);
int end_all_sessions(db::transaction& tx, const act& by, const base::uuid& user_id);

// Forgets up to `most` sessions that have expired; returns how many.
int purge_sessions(db::transaction& tx, int most);

} // namespace coursegate::web_gateway
