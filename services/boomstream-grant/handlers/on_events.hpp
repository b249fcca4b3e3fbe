// What each event means here: somebody has to be looked at again. Handlers carry no truth from the message;
// they name students in access.dirty and ack. The workers read what is so from the views.
//
// Crash before the commit: the message comes again. After it: the students are named, and the message may
// come again, which names them again. Naming twice is naming once, so there is no inbox row: it would only
// record that.
#pragma once

#include "coursegate/db/pool.hpp"
#include "coursegate/events/subscriptions.hpp"
#include "handlers/together.hpp"
#include "storage/marks.hpp"

#include <memory>

namespace coursegate::boomstream_grant {

// Registers every handler of this daemon, those of orders included. `subs` must not outlive `db`.
void subscribe(events::subscriptions& subs, async::executor ex, db::pool& db);

} // namespace coursegate::boomstream_grant
