// Events that no queue wanted. Most are of types that nobody listens to yet; one that a queue is declared for
// means that its binding was not there, and that a daemon never heard of it.
#pragma once

#include "coursegate/amqp/inspect.hpp"
#include "coursegate/amqp/topology.hpp"

#include <map>
#include <string>
#include <vector>

namespace coursegate::ctl {

// Routing keys of those messages that a queue of `t` binds to, with how often each is there.
std::map<std::string, int> missed_by_listeners(
    const std::vector<amqp::parked_message>& unheard, const amqp::topology& t);

} // namespace coursegate::ctl
