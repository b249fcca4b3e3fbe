// Looking into queues from the command line (coursegate-ctl dead …): synchronous, own connection.
#pragma once

#include "coursegate/amqp/publisher.hpp"
#include "coursegate/amqp/settings.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace coursegate::amqp {

struct parked_message
{
    std::string message_id, type, correlation_id, content_type;
    std::map<std::string, std::string>
        headers; // ours (x-reason, x-handler, …) and the broker's x-death, as text
    std::string body;
};

// Why it is there: our own word, or the broker's when the broker itself parked it (delivery limit: no handler
// then).
std::string reason_of(const parked_message& m);

class inspector
{
public:
    explicit inspector(const settings& s); // throws base::dependency_down
    ~inspector();

    // Messages ready in a queue; nullopt when the queue does not exist. Full name with prefix.
    std::optional<std::uint64_t> depth(const std::string& queue);

    // Reads up to `limit` messages without removing them (they are handed back when this returns).
    std::vector<parked_message> peek(const std::string& queue, std::size_t limit);

    // Takes up to `limit` messages, each is given to `decide`; for true, a copy goes to `to` (confirmed) with
    // attempts set back to 0, and then the original is acked; for false it is handed back. Returns how many
    // were moved. A crash between copy and ack leaves both: the consumer's inbox absorbs the second.
    std::size_t move(const std::string& from, const std::string& to, std::size_t limit,
        const std::function<bool(const parked_message&)>& decide);

    // Takes and acks up to `limit` messages (tests).
    std::vector<parked_message> drain(const std::string& queue, std::size_t limit);

    // Publishes one message to the events exchange (tests, probes by hand); true when confirmed and routed.
    bool publish(const std::string& routing_key, const copy& c);

private:
    struct impl;
    std::unique_ptr<impl> impl_;
};

} // namespace coursegate::amqp
