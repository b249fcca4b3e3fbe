#include "coursegate/amqp/consumer.hpp"

#include "copies.hpp"
#include "intake.hpp"
#include "pause.hpp"

#include "coursegate/async/gate.hpp"
#include "coursegate/base/trace.hpp"
#include "coursegate/base/uuid.hpp"
#include "coursegate/log/log.hpp"
#include "coursegate/metrics/metrics.hpp"

#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <boost/system/system_error.hpp>

#include <algorithm>
#include <functional>
#include <map>
#include <unordered_map>

namespace coursegate::amqp {

namespace asio = boost::asio;

namespace {

using steady = std::chrono::steady_clock;

constexpr std::chrono::seconds handlers_limit{20};
constexpr std::chrono::milliseconds probe_again{200}; // after one that could not be sent

// The figures of one handler; looked up once.
class handler_metrics
{
public:
    explicit handler_metrics(std::string name) : name_(std::move(name)) {}

    void count(const std::string& outcome, steady::duration took)
    {
        auto& f = by_outcome_[outcome];
        if (f.total == nullptr) {
            const metrics::labels l{{"handler", name_}, {"outcome", outcome}};
            f.total = &metrics::get_counter("coursegate_handler_total", "Messages handled, by outcome", l);
            f.seconds =
                &metrics::get_histogram("coursegate_handler_seconds", "Time in the handler, by outcome", l);
        }
        f.total->increment();
        f.seconds->observe(took);
    }

private:
    struct figures
    {
        metrics::counter* total = nullptr;
        metrics::histogram* seconds = nullptr;
    };
    std::string name_;
    std::map<std::string, figures> by_outcome_;
};

// How one run of a handler ended: a verdict, or an exception.
struct outcome
{
    std::optional<events::verdict> verdict{};
    std::string down{};       // base::dependency_down: what it said
    std::string failed{};     // any other exception
    bool interrupted = false; // cancelled because the consumer stops
};

} // namespace

// Everything here runs on the executor; the thread is inside `thread`.
struct consumer::impl final : std::enable_shared_from_this<consumer::impl>
{
    impl(async::executor ex, settings s, topology t, const events::subscriptions& subs, publisher& p)
        : executor(ex), subscriptions(subs), copies(p), waiting(ex), handlers(ex), chores(ex), finished(ex),
          probe_now(ex),
          thread(
              ex, std::move(s), std::move(t), subs.queues(),
              [this](std::vector<item_ptr> items) {
                  asio::post(executor, [self = shared_from_this(), items = std::move(items)] {
                      for (const auto& i : items)
                          self->begin_handling(i);
                  });
              },
              [this] { probe_now.set(); },
              [this] { asio::post(executor, [self = shared_from_this()] { self->waiting.wake(); }); })
    {}

    const async::executor executor;
    const events::subscriptions subscriptions;
    publisher& copies;
    pause waiting;
    async::gate handlers, chores;
    async::signal finished;  // a handler ended
    async::signal probe_now; // health has to be proven anew
    bool stopping = false;
    bool started = false;
    std::unordered_map<std::string, handler_metrics> figures;
    metrics::gauge& in_flight =
        metrics::get_gauge("coursegate_handlers_in_flight", "Messages being handled now");
    intake thread; // last: it calls into the rest

    // The message comes again by itself, or is about to be handed back: this copy of it is of no use any
    // more.
    bool is_over(const item& i) const { return stopping || !thread.is_current(i); }

    void begin_handling(const item_ptr& i)
    {
        const bool begun = !stopping && handlers.spawn("message",
                                            [self = shared_from_this(), i] { return self->handle(i); });
        if (!begun)
            thread.settle(*i, true);
    }

    async::task<void> handle(item_ptr i)
    {
        struct counted
        {
            explicit counted(impl& s) : self(s) { self.in_flight.add(1); }
            ~counted()
            {
                self.in_flight.add(-1);
                self.finished.set();
            }
            counted(const counted&) = delete;
            impl& self;
        };
        const counted one{*this};
        bool done = false;
        try {
            done = co_await decide(i);
        }
        catch (const std::exception& e) {
            // Interrupted because stopping took too long, or a fault of this class: the message must not be
            // forgotten.
            if (!stopping)
                log::error("a message could not be settled",
                    {{"event_id", i->content.props.message_id}, {"error", e.what()}});
        }
        thread.settle(*i, !done);
    }

    // True: the message is done with (ack); false: hand it back.
    async::task<bool> decide(item_ptr i)
    {
        const auto& from = *i->from;
        const int attempt = attempt_of(i->content.props);

        auto parsed = events::parse_envelope(i->content.body);
        if (!parsed.has_value())
            co_return co_await park(i, "", attempt, parsed.error().detail, log_of(*i, attempt));

        events::message_context context = context_of(*i, std::move(*parsed), attempt);
        const auto* const entry =
            subscriptions.find(from.wanted.name, context.envelope.type, context.envelope.version);
        if (entry == nullptr)
            co_return co_await park(
                i, "", attempt, "nobody here reads " + context.envelope.routing_key(), context.log);
        context.handler = entry->handler_name;
        context.log = context.log.with({{"handler", context.handler}});

        auto& m = figures.try_emplace(entry->handler_name, entry->handler_name).first->second;
        const std::function<bool()> over = [this, &i] { return is_over(*i); };
        for (;;) {
            const auto turn = co_await waiting.wait_for_turn(over);
            if (turn == pause::turn::over)
                co_return false;

            const auto began = steady::now();
            const outcome o = co_await run(*entry, context);
            const auto took = steady::now() - began;

            if (turn == pause::turn::go_and_tell)
                told(o.down);
            if (o.interrupted)
                co_return false;
            if (!o.down.empty()) {
                m.count("paused", took);
                waiting.begin(o.down);
                continue; // the same message, when the dependency is back; not an attempt
            }
            if (!o.verdict) {
                m.count("error", took);
                context.log.error("a handler failed", {{"error", o.failed}});
                co_return co_await try_later(
                    i, context.handler, attempt, pause_after(attempt), o.failed, context.log);
            }
            switch (o.verdict->what()) {
            case events::verdict::kind::ack:
                m.count("ack", took);
                context.log.debug("handled");
                co_return true;
            case events::verdict::kind::retry:
                m.count("retry", took);
                co_return co_await try_later(
                    i, context.handler, attempt, o.verdict->delay(), o.verdict->reason(), context.log);
            case events::verdict::kind::dead_letter:
                m.count("dead_letter", took);
                co_return co_await park(i, context.handler, attempt, o.verdict->reason(), context.log);
            case events::verdict::kind::postpone:
                m.count("postpone", took);
                context.log.debug("postponed", {{"reason", o.verdict->reason()}});
                co_await hold(i, o.verdict->delay());
                break;
            }
        }
    }

    // What the one that tried found out. No probe went out during the pause, and none came through.
    void told(const std::string& down)
    {
        waiting.told(down.empty(), down);
        if (!down.empty())
            return;
        for (const auto& s : thread.sources())
            s->touch();
        probe_now.set();
    }

    static events::message_context context_of(const item& i, events::envelope e, int attempt)
    {
        events::message_context out;
        const auto& props = i.content.props;
        if (const auto at = props.headers.find(header::traceparent);
            e.traceparent.empty() && at != props.headers.end())
            e.traceparent = at->second;
        if (e.correlation_id.empty())
            e.correlation_id = props.correlation_id;
        out.envelope = std::move(e);
        out.queue = i.from->wanted.name;
        out.attempt = attempt;
        out.redelivered = i.content.redelivered;
        out.log = log::logger{}.with(
            {{"event_id", out.envelope.id}, {"type", out.envelope.type}, {"attempt", attempt}});
        if (const auto trace_id = base::trace_id_of(out.envelope.traceparent); !trace_id.empty())
            out.log = out.log.with({{"trace_id", trace_id}});
        return out;
    }

    // For a message that is no event.
    static log::logger log_of(const item& i, int attempt)
    {
        const auto& props = i.content.props;
        return log::logger{}.with(
            {{"event_id", props.message_id}, {"type", props.type}, {"attempt", attempt}});
    }

    // The exception boundary of every handler.
    async::task<outcome> run(const events::subscriptions::entry& entry, events::message_context& context)
    {
        outcome o;
        try {
            o.verdict = co_await entry.handler(context);
        }
        catch (const base::dependency_down& e) {
            o.down = *e.what() == '\0' ? "a dependency is down" : e.what();
        }
        catch (const boost::system::system_error& e) {
            o.interrupted = stopping && e.code() == asio::error::operation_aborted;
            o.failed = e.what();
        }
        catch (const std::exception& e) {
            o.failed = e.what();
        }
        catch (...) {
            o.failed = "an exception that is no std::exception";
        }
        co_return o;
    }

    async::task<void> hold(item_ptr i, std::chrono::milliseconds d)
    {
        // A handler that asks for no pause at all must not spin.
        const auto until = steady::now() + std::max(d, std::chrono::milliseconds(100));
        for (auto now = steady::now(); now < until && !is_over(*i); now = steady::now())
            co_await waiting.nap(until - now);
    }

    async::task<bool> try_later(item_ptr i, std::string handler, int attempt, std::chrono::milliseconds delay,
        std::string why, log::logger log)
    {
        if (attempt >= i->from->wanted.max_attempts)
            co_return co_await park_as(
                i, handler, attempt, why, "attempts ran out (" + std::to_string(attempt) + "): " + why, log);
        log.warning("a message will be tried again", {{"in_ms", delay.count()}, {"reason", why}});
        failure f;
        f.handler = handler;
        f.error = why;
        f.at = base::now();
        auto c = retry_copy(i->content, i->from->full, delay, attempt, f);
        co_return co_await publish_copy(i, std::move(c));
    }

    async::task<bool> park(item_ptr i, std::string handler, int attempt, std::string reason, log::logger log)
    {
        return park_as(std::move(i), std::move(handler), attempt, reason, reason, std::move(log));
    }

    async::task<bool> park_as(
        item_ptr i, std::string handler, int attempt, std::string error, std::string reason, log::logger log)
    {
        const auto& full = i->from->full;
        log.error("a message is parked", {{"queue", full}, {"reason", reason}});
        metrics::get_counter(
            "coursegate_dead_letters_total", "Messages parked in a dead queue", {{"queue", full}})
            .increment();
        failure f;
        f.handler = handler;
        f.error = error;
        f.at = base::now();
        auto c = dead_copy(i->content, full, reason, attempt, f);
        co_return co_await publish_copy(i, std::move(c));
    }

    // The original is acked only after the copy's confirm. Crash between the two: both exist, and the inbox
    // absorbs the second. Not confirmed: the message stays here and the copy is sent again, until the
    // consumer stops.
    async::task<bool> publish_copy(item_ptr i, copy c)
    {
        base::backoff backoff;
        for (;;) {
            const auto outcome = co_await copies.publish_copy(c);
            if (outcome == events::delivery::confirmed)
                co_return true;
            if (is_over(*i))
                co_return false;
            const bool refused = outcome == events::delivery::refused;
            log::warning("RabbitMQ did not take a copy; it is sent again",
                {{"event_id", c.message_id}, {"queue", c.queue},
                    {"outcome", refused ? "refused" : "unknown"}});
            if (refused)
                thread.redeclare(); // maybe somebody deleted the retry queue
            co_await waiting.nap(backoff.next());
        }
    }

    async::task<void> probe_for_ever()
    {
        std::chrono::milliseconds next = thread.configuration().probe_interval;
        for (;;) {
            co_await probe_now.wait_for(next);
            next = thread.configuration().probe_interval;
            if (waiting.on())
                continue; // told() rings
            // After an outage either of the two may come back first: not a whole interval for that.
            bool possible = thread.current().connected && copies.check().ok;
            for (const auto& s : thread.sources()) {
                if (!possible)
                    break;
                possible = co_await send_probe(*s);
            }
            if (!possible)
                next = std::min(next, probe_again);
        }
    }

    async::task<bool> send_probe(const source& s)
    {
        events::envelope e;
        e.id = base::new_uuid();
        e.source = "/amqp";
        e.type = probe_type;
        e.time = base::now();
        copy c;
        c.queue = s.full;
        c.body = e.to_body();
        c.message_id = base::to_string(e.id);
        c.type = probe_type;
        c.content_type = "application/cloudevents+json";
        c.headers[probe_sent_at] = base::to_iso8601(e.time);
        const auto outcome = co_await copies.publish_copy(c);
        co_return outcome == events::delivery::confirmed;
    }

    async::task<void> start()
    {
        co_await thread.start_thread();
        started = true;
        chores.spawn("probe", [self = shared_from_this()] { return self->probe_for_ever(); });
    }

    async::task<void> stop()
    {
        if (!std::exchange(started, false))
            co_return;
        co_await chores.close();
        co_await thread.cancel();

        // Messages that wait for something go back at once; running handlers get their time.
        stopping = true;
        waiting.wake();
        const auto deadline = steady::now() + handlers_limit;
        for (auto now = steady::now(); handlers.running() > 0 && now < deadline; now = steady::now())
            co_await finished.wait_for(std::chrono::duration_cast<std::chrono::microseconds>(deadline - now));
        if (handlers.running() > 0)
            log::warning(
                "handlers did not end in time and are interrupted", {{"handlers", handlers.running()}});
        co_await handlers.close();
        co_await thread.stop_thread(); // sends the last settlements
    }

    async::health check() const
    {
        const auto now = thread.current();
        async::health out;
        out.last_work = thread.last_work();
        if (!now.connected)
            out.detail = now.why.empty() ? "not connected to RabbitMQ" : "not connected: " + now.why;
        else if (now.blocked)
            out.detail = "RabbitMQ blocks this connection: " + now.why;
        else if (waiting.on())
            out.detail = "consuming pauses: " + waiting.why();
        else
            for (const auto& s : thread.sources())
                if (!s->proven())
                    out.detail = "nothing has come through queue " + s->full + " yet, not even a probe";
                else if (s->silence() > 3 * thread.configuration().probe_interval)
                    out.detail = "nothing comes through queue " + s->full + ", not even a probe";
        out.ok = out.detail.empty();
        return out;
    }
};

consumer::consumer(
    async::executor ex, settings s, topology t, const events::subscriptions& subs, publisher& copies)
    : impl_(std::make_shared<impl>(std::move(ex), std::move(s), std::move(t), subs, copies))
{}

consumer::~consumer()
{
    impl_->thread.join();
}

async::task<void> consumer::start()
{
    const auto self = impl_;
    co_await self->start();
}

async::task<void> consumer::stop()
{
    const auto self = impl_;
    co_await self->stop();
}

async::health consumer::check() const
{
    return impl_->check();
}

} // namespace coursegate::amqp
