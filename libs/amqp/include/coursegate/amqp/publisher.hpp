// Publishes with confirms. One thread owns one connection; messages are handed over and outcomes come back on
// the awaiting coroutine's executor.
#pragma once

#include "coursegate/amqp/settings.hpp"
#include "coursegate/amqp/topology.hpp"
#include "coursegate/async/component.hpp"
#include "coursegate/events/publisher.hpp"

#include <map>
#include <memory>
#include <optional>
#include <string>

namespace coursegate::amqp {

// A copy made by a consumer or by coursegate-ctl (retry, dead letter, redrive): sent to the default exchange
// with the queue's name as routing key, never to the events exchange, so that only that queue sees it.
struct copy
{
    std::string queue; // full name with prefix
    std::string body;
    std::string message_id, type, content_type, correlation_id;
    std::map<std::string, std::string> headers; // strings; numbers as text
};

class publisher final : public events::publisher, public async::component
{
public:
    publisher(async::executor ex, settings s, topology t);
    ~publisher() override;

    std::string_view name() const override { return "rabbitmq-publisher"; }
    async::task<void> start()
        override; // waits for the first connection; throws dependency_down after 10 s without
    async::task<void> stop() override;    // waits for confirms in flight, at most their deadline
    async::health check() const override; // not ok: not connected, or connection.blocked (says which alarm)

    async::task<std::vector<events::delivery>> publish(std::vector<events::outgoing> messages) override;
    async::task<events::delivery> publish_copy(copy c);

private:
    struct impl;
    std::shared_ptr<impl> impl_;
};

} // namespace coursegate::amqp
