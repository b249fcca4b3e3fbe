// accounts.user_roles. Every change here leaves its audit row, in the caller's transaction. A role counts
// from the next request on: nothing keeps it in memory.
#pragma once

#include "domain/principal.hpp"
#include "domain/role.hpp"

#include "coursegate/base/uuid.hpp"
#include "coursegate/db/pool.hpp"

#include <vector>

namespace coursegate::web_gateway {

// Both return what the user has afterwards, in order. What was so already leaves no audit row. Both throw
// `refused`: user_not_found (id). The course of an author need not be connected yet: he connects it.
std::vector<given_role> give_role(
    db::transaction& tx, const act& by, const base::uuid& user_id, const given_role& role);
std::vector<given_role> take_role(
    db::transaction& tx, const act& by, const base::uuid& user_id, const given_role& role);

std::vector<given_role> roles_of(db::transaction& tx, const base::uuid& user_id);

// Whether nobody but him is an admin. Locks the admins' rows: of two who leave at once, one is the last.
bool is_only_admin(db::transaction& tx, const base::uuid& user_id);

} // namespace coursegate::web_gateway
