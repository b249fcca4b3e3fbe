// Exchanges and queues as a value. Declared by `coursegate-ctl migrate` (which then waits 3 s, because a
// quorum queue needs seconds of peace after its first declaration); daemons declare the same again on each
// connect, which changes nothing.
//
// Names on the broker, with prefix p:  p.events (topic, alternate exchange p.unheard), p.unheard (fanout and
// its one quorum queue, max-length 10,000, drop-head), p.<queue>, p.<queue>.retry.<delay> (message TTL,
// dead-letters back to p.<queue>), p.<queue>.dead. All queues are quorum queues; at-least-once
// dead-lettering, reject-publish.
#pragma once

#include "coursegate/amqp/settings.hpp"

#include <chrono>
#include <string>
#include <vector>

namespace coursegate::amqp {

struct queue
{
    std::string name;                  // "boomstream-grant.events", without the prefix
    std::vector<std::string> bindings; // routing keys: "lesson_passed.v1"
    int prefetch = 100;                // messages in flight, and how many handlers run at once
    int max_attempts = 8;              // then the message is parked in <queue>.dead
    bool dead_letter_route = true;     // start-up refuses a queue without one
};

struct topology
{
    std::vector<queue> queues;
};

// The delays a retry can have; a verdict's delay is rounded up to the next one.
const std::vector<std::chrono::milliseconds>& retry_delays(); // 1 s, 5 s, 30 s, 2 min, 10 min

// Declares everything on a connection of its own and returns. Throws base::dependency_down when no broker can
// be reached, std::runtime_error when the broker refuses (a queue that exists with other arguments, no
// permission) or a queue has no dead-letter route.
void declare(const settings& s, const topology& t);

// Deletes every queue and exchange of this topology (tests, and `coursegate-ctl` on request).
void remove(const settings& s, const topology& t);

} // namespace coursegate::amqp
