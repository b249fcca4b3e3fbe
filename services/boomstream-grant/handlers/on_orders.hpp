// Orders of people: grant, revoke, audit. Each is written down as a row under its request id, once; the
// workers obey it and web-gateway shows its answer (access.v_requests, access.v_audits).
//
// Crash before the commit: the message comes again. After it: the row is there, and the second delivery
// changes nothing (inbox row and request id).
#pragma once

#include "coursegate/db/pool.hpp"
#include "coursegate/events/subscriptions.hpp"

namespace coursegate::boomstream_grant {

void subscribe_orders(events::subscriptions& subs, db::pool& db);

} // namespace coursegate::boomstream_grant
