// The feed's way in: every event that anybody publishes is appended to the event log, unknown types too.
#pragma once

#include "storage/feed.hpp"

#include "coursegate/async/signal.hpp"
#include "coursegate/db/pool.hpp"
#include "coursegate/events/subscriptions.hpp"

#include <deque>
#include <exception>
#include <memory>
#include <vector>

namespace coursegate::web_gateway {

// Takes one message at a time and writes many at once: what arrives while a transaction is under way goes
// into the next one, together. This handler sees every event of the system; a commit for each would be its
// limit.
//
// Crash before COMMIT: the messages were not acked and come again. After it: they come again too, and
// event_id absorbs them. No inbox row is needed, the log itself is one.
class on_event
{
public:
    explicit on_event(db::pool& db) : db_(db) {}

    // For events::subscriptions::on_any. dead_letter: the event can't be stored (a NUL in a text). Throws
    // base::dependency_down while the database is away. Executor only; must outlive the consumer.
    async::task<events::verdict> handle(events::message_context& context);

    static constexpr std::size_t most_at_once = 200;

private:
    struct waiting;
    struct place;

    async::task<void> append(feed_record record);
    async::task<void> write_batch(std::vector<std::shared_ptr<waiting>> batch);
    std::vector<std::shared_ptr<waiting>> take_batch();

    db::pool& db_;
    std::deque<std::shared_ptr<waiting>> pending_;
    bool writing_ = false;
};

feed_record record_of(const events::envelope& e);

} // namespace coursegate::web_gateway
