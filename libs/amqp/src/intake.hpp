// The consumer's thread: it consumes the queues, hands messages over, and settles them when it is told to. It
// never runs a handler.
#pragma once

#include "unsettled.hpp"
#include "worker.hpp"

#include "coursegate/amqp/topology.hpp"
#include "coursegate/base/clock.hpp"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace coursegate::amqp {

// A queue that is read.
struct source
{
    source(queue q, const std::string& prefix);

    const queue wanted;
    const std::string full; // with prefix
    const std::string tag;  // consumer tag
    metrics::gauge& ready;
    metrics::gauge& parked; // ready in the dead queue
    metrics::counter& redelivered;

    // Any thread.
    void touch();                           // a message came
    void prove();                           // a message or a fresh probe came through and was acked
    bool proven() const { return proven_; } // on this connection
    std::chrono::steady_clock::duration silence() const;

private:
    friend class intake;
    std::atomic<std::chrono::steady_clock::rep> seen_{0};
    std::atomic<bool> proven_{false};

    // The thread's:
    bool consuming_ = false;
    base::backoff redeclare_;
    std::chrono::steady_clock::time_point try_again_{};
};

// One message between its delivery and its settlement. Its delivery tag means something on its own connection
// only, hence the generation.
struct item
{
    source* from = nullptr;
    std::uint64_t generation = 0;
    message content{};
};
using item_ptr = std::shared_ptr<const item>;

inline constexpr auto probe_type = "probe";
inline constexpr auto probe_sent_at = "x-sent-at";

class intake final : public worker, incoming
{
public:
    // `deliver`, `begun` (queues are consumed, from now on or again) and `lost` are called on the thread.
    // Throws std::logic_error when a queue of `names` is not in the topology or has no dead-letter route.
    intake(async::executor ex, settings s, topology t, const std::vector<std::string>& names,
        std::function<void(std::vector<item_ptr>)> deliver, std::function<void()> begun,
        std::function<void()> lost);

    // Any thread --------------------------------------------------------------------------------------

    const std::vector<std::unique_ptr<source>>& sources() const { return sources_; }

    void settle(const item& i, bool requeue); // false: ack
    bool is_current(const item& i) const
    {
        return i.generation == generation_;
    }                 // false: it will be delivered again
    void redeclare(); // a queue seems to be missing
    std::optional<base::time_point> last_work() const;

    // The executor: no new messages after it returns; those on their way are handed back.
    async::task<void> cancel();

private:
    struct settlement
    {
        std::uint64_t generation;
        std::uint64_t tag;
        bool requeue;
    };

    void serve(connection& c) override;
    void without_connection(bool at_the_end) override;
    void on_delivery(message m) override;
    void on_cancel(const std::string& consumer_tag) override;
    void on_blocked(bool blocked, const std::string& reason) override { set_blocked(blocked, reason); }

    void begin(connection& c, source& s);
    void revive(connection& c);
    void sample(connection& c);
    void take_probe(source& s, const message& m);
    void hand_over();
    void settle_all(connection& c, std::uint64_t mine);
    void cancel_all(connection& c, std::uint64_t mine);
    bool anything_to_settle() const;
    std::chrono::milliseconds patience(const connection& c) const;

    const topology wanted_;
    std::vector<std::unique_ptr<source>> sources_;
    const std::function<void(std::vector<item_ptr>)> deliver_;
    const std::function<void()> begun_;
    const std::function<void()> lost_;
    std::atomic<std::uint64_t> generation_{0}; // one more with each connection, and with each loss of one
    std::atomic<bool> cancel_wanted_{false};
    async::signal cancelled_;
    metrics::gauge& unheard_;

    mutable std::mutex mutex_; // settlements_, redeclare_wanted_, last_work_
    std::vector<settlement> settlements_;
    bool redeclare_wanted_ = false;
    std::optional<base::time_point> last_work_;

    // The thread's:
    unsettled open_;
    std::vector<item_ptr> delivered_; // by this drain(), about to be handed over
    std::chrono::steady_clock::time_point next_sample_{};
};

} // namespace coursegate::amqp
