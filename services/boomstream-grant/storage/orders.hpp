// What people order: grants and revokes by hand. An order is a row; the worker that looks at the student next
// obeys it.
#pragma once

#include "coursegate/db/pool.hpp"
#include "domain/reconcile.hpp"

namespace coursegate::boomstream_grant {

// Writes the order and names the student. The same request twice is one order.
void add_order(db::transaction& tx, const base::uuid& user_id, const order& o);

} // namespace coursegate::boomstream_grant
