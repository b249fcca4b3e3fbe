// accounts.sign_in_attempts and accounts.sign_in_links: what is waited for once. The database knows hashes
// only; whatever is taken is gone, by whomever, in the caller's transaction.
#pragma once

#include "domain/principal.hpp"
#include "domain/way.hpp"

#include "coursegate/base/clock.hpp"
#include "coursegate/base/uuid.hpp"
#include "coursegate/db/pool.hpp"

#include <chrono>
#include <optional>
#include <string>

namespace coursegate::web_gateway {

inline constexpr std::chrono::minutes attempt_lasts{10};
inline constexpr std::chrono::minutes link_lasts{10};

struct sign_in_attempt
{
    std::string cookie_hash; // 32 raw bytes
    web_gateway::way way = web_gateway::way::google;
    std::optional<base::uuid> session_id{}; // of somebody who wants to link
    std::string next;
};
// False when the session has ended meanwhile: nothing is remembered.
bool remember_attempt(db::transaction& tx, const sign_in_attempt& a);

// Once; nothing when it is unknown, taken already, of another way, or too old.
std::optional<sign_in_attempt> take_attempt(db::transaction& tx, const std::string& cookie_hash, way w);

struct sign_in_link
{
    std::string token_hash; // 32 raw bytes
    base::uuid user_id{};
    std::string signed_in_by;                // "bot_link", "telegram"
    std::optional<std::string> proof_hash{}; // no second link is made for the same
};
// With its audit row. Returns when it expires; nothing when there is one for this proof already, or the
// user has left.
std::optional<base::time_point> remember_link(db::transaction& tx, const act& by, const sign_in_link& l);

// Looks, and takes nothing: mail programs and messengers open links by themselves.
bool is_link_good(db::transaction& tx, const std::string& token_hash);
std::optional<sign_in_link> take_link(db::transaction& tx, const std::string& token_hash);

// Forget up to `most` that no longer count; return how many.
int purge_sign_in_attempts(db::transaction& tx, int most);
int purge_sign_in_links(db::transaction& tx, int most);

} // namespace coursegate::web_gateway
