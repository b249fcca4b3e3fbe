#include "coursegate/amqp/publisher.hpp"

#include "declare.hpp"
#include "names.hpp"
#include "window.hpp"
#include "worker.hpp"

#include "coursegate/base/clock.hpp"
#include "coursegate/log/log.hpp"
#include "coursegate/metrics/metrics.hpp"

#include <algorithm>
#include <deque>

namespace coursegate::amqp {

namespace {

using steady = std::chrono::steady_clock;

constexpr std::size_t most_outstanding = 1'000;
constexpr auto event_content_type = "application/cloudevents+json";

// The messages of one publish() call and who waits for them. `outcomes` is written by the publisher's thread,
// one element for each message, and read by the coroutine after `left` became 0.
struct batch
{
    batch(const async::executor& ex, std::size_t count)
        : done(ex), outcomes(count, events::delivery::unknown), left(count)
    {}

    async::signal done;
    std::vector<events::delivery> outcomes;
    std::atomic<std::size_t> left;
};

struct item
{
    std::shared_ptr<batch> owner{};
    std::size_t index = 0;
    std::string exchange{}, routing_key{}, body{};
    properties props{};
    steady::time_point since{}; // handed over, or sent
    bool returned = false;
};

} // namespace

struct publisher::impl final : worker, incoming
{
    impl(async::executor ex, settings s, topology t)
        : worker(std::move(ex), std::move(s), "publisher"), wanted(std::move(t)),
          exchange(events_exchange(configuration().prefix))
    {}

    // Any thread ------------------------------------------------------------------------------------

    const topology wanted;
    const std::string exchange;

    mutable std::mutex mutex;
    std::vector<item> handed_over; // not yet seen by the thread
    bool closed = true;            // nobody takes them any more
    std::optional<base::time_point> last_confirm;

    async::task<void> wait_for(std::shared_ptr<batch> b, std::vector<item> items)
    {
        bool first = false;
        {
            const std::lock_guard lock(mutex);
            if (closed)
                co_return; // outcomes are `unknown`
            const auto now = steady::now();
            first = handed_over.empty(); // else the thread is awake, or about to be
            for (auto& i : items) {
                i.since = now;
                handed_over.push_back(std::move(i));
            }
        }
        if (first)
            wake();
        while (b->left.load(std::memory_order_acquire) > 0)
            co_await b->done.wait_for(std::chrono::hours(1));
    }

    // The publisher's thread --------------------------------------------------------------------------

    std::deque<item> waiting;
    window<item> outstanding{most_outstanding};
    bool careful = false; // a deadline passed: one message at a time until the broker confirms again
    bool socket_full = false;

    metrics::counter& confirmed = outcome_counter("confirmed");
    metrics::counter& refused = outcome_counter("refused");
    metrics::counter& unknown = outcome_counter("unknown");
    metrics::histogram& confirm_seconds = metrics::get_histogram(
        "coursegate_amqp_confirm_seconds", "From sending a message to RabbitMQ's confirm");

    static metrics::counter& outcome_counter(const char* outcome)
    {
        return metrics::get_counter(
            "coursegate_amqp_published_total", "Messages published, by outcome", {{"outcome", outcome}});
    }

    void finish(item& i, events::delivery outcome)
    {
        switch (outcome) {
        case events::delivery::confirmed:
            confirmed.increment();
            break;
        case events::delivery::refused:
            refused.increment();
            break;
        case events::delivery::unknown:
            unknown.increment();
            break;
        }
        i.owner->outcomes[i.index] = outcome;
        if (i.owner->left.fetch_sub(1, std::memory_order_acq_rel) == 1)
            i.owner->done.set();
    }

    void take_handed_over()
    {
        std::vector<item> taken;
        {
            const std::lock_guard lock(mutex);
            taken.swap(handed_over);
        }
        std::move(taken.begin(), taken.end(), std::back_inserter(waiting));
    }

    // Messages that were never sent for a whole confirm deadline: their caller has waited long enough.
    void expire_waiting()
    {
        const auto limit = steady::now() - configuration().confirm_deadline;
        while (!waiting.empty() && waiting.front().since <= limit) {
            finish(waiting.front(), events::delivery::unknown);
            waiting.pop_front();
        }
    }

    void serve(connection& c) override
    {
        declare_all(c, configuration(), wanted);
        c.confirm_select();
        ready();
        steady::time_point give_up = steady::time_point::max();
        for (;;) {
            take_handed_over();
            if (stopping()) {
                if (waiting.empty() && outstanding.empty())
                    return;
                const auto now = steady::now();
                give_up = std::min(give_up, now + configuration().confirm_deadline);
                if (now >= give_up)
                    return;
            }
            send(c);
            c.drain(*this);
            expire_waiting();
            check_deadline();
            const bool all_done = stopping() && waiting.empty() && outstanding.empty();
            if (!may_send() && !all_done)
                wait_for_work(c.fd(), socket_full && !waiting.empty(), wake_source(), patience(c));
        }
    }

    bool may_send() const
    {
        if (waiting.empty() || outstanding.full() || socket_full)
            return false;
        return !blocked && (!careful || outstanding.empty());
    }

    bool blocked = false;

    void send(connection& c)
    {
        socket_full = false;
        if (!may_send())
            return;
        const bool many = waiting.size() > 1;
        if (many)
            c.cork(true);
        while (may_send()) {
            if (!c.writable()) {
                socket_full = true;
                break;
            }
            // Into the window first: when the library throws half-way, its outcome is unknown like the
            // others'.
            auto next = std::move(waiting.front());
            waiting.pop_front();
            next.since = steady::now();
            next.props.user_id = c.user();
            outstanding.push(std::move(next));
            const auto& sent = outstanding.newest();
            c.publish(sent.exchange, sent.routing_key, sent.props, sent.body);
        }
        if (many)
            c.cork(false);
    }

    // RabbitMQ under a memory alarm takes messages from the socket, or leaves them there, and confirms
    // nothing.
    void check_deadline()
    {
        if (outstanding.empty() ||
            steady::now() - outstanding.oldest().since < configuration().confirm_deadline)
            return;
        careful = true;
        throw connection_lost("RabbitMQ has not confirmed a message in time");
    }

    std::chrono::milliseconds patience(const connection& c) const
    {
        auto until = steady::now() + c.heartbeat() / 2;
        if (!outstanding.empty())
            until = std::min(until, outstanding.oldest().since + configuration().confirm_deadline);
        if (!waiting.empty())
            until = std::min(until, waiting.front().since + configuration().confirm_deadline);
        return std::max(std::chrono::ceil<std::chrono::milliseconds>(until - steady::now()),
            std::chrono::milliseconds(1));
    }

    void on_confirm(std::uint64_t tag, bool multiple, bool accepted) override
    {
        careful = false;
        progressed();
        {
            const std::lock_guard lock(mutex);
            last_confirm = base::now();
        }
        const auto now = steady::now();
        outstanding.settle(tag, multiple, [&](item& i) {
            confirm_seconds.observe(now - i.since);
            finish(i, accepted && !i.returned ? events::delivery::confirmed : events::delivery::refused);
        });
    }

    // Carries no tag, but comes before its confirm.
    void on_return(message m) override
    {
        auto* const i = outstanding.find([&](const item& o) {
            return !o.returned && o.props.message_id == m.props.message_id &&
                   o.routing_key == m.routing_key && o.exchange == m.exchange;
        });
        if (i != nullptr)
            i->returned = true;
        log::warning("RabbitMQ has no queue for a message",
            {{"event_id", m.props.message_id}, {"exchange", m.exchange}, {"routing_key", m.routing_key}});
    }

    void on_blocked(bool now_blocked, const std::string& reason) override
    {
        blocked = now_blocked;
        set_blocked(now_blocked, reason);
    }

    void without_connection(bool at_the_end) override
    {
        blocked = false;
        socket_full = false;
        outstanding.clear([this](item& i) { finish(i, events::delivery::unknown); });
        if (at_the_end || stopping()) {
            const std::lock_guard lock(mutex);
            closed = true;
        }
        take_handed_over();
        expire_waiting();
        if (!at_the_end && !stopping())
            return;
        for (auto& i : waiting)
            finish(i, events::delivery::unknown);
        waiting.clear();
    }
};

publisher::publisher(async::executor ex, settings s, topology t)
    : impl_(std::make_shared<impl>(std::move(ex), std::move(s), std::move(t)))
{}

publisher::~publisher()
{
    impl_->join();
}

async::task<void> publisher::start()
{
    const auto self = impl_;
    {
        const std::lock_guard lock(self->mutex);
        self->closed = false;
    }
    co_await self->start_thread();
}

async::task<void> publisher::stop()
{
    const auto self = impl_;
    co_await self->stop_thread();
}

async::health publisher::check() const
{
    const auto now = impl_->current();
    async::health out;
    {
        const std::lock_guard lock(impl_->mutex);
        out.last_work = impl_->last_confirm;
    }
    out.ok = now.connected && !now.blocked;
    if (!now.connected)
        out.detail = now.why.empty() ? "not connected to RabbitMQ" : "not connected: " + now.why;
    else if (now.blocked)
        out.detail = "RabbitMQ blocks publishing: " + now.why;
    return out;
}

async::task<std::vector<events::delivery>> publisher::publish(std::vector<events::outgoing> messages)
{
    const auto self = impl_;
    const auto here = co_await async::this_executor();
    const auto b = std::make_shared<batch>(here, messages.size());
    const auto timestamp =
        std::chrono::duration_cast<std::chrono::seconds>(base::now().time_since_epoch()).count();

    std::vector<item> items(messages.size());
    for (std::size_t n = 0; n < messages.size(); ++n) {
        auto& from = messages[n];
        auto& to = items[n];
        to.owner = b;
        to.index = n;
        to.exchange = self->exchange;
        to.routing_key = std::move(from.routing_key);
        to.body = std::move(from.body);
        to.props.content_type = event_content_type;
        to.props.message_id = std::move(from.message_id);
        to.props.type = std::move(from.type);
        to.props.correlation_id = std::move(from.correlation_id);
        to.props.timestamp = timestamp;
        if (!from.traceparent.empty())
            to.props.headers["traceparent"] = std::move(from.traceparent);
    }
    if (!items.empty())
        co_await self->wait_for(b, std::move(items));
    co_return std::move(b->outcomes);
}

async::task<events::delivery> publisher::publish_copy(copy c)
{
    const auto self = impl_;
    const auto here = co_await async::this_executor();
    const auto b = std::make_shared<batch>(here, 1);

    std::vector<item> items(1);
    auto& to = items.front();
    to.owner = b;
    to.routing_key = std::move(c.queue);
    to.body = std::move(c.body);
    to.props.content_type = std::move(c.content_type);
    to.props.message_id = std::move(c.message_id);
    to.props.type = std::move(c.type);
    to.props.correlation_id = std::move(c.correlation_id);
    to.props.timestamp =
        std::chrono::duration_cast<std::chrono::seconds>(base::now().time_since_epoch()).count();
    to.props.headers = std::move(c.headers);
    co_await self->wait_for(b, std::move(items));
    co_return b->outcomes.front();
}

} // namespace coursegate::amqp
