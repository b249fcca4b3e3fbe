// The names of exchanges and queues on the broker; written down once, public.
#pragma once

#include "coursegate/amqp/topology.hpp"

#include <chrono>
#include <string>

namespace coursegate::amqp {

inline std::string events_exchange(const std::string& prefix)
{
    return prefix + ".events";
}
inline std::string unheard_exchange(const std::string& prefix)
{
    return prefix + ".unheard";
} // and its queue
inline std::string full_name(const std::string& prefix, const std::string& queue)
{
    return prefix + "." + queue;
}
inline std::string dead_queue(const std::string& full_queue)
{
    return full_queue + ".dead";
}

// The retry queue for the shortest delay that is not shorter than `wanted` (the longest one for more than
// that).
std::string retry_queue(const std::string& full_queue, std::chrono::milliseconds wanted);
std::string retry_queue_at(const std::string& full_queue, std::size_t step); // by index into retry_delays()

} // namespace coursegate::amqp
