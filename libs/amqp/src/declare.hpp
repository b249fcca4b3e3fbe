// Declaring on a connection that is there already; see topology.hpp for what is declared.
#pragma once

#include "connection.hpp"

#include "coursegate/amqp/topology.hpp"

namespace coursegate::amqp {

// Throws std::runtime_error naming the queue that has no dead-letter route, is there twice or has impossible
// limits.
void check_topology(const topology& t);

// Both throw connection_lost, refused_by_broker (a queue that exists with other arguments, no permission).
void declare_all(connection& c, const settings& s, const topology& t);
void declare_queue(
    connection& c, const settings& s, const queue& q); // with its retry and dead queues, and bindings

} // namespace coursegate::amqp
