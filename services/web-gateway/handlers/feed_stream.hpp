// Follows the event log for one client: first what the table has behind the place where he stopped, then what
// the shared reader hands out. Ids are places in the log, and a stream opens with one, so a client that is
// cut, or whose gateway is killed at any moment, resumes without a gap; he may see an event again only if the
// connection broke before he noted the id.
#pragma once

#include "handlers/feed_reader.hpp"
#include "handlers/gateway.hpp"

#include "coursegate/http/server.hpp"
#include "coursegate/log/log.hpp"

#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace coursegate::web_gateway {

struct placed_item
{
    feed_item_ptr item;
    feed_place place; // behind it: the id of whatever shows it
};

// How one kind of stream shows what happens.
class feed_words
{
public:
    virtual ~feed_words() = default;
    // The events to send, oldest first as they come in; empty: these show nothing. Nothing at all: the client
    // has no business here any more, and the stream ends.
    virtual async::task<std::optional<std::string>> tell(const std::vector<placed_item>& items) = 0;
};

// The place that the client says it has come to (Last-Event-ID), or nothing. Throws `refused` naming it.
std::optional<feed_place> last_seen_place(const http::request& request);

// An answer whose stream is written by somebody else: headers only.
http::response stream_answer();

// Until the client goes, is too slow, or the server stops. `together`: what comes within it is told at once.
async::task<void> follow_feed(gateway& g, http::stream_writer& out, feed_filter filter, feed_place from,
    feed_words& words, std::chrono::milliseconds together, log::logger log);

} // namespace coursegate::web_gateway
