// add(tx, event): the only way to publish a domain event. The row commits with the facts it tells, or not at
// all. first_time(tx, …): the inbox, the receiving half.
#pragma once

#include "coursegate/db/transaction.hpp"
#include "coursegate/events/event.hpp"

#include <string_view>

namespace coursegate::outbox {

// Writes the envelope into the daemon's own outbox (the first schema of its search_path) and hands it to the
// relay of this process after COMMIT. Crash before COMMIT: nothing happened. After: the row is there and some
// relay sends it.
void add_envelope(db::transaction& tx, const events::envelope& e);

template <events::event E>
base::uuid add(db::transaction& tx, std::string_view service, const E& e, const events::cause& because = {})
{
    const auto envelope = events::wrap(service, e, because);
    add_envelope(tx, envelope);
    return envelope.id;
}

// Many at once, one statement: a sweep page adds dozens.
void add_envelopes(db::transaction& tx, const std::vector<events::envelope>& all);

// True exactly once per (handler, message_id): one INSERT … ON CONFLICT DO NOTHING in the handler's own
// transaction. Rows are kept 30 days (purged by the relay), longer than any message can be parked unseen;
// effects have their own natural keys besides.
bool first_time(db::transaction& tx, std::string_view handler, std::string_view message_id);

// Removes up to 5,000 inbox rows older than 30 days; how many. The relay calls it.
std::size_t purge_inbox(db::transaction& tx);

} // namespace coursegate::outbox
