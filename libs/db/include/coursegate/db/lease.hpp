// Leadership as a row lease with a fenced term and the database's clock (not an advisory lock: those stack,
// and outlive the belief in them).
//
// Table, one per slice:  leases(name text primary key, holder text, term bigint, held_until timestamptz)
// (libs/slices creates it in every slice.)
#pragma once

#include "coursegate/db/pool.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

namespace coursegate::db {

struct lease
{
    std::string name;
    std::string holder;
    std::int64_t term = 0; // grows by one with each change of holder
};

// Inside a transaction: takes or renews `name` for `holder` until now() + ttl; nullopt when somebody else
// holds it.
std::optional<lease> take_lease(
    transaction& tx, const std::string& name, const std::string& holder, std::chrono::milliseconds ttl);

// Fencing: true when `l` is still the current term. Locks the row until the transaction ends, so that a write
// in the same transaction can't be overtaken by a new leader.
bool still_leads(transaction& tx, const lease& l);

// Gives it back at once (clean stop).
void drop_lease(transaction& tx, const lease& l);

} // namespace coursegate::db
