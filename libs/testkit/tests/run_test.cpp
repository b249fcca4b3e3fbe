#include "coursegate/testkit/run.hpp"

#include <boost/asio/post.hpp>
#include <catch2/catch.hpp>

#include <thread>

using namespace coursegate;
using namespace std::chrono_literals;

TEST_CASE("a coroutine's value and its exception come out of run")
{
    boost::asio::io_context loop;
    CHECK(testkit::run(loop, []() -> async::task<int> {
        co_await async::yield();
        co_return 7;
    }) == 7);
    const auto fails = []() -> async::task<void> {
        co_await async::yield();
        throw std::out_of_range("x");
    };
    CHECK_THROWS_AS(testkit::run(loop, fails), std::out_of_range);
}

TEST_CASE("a coroutine that does not end fails the test after its limit")
{
    boost::asio::io_context loop;
    const auto forever = []() -> async::task<bool> {
        return testkit::eventually_async(1h, [] { return false; });
    };
    CHECK_THROWS_AS(testkit::run(loop, forever, 50ms), std::runtime_error);
}

TEST_CASE("eventually waits for the condition and no longer than its limit")
{
    int asked = 0;
    CHECK(testkit::eventually(5s, [&] { return ++asked == 3; }));
    CHECK_FALSE(testkit::eventually(30ms, [] { return false; }));

    boost::asio::io_context loop;
    bool flag = false;
    std::thread other([&] { boost::asio::post(loop, [&] { flag = true; }); });
    CHECK(testkit::run(loop, [&] { return testkit::eventually_async(5s, [&] { return flag; }); }));
    other.join();
    CHECK_FALSE(testkit::run(loop, [] { return testkit::eventually_async(30ms, [] { return false; }); }));
}

TEST_CASE("the fake clock moves when told to")
{
    testkit::fake_clock clock(base::time_point{});
    clock.advance(90s);
    CHECK(base::to_iso8601(clock.now()) == "1970-01-01T00:01:30.000000Z");
}
