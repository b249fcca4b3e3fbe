// The hourly tick that forgets what is past its time: events and requests after 30 days, idempotency keys
// after 24 h, sessions when they have expired, failed sign-ins after the hour in which they count, links
// to videos an hour after they have ended.
#pragma once

#include "coursegate/async/task.hpp"
#include "coursegate/db/pool.hpp"

namespace coursegate::web_gateway {

// In slices, each its own transaction, so that nobody waits for it. Any number of gateways may do it at once.
async::task<void> purge(db::pool& db);

} // namespace coursegate::web_gateway
