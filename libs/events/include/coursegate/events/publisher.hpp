// The way out to the broker, as libs/outbox sees it. libs/amqp implements it.
#pragma once

#include "coursegate/async/task.hpp"

#include <string>
#include <vector>

namespace coursegate::events {

struct outgoing
{
    std::string message_id;
    std::string type;
    std::string routing_key; // "lesson_passed.v1"
    std::string correlation_id;
    std::string traceparent;
    std::string body;
};

enum class delivery
{
    confirmed, // accepted by every queue that wants it (an event nobody wants yet counts: it went to
               // `unheard`)
    refused,   // the broker said no (nack, or no queue at all): publish again later under the same id
    unknown,   // no confirm before the deadline or the connection broke: publish again under the same id
};

class publisher
{
public:
    virtual ~publisher() = default;

    // Publishes all, confirms in flight together; one outcome per message in the same order. Never throws for
    // a lost broker: outcomes are `unknown` then. A crash anywhere here leaves outbox rows whose claim runs
    // out; they are published again under the same message_id and the consumer's inbox absorbs the copy.
    virtual async::task<std::vector<delivery>> publish(std::vector<outgoing> messages) = 0;
};

} // namespace coursegate::events
