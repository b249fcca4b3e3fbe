// What is said about a parked message, and the names a queue goes by.
#pragma once

#include "coursegate/amqp/inspect.hpp"

#include <string>

namespace coursegate::ctl {

// Our own reason, or the broker's when the broker itself parked the message (delivery limit: no handler
// then).
std::string reason_of(const amqp::parked_message& m);

// "stepik-sync.requests" for any of: that, "stepik-sync.requests.dead", and either with the prefix in front.
// Throws usage_error naming the queues there are.
std::string queue_of(const std::string& word, const std::string& prefix);

} // namespace coursegate::ctl
