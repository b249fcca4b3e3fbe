#include "coursegate/async/gate.hpp"

#include "coursegate/async/signal.hpp"
#include "coursegate/log/log.hpp"
#include "coursegate/metrics/metrics.hpp"
#include "coursegate/testkit/run.hpp"

#include <catch2/catch.hpp>

#include <stdexcept>

using namespace coursegate;
using namespace std::chrono_literals;

namespace {

std::string logged; // one loop, one thread

void keep(std::string_view line)
{
    logged += line;
}

struct capture
{
    capture() : before(log::set_sink(&keep)) { logged.clear(); }
    ~capture() { log::set_sink(before); }
    log::sink before;
};

} // namespace

TEST_CASE("close waits for what runs")
{
    boost::asio::io_context loop;
    int finished = 0;
    testkit::run(loop, [&]() -> async::task<void> {
        async::gate gate{co_await async::this_executor()};
        for (int i = 0; i < 3; ++i) {
            gate.spawn("worker", [&]() -> async::task<void> {
                co_await async::sleep_for(20ms); // takes time
                ++finished;
            });
        }
        CHECK(gate.running() == 3);
        co_await gate.close(false);
        CHECK(finished == 3);
        CHECK(gate.running() == 0);
        CHECK(gate.is_closing());
        co_await gate.close(); // a second time
    });
}

TEST_CASE("close cancels what waits, and that is no failure")
{
    boost::asio::io_context loop;
    const capture lines;
    bool unwound = false;
    testkit::run(loop, [&]() -> async::task<void> {
        async::gate gate{co_await async::this_executor()};
        gate.spawn("sleeper", [&]() -> async::task<void> {
            const std::shared_ptr<void> on_exit(nullptr, [&](void*) { unwound = true; });
            co_await async::sleep_for(1h);
        });
        async::signal never{co_await async::this_executor()};
        gate.spawn("listener", [&]() -> async::task<void> { co_await never.wait_for(1h); });
        async::semaphore none{co_await async::this_executor(), 0};
        gate.spawn("queuing", [&]() -> async::task<void> { co_await none.acquire(); });
        co_await async::yield();
        CHECK(gate.running() == 3);
        co_await gate.close();
        CHECK(none.waiting() == 0);
    });
    CHECK(unwound);
    CHECK(logged.empty());
}

TEST_CASE("a closing gate starts nothing")
{
    boost::asio::io_context loop;
    testkit::run(loop, []() -> async::task<void> {
        async::gate gate{co_await async::this_executor()};
        co_await gate.close();
        bool ran = false;
        CHECK_FALSE(gate.spawn("late", [&]() -> async::task<void> {
            ran = true;
            co_return;
        }));
        co_await async::yield();
        CHECK_FALSE(ran);
    });
}

TEST_CASE("an exception that leaves background work is logged under its name and counted")
{
    boost::asio::io_context loop;
    const capture lines;
    auto& count = metrics::get_counter("coursegate_background_failures_total",
        "Background coroutines that ended with an exception", {{"name", "broken worker"}});
    const auto before = count.value();
    testkit::run(loop, []() -> async::task<void> {
        async::gate gate{co_await async::this_executor()};
        gate.spawn("broken worker", []() -> async::task<void> {
            co_await async::yield();
            throw std::runtime_error("the disk is full");
        });
        gate.spawn("broken worker", []() -> async::task<void> { throw std::logic_error("at once"); });
        gate.spawn("broken worker", []() -> async::task<void> {
            co_await async::yield();
            throw 42;
        });
        co_await gate.close(false);
    });
    CHECK_THAT(
        logged, Catch::Matchers::Contains("broken worker") && Catch::Matchers::Contains("the disk is full") &&
                    Catch::Matchers::Contains("at once") && Catch::Matchers::Contains("\"level\":\"error\""));
    CHECK(count.value() == before + 3);
}

TEST_CASE("an exception while closing is still a failure")
{
    boost::asio::io_context loop;
    const capture lines;
    testkit::run(loop, []() -> async::task<void> {
        async::gate gate{co_await async::this_executor()};
        gate.spawn("breaks on exit", []() -> async::task<void> {
            try {
                co_await async::sleep_for(1h);
            }
            catch (const std::exception&) {
                throw std::runtime_error("could not clean up");
            }
        });
        co_await async::yield();
        co_await gate.close();
    });
    CHECK_THAT(logged, Catch::Matchers::Contains("could not clean up"));
}

TEST_CASE("captures of the body live as long as the coroutine")
{
    boost::asio::io_context loop;
    std::weak_ptr<int> watched;
    testkit::run(loop, [&]() -> async::task<void> {
        async::gate gate{co_await async::this_executor()};
        int seen = 0;
        {
            const auto held = std::make_shared<int>(7);
            watched = held;
            gate.spawn("holder", [held, &seen]() -> async::task<void> {
                co_await async::sleep_for(5ms); // takes time
                seen = *held;
            });
        }
        CHECK_FALSE(watched.expired());
        co_await gate.close(false);
        CHECK(seen == 7);
    });
    CHECK(watched.expired());
}
