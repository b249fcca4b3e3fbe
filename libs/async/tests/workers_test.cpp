#include "coursegate/async/gate.hpp"
#include "coursegate/async/workers.hpp"
#include "coursegate/testkit/run.hpp"

#include <catch2/catch.hpp>

#include <atomic>
#include <future>
#include <thread>

using namespace coursegate;

TEST_CASE("work runs on another thread, and its result or fault comes back to the loop")
{
    boost::asio::io_context loop;
    async::workers pool({"test", 1, 1});
    testkit::run(loop, [&]() -> async::task<void> {
        const auto here = std::this_thread::get_id();
        const auto there = [] { return std::this_thread::get_id(); };
        const auto ran_on = co_await pool.run(there);
        CHECK(ran_on != here);
        CHECK(std::this_thread::get_id() == here);
        const auto broken = []() -> int { throw std::domain_error("it does not work"); };
        std::string fault;
        try {
            co_await pool.run(broken);
        }
        catch (const std::domain_error& e) {
            fault = e.what();
        }
        CHECK(fault == "it does not work");
        co_await pool.stop();
    });
}

TEST_CASE("what finds no room is refused at once and never runs; what waits runs to its end")
{
    boost::asio::io_context loop;
    async::workers pool({"test", 1, 1});
    testkit::run(loop, [&]() -> async::task<void> {
        std::promise<void> open;
        const auto opened = open.get_future().share();
        std::atomic<int> ran{0};
        const auto work = [&ran, opened] {
            opened.wait();
            return ++ran;
        };
        async::gate gate{co_await async::this_executor()};
        for (int i = 0; i < 2; ++i) // one runs, one waits
            gate.spawn("work", [&]() -> async::task<void> { co_await pool.run(work); });
        co_await async::yield();
        bool refused = false;
        try {
            co_await pool.run(work);
        }
        catch (const async::busy&) {
            refused = true;
        }
        CHECK(refused);
        open.set_value();
        co_await pool.stop();
        co_await gate.close(false);
        CHECK(ran == 2);
        refused = false;
        try {
            co_await pool.run(work); // it is stopped
        }
        catch (const async::busy&) {
            refused = true;
        }
        CHECK(refused);
    });
}
