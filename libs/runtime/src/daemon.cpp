#include "coursegate/runtime/daemon.hpp"

#include "coursegate/async/signal.hpp"
#include "coursegate/log/log.hpp"
#include "coursegate/metrics/metrics.hpp"
#include "process.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdlib>
#include <random>
#include <vector>

namespace coursegate::runtime {

namespace asio = boost::asio;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

namespace {

std::int64_t whole_ms(steady_clock::duration d)
{
    return std::chrono::duration_cast<milliseconds>(d).count();
}

// One timer of daemon::every.
struct timer
{
    timer(const async::executor& ex, milliseconds i, std::string n, std::function<async::task<void>()> t)
        : interval(i), name(std::move(n)), tick(std::move(t)), wake(ex)
    {}

    milliseconds interval;
    std::string name;
    std::function<async::task<void>()> tick;
    async::signal wake; // set when stopping
    steady_clock::time_point last_good;
    std::string last_error;
};

struct extra_check
{
    std::string name;
    std::function<async::health()> check;
};

// A coroutine that is awaited with a limit. Shared with its completion handler, which may come later than
// anybody waits.
struct limited
{
    explicit limited(const async::executor& ex) : over(ex) {}
    async::signal over;
    asio::cancellation_signal cancel;
    bool ended = false;
    std::exception_ptr failure;
};

milliseconds jittered(milliseconds d)
{
    thread_local std::minstd_rand random{std::random_device{}()};
    const auto tenth = d.count() / 10;
    std::uniform_int_distribution<std::int64_t> spread{-tenth, tenth};
    return d + milliseconds{spread(random)};
}

} // namespace

struct daemon::impl
{
    explicit impl(settings s)
        : configuration(std::move(s)), loop(1), ex(loop.get_executor()), work(loop.get_executor()),
          signals(loop), background(ex), timers_running(ex), watching(ex), stop_wanted(ex)
    {}

    settings configuration;
    asio::io_context loop; // outlives everything below
    async::executor ex;
    asio::executor_work_guard<asio::io_context::executor_type> work;
    asio::signal_set signals;
    async::gate background;
    async::gate timers_running;
    async::gate watching; // the daemon's own look at its readiness
    async::signal stop_wanted;
    std::unique_ptr<http::server> admin;
    std::vector<async::component*> components; // in order of start
    std::vector<std::unique_ptr<timer>> timers;
    std::vector<extra_check> checks;
    limited* starting = nullptr; // while start_in_order runs
    bool started = false;
    bool stopping = false;
    bool hung = false; // something did not stop: its objects must not be destroyed under it

    // Signals

    void watch_signals()
    {
        signals.add(SIGTERM);
        signals.add(SIGINT);
        signals.async_wait([this](const boost::system::error_code& cancelled, int number) {
            if (cancelled)
                return;
            signals.clear();
            exit_on_next_signal();
            log::info("signal received, stopping", {{"signal", number}});
            begin_stop();
        });
    }

    void begin_stop()
    {
        if (stopping)
            return;
        stopping = true;
        if (starting != nullptr)
            starting->cancel.emit(asio::cancellation_type::terminal);
        stop_wanted.set();
    }

    // Running a coroutine of this file to its end from outside the loop

    void run_to_end(const std::shared_ptr<limited>& state, async::task<void> body)
    {
        launch(state, std::move(body));
        loop.restart();
        while (!state->ended)
            loop.run_one();
        if (state->failure)
            std::rethrow_exception(state->failure);
    }

    void launch(const std::shared_ptr<limited>& state, async::task<void> body)
    {
        asio::co_spawn(ex, std::move(body),
            asio::bind_cancellation_slot(state->cancel.slot(), [state](std::exception_ptr failure) {
                state->ended = true;
                state->failure = failure;
                state->over.set();
            }));
    }

    // True when `body` ended within `limit`; later it is cancelled, and after two more seconds given up.
    async::task<bool> within(milliseconds limit, std::string name, async::task<void> body)
    {
        const auto state = std::make_shared<limited>(ex);
        launch(state, std::move(body));
        if (!state->ended)
            co_await state->over.wait_for(limit);
        if (!state->ended) {
            log::error(
                "does not stop in time, cancelling it", {{"component", name}, {"limit_ms", limit.count()}});
            state->cancel.emit(asio::cancellation_type::terminal);
            co_await state->over.wait_for(std::chrono::seconds(2));
        }
        if (!state->ended) {
            log::error("did not stop", {{"component", name}});
            hung = true;
            co_return false;
        }
        if (state->failure) {
            try {
                std::rethrow_exception(state->failure);
            }
            catch (const std::exception& e) {
                log::error("failed while stopping", {{"component", name}, {"error", e.what()}});
            }
        }
        co_return true;
    }

    // Start

    async::task<void> start_all(std::vector<async::component*> all)
    {
        co_await admin->start();
        log::info("admin port open", {{"host", configuration.admin_host}, {"port", admin->port()}});
        for (async::component* const c : all) {
            if (stopping)
                co_return;
            components.push_back(c);
            const auto began = steady_clock::now();
            try {
                co_await c->start();
            }
            catch (const base::bad_configuration&) {
                throw;
            }
            catch (const base::dependency_down& e) {
                throw base::dependency_down(fmt::format("{} did not start: {}", c->name(), e.what()));
            }
            catch (const std::exception& e) {
                throw std::runtime_error(fmt::format("{} did not start: {}", c->name(), e.what()));
            }
            log::debug("started", {{"component", c->name()}, {"ms", whole_ms(steady_clock::now() - began)}});
        }
        started = true;
        for (const auto& t : timers)
            start_timer(*t);
    }

    void start_timer(timer& t)
    {
        t.last_good = steady_clock::now(); // the limit counts from the start until the first good tick
        timers_running.spawn("timer " + t.name, [this, &t] { return run_timer(t); });
    }

    async::task<void> run_timer(timer& t)
    {
        auto& seconds = metrics::get_histogram(
            "coursegate_tick_seconds", "Duration of a timer's ticks", {{"timer", t.name}});
        auto& good = metrics::get_counter(
            "coursegate_ticks_total", "Ticks of a timer", {{"timer", t.name}, {"outcome", "good"}});
        auto& failed = metrics::get_counter(
            "coursegate_ticks_total", "Ticks of a timer", {{"timer", t.name}, {"outcome", "failed"}});
        while (!stopping) {
            const auto began = steady_clock::now();
            try {
                const metrics::stopwatch measured{seconds};
                co_await t.tick();
                t.last_good = steady_clock::now();
                t.last_error.clear();
                good.increment();
            }
            catch (const std::exception& e) {
                if (stopping && async::is_cancellation(e))
                    co_return;
                t.last_error = e.what();
                failed.increment();
                const bool ours_is_down = dynamic_cast<const base::dependency_down*>(&e) != nullptr;
                log::write(ours_is_down ? log::level::warning : log::level::error, "tick failed",
                    {{"timer", t.name}, {"error", t.last_error}});
            }
            // From start to start; a tick that took longer than its interval still leaves a gap.
            const auto took = std::chrono::duration_cast<milliseconds>(steady_clock::now() - began);
            const auto gap =
                std::max(jittered(t.interval) - took, std::max(t.interval / 10, milliseconds{1}));
            co_await t.wake.wait_for(gap);
        }
    }

    // Readiness

    std::vector<std::string> reasons_against() const
    {
        std::vector<std::string> out;
        if (stopping)
            out.emplace_back("stopping");
        else if (!started)
            out.emplace_back("starting");
        const auto look = [&](std::string_view name, const async::health& h) {
            if (h.ok)
                return;
            std::string line = fmt::format("{}: {}", name, h.detail.empty() ? "not ok" : h.detail);
            if (h.last_work)
                line += fmt::format(" (last work {})", base::to_iso8601(*h.last_work));
            out.push_back(std::move(line));
        };
        for (const auto* const c : components)
            look(c->name(), c->check());
        for (const auto& extra : checks) {
            try {
                look(extra.name, extra.check());
            }
            catch (const std::exception& e) {
                out.push_back(fmt::format("{}: the check failed: {}", extra.name, e.what()));
            }
        }
        if (!started)
            return out;
        const auto now = steady_clock::now();
        for (const auto& t : timers) {
            const auto age = now - t->last_good;
            const auto limit = 3 * t->interval + configuration.tick_grace;
            if (age <= limit)
                continue;
            auto line = fmt::format("timer {}: last good tick {} s ago, the limit is {} s", t->name,
                whole_ms(age) / 1000, limit.count() / 1000);
            if (!t->last_error.empty())
                line += "; last error: " + t->last_error;
            out.push_back(std::move(line));
        }
        return out;
    }

    static std::string joined(const std::vector<std::string>& reasons)
    {
        std::string out;
        for (const auto& r : reasons)
            out += (out.empty() ? "" : "; ") + r;
        return out;
    }

    // Logs `ready` once it is, then changes. Looks often only until the first time.
    async::task<void> watch_readiness()
    {
        auto& shown = metrics::get_gauge("coursegate_ready", "1 while the daemon is ready");
        const auto began = steady_clock::now();
        bool was_ready = false;
        bool ever_ready = false;
        std::string last;
        for (;;) {
            const auto reasons = reasons_against();
            const bool ready = reasons.empty();
            shown.set(ready ? 1 : 0);
            if (ready && !was_ready) {
                log::info(ever_ready ? "ready again" : "ready",
                    {{"ms", milliseconds_since_process_start()}, {"instance", configuration.instance}});
                if (!ever_ready)
                    give_memory_back(); // what the start needed and nobody needs again
                ever_ready = true;
            }
            const auto now_against = joined(reasons);
            if (!ready && (was_ready || (ever_ready && now_against != last)))
                log::warning("not ready", {{"reason", now_against}});
            was_ready = ready;
            last = now_against;
            if (ever_ready)
                co_await async::sleep_for(std::chrono::seconds(5));
            else if (steady_clock::now() - began < std::chrono::seconds(5))
                co_await async::sleep_for(milliseconds(20));
            else {
                log::warning("not ready yet", {{"reason", now_against}});
                co_await async::sleep_for(std::chrono::seconds(5));
            }
        }
    }

    async::task<void> trim_memory()
    {
        for (;;) {
            co_await async::sleep_for(std::chrono::minutes(1));
            give_memory_back();
        }
    }

    // Admin port

    std::vector<http::route> routes()
    {
        std::vector<http::route> out;
        out.push_back({"GET", "/live", [](http::request&) -> async::task<http::response> {
                           co_return http::response::text(200, "live\n");
                       }});
        out.push_back({"GET", "/ready", [this](http::request&) -> async::task<http::response> {
                           const auto reasons = reasons_against();
                           if (reasons.empty())
                               co_return http::response::text(200, "ready\n");
                           std::string body;
                           for (const auto& r : reasons)
                               body += log::without_secrets(r) + "\n";
                           co_return http::response::text(503, std::move(body));
                       }});
        out.push_back({"GET", "/metrics", [](http::request&) -> async::task<http::response> {
                           co_return http::response::text(
                               200, metrics::expose(), "text/plain; version=0.0.4; charset=utf-8");
                       }});
        out.push_back({"GET", "/log-level", [](http::request&) -> async::task<http::response> {
                           co_return http::response::text(
                               200, std::string(log::to_string(log::current_level())) + "\n");
                       }});
        out.push_back(
            {"PUT", "/log-level", [](http::request& r) -> async::task<http::response> {
                 std::string_view word = r.body;
                 while (!word.empty() && (word.back() == '\n' || word.back() == '\r' || word.back() == ' '))
                     word.remove_suffix(1);
                 log::level wanted{};
                 if (!log::parse_level(word, wanted))
                     co_return http::response::error(
                         400, "bad_level", "the body must be trace, debug, info, warning or error", "body");
                 const auto before = log::current_level();
                 log::set_level(std::min(before, wanted));
                 log::info(
                     "log level changed", {{"from", log::to_string(before)}, {"to", log::to_string(wanted)}});
                 log::set_level(wanted);
                 co_return http::response::text(200, std::string(log::to_string(wanted)) + "\n");
             }});
        return out;
    }

    // Stop

    async::task<void> stop_all(milliseconds limit)
    {
        const auto began = steady_clock::now();
        co_await within(limit, "background", background.close());
        for (const auto& t : timers)
            t->wake.set();
        // A tick in the middle of its work may finish it, for a third of the time; then it is cancelled,
        // which is no worse for it than a crash.
        const auto ticks = std::make_shared<limited>(ex);
        launch(ticks, timers_running.close(false));
        if (!ticks->ended)
            co_await ticks->over.wait_for(limit / 3);
        if (!ticks->ended)
            co_await within(limit, "timers", timers_running.close(true));
        for (auto c = components.rbegin(); c != components.rend(); ++c) {
            const auto stop_began = steady_clock::now();
            co_await within(limit, std::string((*c)->name()), (*c)->stop());
            log::debug(
                "stopped", {{"component", (*c)->name()}, {"ms", whole_ms(steady_clock::now() - stop_began)}});
        }
        co_await within(limit, "watch", watching.close());
        if (admin)
            co_await within(limit, "admin port", admin->stop());
        log::info("stopped", {{"ms", whole_ms(steady_clock::now() - began)}});
    }

    async::task<void> until_stopped()
    {
        while (!stopping)
            co_await stop_wanted.wait_for(std::chrono::hours(24));
        co_await stop_all(configuration.stop_limit);
    }

    // What the last stop() posted (completions of what it cancelled) still runs; what only waits for a time
    // that no longer matters (an idle connection's timer) goes with the loop.
    void finish_loop()
    {
        boost::system::error_code ignored;
        signals.cancel(ignored);
        signals.clear(ignored);
        default_signals();
        while (loop.poll() > 0) {
        }
        log::flush();
        if (hung)
            std::_Exit(1); // destroying what still runs would crash: the log has said which
    }
};

daemon::daemon(settings s) : impl_(std::make_unique<impl>(std::move(s)))
{
    prepare_process();
    log::set_service(impl_->configuration.service);
    log::level l = log::level::info;
    log::parse_level(impl_->configuration.log_level, l);
    log::set_level(l);
    impl_->watch_signals();

    http::server_settings admin;
    admin.host = impl_->configuration.admin_host;
    admin.port = impl_->configuration.admin_port;
    admin.set_by = "HOST, ADMIN_PORT";
    admin.max_connections = 64;
    admin.metrics_name = "admin";
    admin.access_log = false;
    impl_->admin = std::make_unique<http::server>(impl_->ex, admin, impl_->routes());
}

daemon::~daemon()
{
    default_signals();
}

async::executor daemon::executor()
{
    return impl_->ex;
}

const settings& daemon::configuration() const
{
    return impl_->configuration;
}

void daemon::every(milliseconds interval, std::string name, std::function<async::task<void>()> tick)
{
    impl_->timers.push_back(std::make_unique<timer>(impl_->ex, interval, std::move(name), std::move(tick)));
    if (impl_->started && !impl_->stopping)
        impl_->start_timer(*impl_->timers.back());
}

void daemon::also_check(std::string name, std::function<async::health()> check)
{
    impl_->checks.push_back({std::move(name), std::move(check)});
}

void daemon::start_in_order(std::initializer_list<std::reference_wrapper<async::component>> components)
{
    std::vector<async::component*> all;
    for (const auto& c : components)
        all.push_back(&c.get());
    const auto state = std::make_shared<limited>(impl_->ex);
    impl_->starting = state.get();
    std::exception_ptr failure;
    try {
        impl_->run_to_end(state, impl_->start_all(std::move(all)));
    }
    catch (const std::exception& e) {
        // Asked to stop during the start is no failure: run() stops what was started.
        if (!impl_->stopping)
            failure = std::current_exception();
    }
    impl_->starting = nullptr;
    if (!failure)
        return;
    impl_->stopping = true;
    const auto stopped = std::make_shared<limited>(impl_->ex);
    impl_->run_to_end(
        stopped, impl_->stop_all(std::min(impl_->configuration.stop_limit, milliseconds{3'000})));
    if (impl_->hung) {
        try {
            std::rethrow_exception(failure);
        }
        catch (const std::exception& e) {
            report_fatal(e);
        }
    }
    impl_->finish_loop();
    std::rethrow_exception(failure);
}

int daemon::run()
{
    if (!impl_->started && !impl_->stopping)
        start_in_order({});
    if (!impl_->stopping) {
        impl_->watching.spawn("readiness", [this] { return impl_->watch_readiness(); });
        impl_->watching.spawn("memory", [this] { return impl_->trim_memory(); });
    }
    const auto state = std::make_shared<limited>(impl_->ex);
    impl_->run_to_end(state, impl_->until_stopped());
    impl_->finish_loop();
    return 0;
}

void daemon::request_stop()
{
    asio::post(impl_->ex, [i = impl_.get()] { i->begin_stop(); });
}

async::gate& daemon::background()
{
    return impl_->background;
}

int daemon::admin_port() const
{
    return impl_->admin->port();
}

} // namespace coursegate::runtime
