// Consumes the queues that `subscriptions` names. One thread owns one connection and one channel; it never
// runs a handler: it posts deliveries to the daemon's executor, and verdicts come back through a queue.
//
// For every message, once, for all handlers: parse the envelope; unknown type or a payload that does not
// parse → dead letter; an exception → retry until the attempts run out (our own header x-attempts);
// base::dependency_down → not an attempt: consuming pauses with backoff and the message is handed back. Dead
// letters and retries are *published* as copies with reason, handler, attempts, first and last error,
// x-origin-user; only after their confirm is the original acked. Crash in between: both exist, and the inbox
// absorbs the second.
#pragma once

#include "coursegate/amqp/publisher.hpp"
#include "coursegate/amqp/settings.hpp"
#include "coursegate/amqp/topology.hpp"
#include "coursegate/async/component.hpp"
#include "coursegate/events/subscriptions.hpp"

#include <memory>

namespace coursegate::amqp {

class consumer final : public async::component
{
public:
    // `copies` carries retries, dead letters and probes; it must outlive the consumer. Throws
    // std::logic_error when a subscribed queue is not in the topology or has no dead-letter route.
    consumer(
        async::executor ex, settings s, topology t, const events::subscriptions& subs, publisher& copies);
    ~consumer() override;

    std::string_view name() const override { return "rabbitmq-consumer"; }

    // Waits for the first connection (throws dependency_down after 10 s), declares, consumes, sends the first
    // probe.
    async::task<void> start() override;

    // Cancel (no new messages), wait for handlers in flight (at most 20 s), settle their verdicts, hand the
    // rest back.
    async::task<void> stop() override;

    // Not ok: not connected, blocked, paused for a dependency, or no probe and no message came through a
    // queue for 3 × probe_interval. last_work is the last completed message or probe.
    async::health check() const override;

private:
    struct impl;
    std::shared_ptr<impl> impl_;
};

} // namespace coursegate::amqp
