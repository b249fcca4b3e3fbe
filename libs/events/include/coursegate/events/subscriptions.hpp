// Which handler reads which event. The handler's name is part of the contract: it keys the inbox and the
// metrics, and is written down once, here.
#pragma once

#include "coursegate/async/task.hpp"
#include "coursegate/events/event.hpp"
#include "coursegate/events/verdict.hpp"
#include "coursegate/log/log.hpp"

#include <functional>
#include <map>
#include <string>
#include <vector>

namespace coursegate::events {

// What a handler knows about the message besides the event itself.
struct message_context
{
    events::envelope envelope;
    std::string handler;      // the name given to on()
    std::string queue;        // where it came from
    int attempt = 1;          // 1 for the first delivery
    bool redelivered = false; // maybe seen before
    log::logger log;          // carries event_id, type, handler, trace_id

    std::string message_id() const { return base::to_string(envelope.id); }
};

class subscriptions
{
public:
    using raw_handler = std::function<async::task<verdict>(message_context&)>;

    // H is callable as: async::task<verdict>(const E&, message_context&). Both arguments live until it
    // returns. Registering the same type and version for the same queue twice throws std::logic_error at
    // start, not at 3 a.m.
    template <event E, class H>
    void on(std::string queue, std::string handler_name, H handler)
    {
        add(std::move(queue), std::string(E::type), E::version, std::move(handler_name),
            [handler = std::move(handler)](message_context& context) -> async::task<verdict> {
                auto decoded = unwrap<E>(context.envelope);
                if (!decoded.has_value())
                    co_return verdict::dead_letter(decoded.error().detail);
                const E& e = *decoded;
                co_return co_await handler(e, context);
            });
    }

    // All messages of a queue, whatever their type (the event log).
    void on_any(std::string queue, std::string handler_name, raw_handler handler);

    // The handler for a message of this type and version in this queue, or nullptr.
    struct entry
    {
        std::string handler_name;
        raw_handler handler;
    };
    const entry* find(const std::string& queue, const std::string& type, int version) const;
    std::vector<std::string> queues() const;

private:
    void add(std::string queue, std::string type, int version, std::string handler_name, raw_handler handler);

    std::map<std::string, std::map<std::string, entry>> by_queue_; // queue -> "type.vN" or "*" -> entry
};

} // namespace coursegate::events
