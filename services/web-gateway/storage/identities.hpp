// Who is whose: the accounts at Google, Telegram and Stepik that belong to our users, one of each per user
// and each to one user. Every change here is one change with its audit row (and `account_linked`, where it is
// Stepik's), in the caller's transaction.
#pragma once

#include "domain/principal.hpp"
#include "domain/way.hpp"

#include "coursegate/base/uuid.hpp"
#include "coursegate/db/pool.hpp"

#include <map>
#include <optional>
#include <set>
#include <string>

namespace coursegate::web_gateway {

// Nobody else links or signs in as `who` until the end of the transaction.
std::optional<base::uuid> owner_of(db::transaction& tx, const identity& who);

enum class linking
{
    linked,
    known,          // was his already
    somebody_elses, // belongs to another user: nothing changed
    has_another,    // he has another account of this way: nothing changed
};
linking link_identity(db::transaction& tx, const act& by, const base::uuid& user_id, const identity& who);

enum class unlinking
{
    unlinked,
    not_there,
    last_way_in, // nothing else would let him in: nothing changed
};
// `on` are the ways that are set up here: others let nobody in. Sessions that began by this way end, but for
// `keeps`.
unlinking unlink_identity(db::transaction& tx, const act& by, const base::uuid& user_id, way w,
    const std::set<way>& on, const base::uuid& keeps);

// What is linked, each with what to show of it.
std::map<way, std::string> identities_of(db::transaction& tx, const base::uuid& user_id);

std::optional<base::uuid> user_of_telegram(db::transaction& tx, std::int64_t telegram_id);

} // namespace coursegate::web_gateway
