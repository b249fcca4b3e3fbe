// A daemon in this process, with components that only keep a journal.
#include "coursegate/runtime/daemon.hpp"

#include "coursegate/async/signal.hpp"
#include "coursegate/http/client.hpp"
#include "coursegate/log/log.hpp"
#include "coursegate/testkit/run.hpp"

#include "child.hpp"

#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/this_coro.hpp>

#include <catch2/catch.hpp>

#include <nlohmann/json.hpp>

#include <atomic>
#include <csignal>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <thread>

using namespace coursegate;
using namespace std::chrono_literals;
using Catch::Matchers::Contains;

namespace {

// What happened, in order; written on the daemon's thread, read on the test's.
class journal
{
public:
    void add(std::string what)
    {
        const std::lock_guard held{lock_};
        all_.push_back(std::move(what));
    }
    std::vector<std::string> all() const
    {
        const std::lock_guard held{lock_};
        return all_;
    }
    std::size_t count(const std::string& what) const
    {
        const auto copy = all();
        return static_cast<std::size_t>(std::count(copy.begin(), copy.end(), what));
    }

private:
    mutable std::mutex lock_;
    std::vector<std::string> all_;
};

class fake final : public async::component
{
public:
    fake(std::string name, journal& j) : name_(std::move(name)), journal_(j) {}

    std::string_view name() const override { return name_; }
    async::task<void> start() override
    {
        journal_.add("start " + name_);
        co_await async::sleep_for(start_takes);
        if (!start_fails.empty())
            throw base::dependency_down(start_fails);
        journal_.add("started " + name_);
    }
    async::task<void> stop() override
    {
        journal_.add("stop " + name_);
        co_await async::sleep_for(stop_takes);
        if (stop_fails)
            throw std::runtime_error("could not stop");
        journal_.add("stopped " + name_);
    }
    async::health check() const override
    {
        async::health h;
        h.ok = ok;
        h.detail = ok ? "" : "the other side is gone";
        return h;
    }

    std::chrono::microseconds start_takes{1ms};
    std::chrono::microseconds stop_takes{1ms};
    std::string start_fails;
    bool stop_fails = false;
    std::atomic<bool> ok{true};

private:
    std::string name_;
    journal& journal_;
};

runtime::settings quick_settings()
{
    runtime::settings s;
    s.service = "test-daemon";
    s.admin_host = "127.0.0.1";
    s.log_level = "info";
    s.instance = "here:1:1";
    s.tick_grace = 60ms;
    s.stop_limit = 5s;
    return s;
}

// run() on a thread of its own, as main would; stopped and joined at the end of the test.
class running
{
public:
    explicit running(runtime::daemon& d) : daemon_(d), thread_([this] { code_ = daemon_.run(); }) {}
    ~running() { stop(); }
    running(const running&) = delete;
    int stop()
    {
        if (thread_.joinable()) {
            daemon_.request_stop();
            thread_.join();
        }
        return code_;
    }
    int wait() // somebody else stops it
    {
        thread_.join();
        return code_;
    }

private:
    runtime::daemon& daemon_;
    int code_ = -1;
    std::thread thread_;
};

struct answer
{
    int status = 0;
    std::string body;
};

answer call(int port, const std::string& method, const std::string& path, const std::string& body = {})
{
    boost::asio::io_context loop;
    http::client client{loop.get_executor()};
    answer out;
    testkit::run(loop, [&]() -> async::task<void> {
        http::client_request r;
        r.method = method;
        r.url = "http://127.0.0.1:" + std::to_string(port) + path;
        r.body = body;
        const auto got = co_await client.send(std::move(r));
        if (got.has_value()) {
            out.status = got->status;
            out.body = got->body;
        }
    });
    return out;
}

// Lines logged meanwhile.
class log_lines
{
public:
    log_lines() : before_(log::set_sink(&keep)), level_(log::current_level()) { all().clear(); }
    ~log_lines()
    {
        log::set_sink(before_);
        log::set_level(level_);
    }
    log_lines(const log_lines&) = delete;

    static std::string text()
    {
        const std::lock_guard held{lock()};
        return all();
    }
    static std::optional<nlohmann::json> line_with_message(const std::string& message)
    {
        std::istringstream in{text()};
        for (std::string line; std::getline(in, line);) {
            auto parsed = nlohmann::json::parse(line);
            if (parsed["message"] == message)
                return parsed;
        }
        return std::nullopt;
    }

private:
    static std::mutex& lock()
    {
        static std::mutex m;
        return m;
    }
    static std::string& all()
    {
        static std::string s;
        return s;
    }
    static void keep(std::string_view line)
    {
        const std::lock_guard held{lock()};
        all() += line;
    }

    log::sink before_;
    log::level level_;
};

} // namespace

TEST_CASE("components start in order, timers last, and stop in reverse")
{
    journal j;
    runtime::daemon daemon{quick_settings()};
    fake a{"a", j};
    fake b{"b", j};
    fake c{"c", j};
    daemon.every(1h, "timer", [&]() -> async::task<void> {
        j.add("tick");
        co_return;
    });
    daemon.background().spawn("background", [&]() -> async::task<void> {
        const std::shared_ptr<void> on_exit(nullptr, [&](void*) { j.add("background ended"); });
        co_await async::sleep_for(1h);
    });
    daemon.start_in_order({a, b, c});
    running r{daemon};
    REQUIRE(testkit::eventually(20s, [&] { return j.count("tick") == 1; }));
    CHECK(r.stop() == 0);
    CHECK(j.all() == std::vector<std::string>{"start a", "started a", "start b", "started b", "start c",
                         "started c", "tick", "background ended", "stop c", "stopped c", "stop b",
                         "stopped b", "stop a", "stopped a"});
}

TEST_CASE("a component that can't start ends the start with one sentence, and what was started is stopped")
{
    journal j;
    runtime::daemon daemon{quick_settings()};
    fake a{"a", j};
    fake b{"b", j};
    fake c{"c", j};
    b.start_fails = "connection refused";
    CHECK_THROWS_WITH(daemon.start_in_order({a, b, c}), "b did not start: connection refused");
    CHECK(j.all() == std::vector<std::string>{
                         "start a", "started a", "start b", "stop b", "stopped b", "stop a", "stopped a"});
}

TEST_CASE("a taken admin port is named")
{
    runtime::daemon first{quick_settings()};
    first.start_in_order({});
    auto same = quick_settings();
    same.admin_port = first.admin_port();
    runtime::daemon second{same};
    CHECK_THROWS_WITH(second.start_in_order({}),
        Contains(std::to_string(same.admin_port) + " (HOST, ADMIN_PORT): Address already in use"));
    CHECK_THROWS_AS(runtime::daemon{same}.start_in_order({}), base::bad_configuration);
    running r{first};
    CHECK(r.stop() == 0);
}

TEST_CASE("ready turns 503 with the reason while a component is not ok")
{
    journal j;
    runtime::daemon daemon{quick_settings()};
    fake a{"broker", j};
    daemon.start_in_order({a});
    running r{daemon};
    const int port = daemon.admin_port();
    CHECK(call(port, "GET", "/live").status == 200);
    CHECK(call(port, "GET", "/ready").status == 200);
    a.ok = false;
    const auto not_ready = call(port, "GET", "/ready");
    CHECK(not_ready.status == 503);
    CHECK(not_ready.body == "broker: the other side is gone\n");
    CHECK(call(port, "GET", "/live").status == 200);
    a.ok = true;
    CHECK(call(port, "GET", "/ready").status == 200);
    CHECK(call(port, "GET", "/nothing").status == 404);
}

TEST_CASE("ready turns 503 while a timer's last good tick is too old, naming it and its error")
{
    runtime::daemon daemon{quick_settings()};
    std::atomic<bool> works{true};
    std::atomic<int> ticks{0};
    daemon.every(5ms, "sweep", [&]() -> async::task<void> {
        ++ticks;
        if (!works)
            throw std::runtime_error("Stepik is on holiday");
        co_return;
    });
    daemon.start_in_order({});
    running r{daemon};
    const int port = daemon.admin_port();
    REQUIRE(testkit::eventually(20s, [&] { return ticks > 3; }));
    CHECK(call(port, "GET", "/ready").status == 200);
    works = false;
    answer last;
    REQUIRE(testkit::eventually(10s, [&] { return (last = call(port, "GET", "/ready")).status == 503; }));
    CHECK_THAT(last.body, Contains("timer sweep: last good tick") && Contains("Stepik is on holiday"));
    const int before = ticks;
    REQUIRE(testkit::eventually(20s, [&] { return ticks > before + 3; })); // failing does not end a timer
    works = true;
    CHECK(testkit::eventually(10s, [&] { return call(port, "GET", "/ready").status == 200; }));
}

TEST_CASE("ready turns 503 while a tick hangs")
{
    runtime::daemon daemon{quick_settings()};
    daemon.every(5ms, "stuck", []() -> async::task<void> { co_await async::sleep_for(1h); });
    daemon.start_in_order({});
    auto* const settings = &daemon.configuration();
    CHECK(settings->service == "test-daemon");
    running r{daemon};
    answer last;
    CHECK(testkit::eventually(
        10s, [&] { return (last = call(daemon.admin_port(), "GET", "/ready")).status == 503; }));
    CHECK_THAT(last.body, Contains("timer stuck"));
}

TEST_CASE("a tick that hangs is cancelled when the daemon stops")
{
    auto s = quick_settings();
    s.stop_limit = 90ms;
    runtime::daemon daemon{s};
    std::atomic<bool> began{false};
    daemon.every(1h, "stuck", [&]() -> async::task<void> {
        began = true;
        co_await async::sleep_for(1h);
    });
    daemon.start_in_order({});
    running r{daemon};
    REQUIRE(testkit::eventually(20s, [&] { return began.load(); }));
    CHECK(r.stop() == 0);
}

TEST_CASE("a tick in the middle of its work may finish when the daemon stops, before components do")
{
    journal j;
    runtime::daemon daemon{quick_settings()};
    fake a{"a", j};
    async::signal go{daemon.executor()};
    daemon.every(1h, "slow", [&]() -> async::task<void> {
        j.add("tick");
        co_await go.wait_for(20s);
        j.add("tock");
    });
    daemon.background().spawn("lets it go on when stopping", [&]() -> async::task<void> {
        const std::shared_ptr<void> on_exit(nullptr, [&](void*) { go.set(); });
        co_await async::sleep_for(1h);
    });
    daemon.start_in_order({a});
    running r{daemon};
    REQUIRE(testkit::eventually(20s, [&] { return j.count("tick") == 1; }));
    CHECK(r.stop() == 0);
    CHECK(j.all() == std::vector<std::string>{"start a", "started a", "tick", "tock", "stop a", "stopped a"});
}

TEST_CASE("ticks of one timer never overlap")
{
    runtime::daemon daemon{quick_settings()};
    std::atomic<int> inside{0};
    std::atomic<int> most{0};
    std::atomic<int> ticks{0};
    daemon.every(1ms, "busy", [&]() -> async::task<void> {
        most = std::max(most.load(), ++inside);
        co_await async::sleep_for(4ms); // takes time
        --inside;
        ++ticks;
    });
    daemon.start_in_order({});
    running r{daemon};
    REQUIRE(testkit::eventually(10s, [&] { return ticks > 10; }));
    CHECK(most == 1);
}

TEST_CASE("a reason that is no component's counts, and a check that throws is a reason")
{
    runtime::daemon daemon{quick_settings()};
    std::atomic<int> mode{0};
    daemon.also_check("disk", [&] {
        if (mode == 2)
            throw std::runtime_error("can't look");
        async::health h;
        h.ok = mode == 0;
        h.detail = "full";
        return h;
    });
    daemon.start_in_order({});
    running r{daemon};
    CHECK(call(daemon.admin_port(), "GET", "/ready").status == 200);
    mode = 1;
    CHECK(call(daemon.admin_port(), "GET", "/ready").body == "disk: full\n");
    mode = 2;
    const auto thrown = call(daemon.admin_port(), "GET", "/ready");
    CHECK(thrown.status == 503);
    CHECK_THAT(thrown.body, Contains("disk: the check failed: can't look"));
}

TEST_CASE("the log level changes on the admin port")
{
    const log_lines kept;
    runtime::daemon daemon{quick_settings()};
    daemon.start_in_order({});
    running r{daemon};
    const int port = daemon.admin_port();
    CHECK(call(port, "GET", "/log-level").body == "info\n");
    CHECK(call(port, "PUT", "/log-level", "debug\n").status == 200);
    CHECK(log::current_level() == log::level::debug);
    const auto refused = call(port, "PUT", "/log-level", "loud");
    CHECK(refused.status == 400);
    CHECK_THAT(refused.body, Contains("trace, debug, info, warning or error"));
    CHECK(log::current_level() == log::level::debug);
    CHECK(call(port, "POST", "/log-level", "info").status == 405);
}

TEST_CASE("metrics show the process, the timers and the readiness")
{
    runtime::daemon daemon{quick_settings()};
    daemon.every(1h, "shown", []() -> async::task<void> { co_return; });
    daemon.start_in_order({});
    running r{daemon};
    answer a;
    CHECK(testkit::eventually(20s, [&] {
        a = call(daemon.admin_port(), "GET", "/metrics");
        return a.body.find("coursegate_ready 1") != std::string::npos &&
               a.body.find("coursegate_ticks_total{outcome=\"good\",timer=\"shown\"} 1") != std::string::npos;
    }));
    CHECK(a.status == 200);
    CHECK_THAT(a.body, Contains("process_resident_memory_bytes"));
}

TEST_CASE("the log says when it is ready and how long that took, then every change")
{
    const log_lines lines;
    journal j;
    runtime::daemon daemon{quick_settings()};
    fake a{"broker", j};
    a.ok = false;
    daemon.start_in_order({a});
    running r{daemon};
    REQUIRE(call(daemon.admin_port(), "GET", "/ready").status == 503);
    CHECK_FALSE(lines.line_with_message("ready"));
    a.ok = true;
    REQUIRE(testkit::eventually(20s, [&] { return lines.line_with_message("ready").has_value(); }));
    const auto line = *lines.line_with_message("ready");
    CHECK(line["service"] == "test-daemon");
    CHECK(line["instance"] == "here:1:1");
    CHECK(line["ms"].get<int>() >= 0);
    CHECK(line["ms"].get<int>() < 300'000);
    CHECK(r.stop() == 0);
    CHECK(lines.line_with_message("stopped").has_value());
}

TEST_CASE("a component that does not stop in time is cancelled and does not keep the others from stopping")
{
    journal j;
    auto s = quick_settings();
    s.stop_limit = 30ms;
    runtime::daemon daemon{s};
    fake a{"a", j};
    fake b{"b", j};
    fake c{"c", j};
    b.stop_takes = 1h;
    c.stop_fails = true;
    const log_lines lines;
    daemon.start_in_order({a, b, c});
    running r{daemon};
    CHECK(r.stop() == 0);
    CHECK(j.count("stop b") == 1);
    CHECK(j.count("stopped b") == 0);
    CHECK(j.count("stopped a") == 1);
    CHECK_THAT(lines.text(), Contains("does not stop in time") && Contains("failed while stopping"));
}

TEST_CASE("a daemon asked to stop while it starts gives up the start and stops")
{
    journal j;
    runtime::daemon daemon{quick_settings()};
    fake a{"a", j};
    fake b{"b", j};
    fake c{"c", j};
    b.start_takes = 1h;
    std::thread other{[&] {
        testkit::eventually(20s, [&] { return j.count("start b") == 1; });
        daemon.request_stop();
    }};
    daemon.start_in_order({a, b, c});
    other.join();
    CHECK(daemon.run() == 0);
    CHECK(j.all() == std::vector<std::string>{
                         "start a", "started a", "start b", "stop b", "stopped b", "stop a", "stopped a"});
}

TEST_CASE("work that nobody waits for does not keep the daemon from ending")
{
    runtime::daemon daemon{quick_settings()};
    http::client client{daemon.executor()}; // keeps an idle connection and its timer
    daemon.start_in_order({});
    std::atomic<int> status{0};
    daemon.background().spawn("call", [&]() -> async::task<void> {
        http::client_request r;
        r.url = "http://127.0.0.1:" + std::to_string(daemon.admin_port()) + "/live";
        const auto got = co_await client.send(std::move(r));
        status = got.has_value() ? got->status : -1;
    });
    running r{daemon};
    REQUIRE(testkit::eventually(20s, [&] { return status != 0; }));
    CHECK(status == 200);
    const auto began = std::chrono::steady_clock::now();
    CHECK(r.stop() == 0);
    CHECK(std::chrono::steady_clock::now() - began < 4s);
}

TEST_CASE("a timer added after the start ticks")
{
    runtime::daemon daemon{quick_settings()};
    daemon.start_in_order({});
    std::atomic<int> ticks{0};
    daemon.every(1h, "late", [&]() -> async::task<void> {
        ++ticks;
        co_return;
    });
    running r{daemon};
    CHECK(testkit::eventually(20s, [&] { return ticks == 1; }));
}

TEST_CASE("SIGTERM drains and ends with 0")
{
    journal j;
    runtime::daemon daemon{quick_settings()};
    fake a{"a", j};
    daemon.start_in_order({a});
    running r{daemon};
    ::kill(::getpid(), SIGTERM);
    CHECK(r.wait() == 0);
    CHECK(j.count("stopped a") == 1);
}

TEST_CASE("a second signal ends the process at once")
{
    runtime::child c{[] {
        log::set_sink(nullptr);
        journal j;
        auto s = quick_settings();
        s.stop_limit = 1h;
        runtime::daemon daemon{s};
        fake a{"a", j};
        a.stop_takes = 1h;
        daemon.start_in_order({a});
        ::_exit(daemon.run());
    }};
    REQUIRE(c.says("\"ready\""));
    ::kill(c.pid(), SIGINT);
    REQUIRE(c.says("signal received"));
    ::kill(c.pid(), SIGTERM);
    CHECK(c.wait() == 128 + SIGTERM);
}

TEST_CASE(
    "what can't be stopped at all does not hang the end: the process leaves with 1 and the log says why")
{
    runtime::child c{[] {
        log::set_sink(nullptr);
        journal j;
        auto s = quick_settings();
        s.stop_limit = 20ms;
        runtime::daemon daemon{s};

        class stubborn final : public async::component
        {
        public:
            std::string_view name() const override { return "stubborn"; }
            async::task<void> start() override { co_return; }
            async::task<void> stop() override
            {
                // Takes no hint.
                co_await boost::asio::this_coro::reset_cancellation_state(
                    boost::asio::disable_cancellation());
                co_await async::sleep_for(1h);
            }
            async::health check() const override { return {}; }
        };
        stubborn x;
        daemon.start_in_order({x});
        daemon.request_stop();
        ::_exit(daemon.run());
    }};
    CHECK(c.wait() == 1);
    CHECK_THAT(c.output(), Contains("did not stop") && Contains("stubborn"));
}
