// The relay carries outbox rows to the broker.
//
// What outbox::add commits in the same process comes already claimed and in memory; it is published at once,
// with confirms in flight together, and deleted in a second short transaction. Everything else is claimed
// first: up to `batch` rows with FOR UPDATE SKIP LOCKED (claimed_until = database now() + 30 s); a poll each
// second is the truth behind all of it. Several relays (lanes here, processes elsewhere) may run. Crash after
// the claim: it runs out, or a relay that starts on the same host finds its owner dead, and the rows are
// sent. Crash after the confirm, before the delete: sent again under the same message_id; the consumer's
// inbox absorbs it.
#pragma once

#include "coursegate/async/component.hpp"
#include "coursegate/db/pool.hpp"
#include "coursegate/events/publisher.hpp"

#include <chrono>
#include <memory>
#include <string>

namespace coursegate::outbox {

struct relay_settings
{
    std::string claimed_by; // host:pid:random, unique among all relays; made up when empty
    int batch = 500;        // rows per claim
    int lanes = 2;          // batches in flight
    std::chrono::milliseconds poll{1000};
    std::chrono::milliseconds refused_pause{5000}; // before a row that the broker refused is sent again
    std::chrono::seconds claim{30};                // the publisher's confirm deadline must be shorter
};

// Metrics: coursegate_outbox_waiting (rows, counted up to 10,001), coursegate_outbox_oldest_seconds,
// coursegate_outbox_sent_total, coursegate_outbox_unsent_total{outcome}, coursegate_outbox_batches_total.
// Once an hour it removes inbox rows older than 30 days.
//
// Lives on `ex`; `pool` and `out` outlive it. stop() before it is destroyed.
class relay final : public async::component
{
public:
    relay(async::executor ex, db::pool& pool, events::publisher& out, relay_settings s = {});
    ~relay() override;

    std::string_view name() const override { return "outbox"; }
    async::task<void> start() override;
    async::task<void> stop() override;    // finishes the batches in flight
    async::health check() const override; // not ok when the oldest unsent row is older than 60 s

private:
    struct impl;
    std::shared_ptr<impl> impl_;
};

} // namespace coursegate::outbox
