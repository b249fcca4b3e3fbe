// Server-sent events (the text/event-stream of the HTML standard): writing one, and reading them back bit by
// bit.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

namespace coursegate::http {

struct sse_event
{
    std::string id;    // empty: none of its own (the reader keeps the last one)
    std::string event; // the type; empty means "message"
    std::string data;  // may have line breaks
};

// Ready for stream_writer::write(). Line breaks in `id` and `event` (where the format has no room for them)
// become spaces; those in `data` survive, as \n.
std::string format_sse(const sse_event& e);

// A line readers ignore: keeps proxies from closing a quiet stream and finds out whether the reader is still
// there.
std::string sse_comment(std::string_view text = {});

// Takes the stream in pieces of any size and gives whole events.
class sse_parser
{
public:
    // An event (or line) longer than `most_bytes` is dropped: a stream that never ends a line must not eat
    // the memory.
    explicit sse_parser(std::size_t most_bytes = 1024 * 1024) : most_(most_bytes) {}

    // Calls `on_event` for each event completed by `bytes`; false from it stops, and the rest of `bytes` is
    // dropped. Returns false when it was stopped. The event's id is the last one seen, as the standard has
    // it.
    bool feed(std::string_view bytes, const std::function<bool(const sse_event&)>& on_event);

    const std::string& last_id() const { return last_id_; } // for Last-Event-ID when connecting again
    std::size_t dropped() const { return dropped_; }

private:
    bool take_line(std::string_view line, const std::function<bool(const sse_event&)>& on_event);

    std::size_t most_;
    std::string line_;
    bool line_too_long_ = false;
    bool after_cr_ = false;
    bool at_start_ = true;
    bool has_data_ = false;
    bool too_long_ = false;
    sse_event current_;
    std::string last_id_;
    std::size_t dropped_ = 0;
};

} // namespace coursegate::http
