// Messages that a daemon could not handle and put aside: what they are, why, and the way back into their
// queue. coursegate-ctl dead does the same from a terminal.
#pragma once

#include "coursegate/amqp/inspect.hpp"
#include "coursegate/async/task.hpp"
#include "coursegate/async/workers.hpp"

#include <cstddef>
#include <set>
#include <string>
#include <vector>

namespace coursegate::web_gateway {

struct parked_queue
{
    std::string queue; // "boomstream-grant.passes"
    std::size_t parked = 0;
};

struct parked_preview
{
    std::string message_id;
    std::string type;
    std::string reason;
    std::string handler;
    std::string error;     // what the handler said last
    std::string failed_at; // ISO 8601, as its headers have it
    std::string body;
};

// Looks into the broker on the threads of `threads`, each time on a connection of its own: this is a person's
// look, not a path that messages take. Every call throws base::dependency_down when no broker answers,
// async::busy when too many look at once.
class parked_messages
{
public:
    parked_messages(amqp::settings s, async::workers& threads);

    // Is there such a queue in our topology?
    static bool is_queue(const std::string& queue);

    async::task<std::vector<parked_queue>> list(); // those with something in them
    async::task<std::vector<parked_preview>> preview(std::string queue, std::size_t most);

    // Copies of those named (all where none is) go back into their queue, attempts counted from 0; each copy
    // is confirmed before its original is taken away. A crash in between leaves both: the reader's inbox
    // absorbs the second. Returns how many were moved; at most `most`.
    async::task<std::size_t> redrive(std::string queue, std::set<std::string> message_ids, std::size_t most);

private:
    amqp::settings broker_;
    async::workers& threads_;
};

} // namespace coursegate::web_gateway
