#include "coursegate/async/gate.hpp"
#include "coursegate/async/signal.hpp"
#include "coursegate/testkit/run.hpp"

#include <boost/asio/error.hpp>
#include <boost/system/system_error.hpp>

#include <catch2/catch.hpp>

#include <atomic>
#include <thread>

using namespace coursegate;
using namespace std::chrono_literals;

TEST_CASE("setting a signal twice before anybody waits is one wake-up")
{
    boost::asio::io_context loop;
    testkit::run(loop, []() -> async::task<void> {
        async::signal s{co_await async::this_executor()};
        s.set();
        s.set();
        const bool first = co_await s.wait_for(1h);
        const bool second = co_await s.wait_for(1ms);
        const bool third = co_await s.wait_for(0ms);
        s.set();
        const bool again = co_await s.wait_for(0ms);
        CHECK(first);
        CHECK_FALSE(second);
        CHECK_FALSE(third);
        CHECK(again);
    });
}

TEST_CASE("a signal without an end to its wait can be asked for")
{
    boost::asio::io_context loop;
    testkit::run(loop, []() -> async::task<void> {
        async::signal s{co_await async::this_executor()};
        async::gate gate{co_await async::this_executor()};
        bool woken = false;
        gate.spawn("waiter",
            [&]() -> async::task<void> { woken = co_await s.wait_for(std::chrono::microseconds::max()); });
        co_await async::yield();
        s.set();
        co_await gate.close(false);
        CHECK(woken);
    });
}

TEST_CASE("a signal set from other threads wakes its waiter and loses nothing")
{
    boost::asio::io_context loop;
    constexpr int rounds = 5000;
    std::atomic<int> produced{0};
    std::atomic<int> consumed{0};
    testkit::run(loop, [&]() -> async::task<void> {
        async::signal s{co_await async::this_executor()};
        std::thread producer{[&] {
            for (int i = 1; i <= rounds; ++i) {
                produced = i;
                s.set();
                if (i % 50 == 0) // now and then only after the waiter has caught up and waits again
                {
                    while (consumed < i)
                        std::this_thread::yield();
                }
            }
        }};
        bool in_time = true;
        while (consumed < rounds && in_time) {
            in_time = co_await s.wait_for(20s);
            consumed = produced.load();
        }
        CHECK(in_time);
        producer.join();
    });
    CHECK(consumed == rounds);
}

TEST_CASE("a wake-up is quick")
{
    boost::asio::io_context loop;
    testkit::run(loop, []() -> async::task<void> {
        async::signal s{co_await async::this_executor()};
        const auto began = std::chrono::steady_clock::now();
        std::thread other{[&] { s.set(); }};
        const bool woken = co_await s.wait_for(10s);
        CHECK(woken);
        CHECK(std::chrono::steady_clock::now() - began < 5s);
        other.join();
    });
}

TEST_CASE("a cancelled wait throws, and the signal works for the next one")
{
    boost::asio::io_context loop;
    testkit::run(loop, []() -> async::task<void> {
        async::signal s{co_await async::this_executor()};
        bool thrown = false;
        {
            async::gate gate{co_await async::this_executor()};
            gate.spawn("waiter", [&]() -> async::task<void> {
                try {
                    co_await s.wait_for(1h);
                }
                catch (const std::exception& e) {
                    thrown = async::is_cancellation(e);
                }
            });
            co_await async::yield();
            co_await gate.close();
        }
        CHECK(thrown);
        s.set();
        const bool woken = co_await s.wait_for(1h);
        CHECK(woken);
    });
    CHECK_FALSE(async::is_cancellation(std::runtime_error("x")));
    CHECK_FALSE(async::is_cancellation(boost::system::system_error(boost::asio::error::eof)));
}

TEST_CASE("no more coroutines than permits hold one, first come first served")
{
    boost::asio::io_context loop;
    testkit::run(loop, []() -> async::task<void> {
        async::semaphore permits{co_await async::this_executor(), 2};
        async::gate gate{co_await async::this_executor()};
        int holding = 0;
        int most = 0;
        std::vector<int> order;
        for (int i = 0; i < 10; ++i) {
            gate.spawn("holder", [&, i]() -> async::task<void> {
                const auto held = co_await permits.acquire();
                order.push_back(i);
                most = std::max(most, ++holding);
                co_await async::sleep_for(1ms); // takes time
                --holding;
            });
        }
        co_await async::yield();
        co_await gate.close(false);
        CHECK(most == 2);
        CHECK(order == std::vector<int>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9});
        CHECK(permits.waiting() == 0);
    });
}

TEST_CASE("a cancelled place in the queue costs no permit")
{
    boost::asio::io_context loop;
    testkit::run(loop, []() -> async::task<void> {
        async::semaphore permits{co_await async::this_executor(), 1};
        async::gate gate{co_await async::this_executor()};
        {
            const auto held = co_await permits.acquire();
            gate.spawn("gives up", [&]() -> async::task<void> { co_await permits.acquire(); });
            co_await async::yield();
            CHECK(permits.waiting() == 1);
            co_await gate.close();
            CHECK(permits.waiting() == 0);
        }
        const auto again = co_await permits.acquire();
        CHECK(permits.waiting() == 0);
    });
}

TEST_CASE("a permit granted to a coroutine that is cancelled at the same moment is passed on")
{
    boost::asio::io_context loop;
    testkit::run(loop, []() -> async::task<void> {
        async::semaphore permits{co_await async::this_executor(), 1};
        async::gate gate{co_await async::this_executor()};
        auto held = co_await permits.acquire();
        gate.spawn("cancelled", [&]() -> async::task<void> {
            const auto mine = co_await permits.acquire();
            co_await async::sleep_for(1h);
        });
        co_await async::yield();
        held = {}; // grants, before the waiter runs
        co_await gate.close();
        const auto again = co_await permits.acquire();
        CHECK(permits.waiting() == 0);
    });
}

TEST_CASE("yield lets others run")
{
    boost::asio::io_context loop;
    testkit::run(loop, []() -> async::task<void> {
        async::gate gate{co_await async::this_executor()};
        bool other_ran = false;
        gate.spawn("other", [&]() -> async::task<void> {
            other_ran = true;
            co_return;
        });
        co_await async::yield();
        co_await async::yield();
        CHECK(other_ran);
        co_await gate.close();
    });
}
