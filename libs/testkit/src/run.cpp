#include "coursegate/testkit/run.hpp"

#include <boost/asio/co_spawn.hpp>

#include <fmt/format.h>

#include <stdexcept>
#include <thread>

namespace coursegate::testkit {

void run_void(
    boost::asio::io_context& loop, std::function<async::task<void>()> body, std::chrono::milliseconds limit)
{
    bool done = false;
    std::exception_ptr fault;
    boost::asio::co_spawn(
        loop, [&body]() -> async::task<void> { co_await body(); },
        [&](std::exception_ptr e) {
            fault = std::move(e);
            done = true;
        });

    const auto until = std::chrono::steady_clock::now() + limit;
    loop.restart();
    while (!done && std::chrono::steady_clock::now() < until)
        if (loop.run_one_until(until) == 0 && loop.stopped() && !done) {
            // Nothing is left to wake the coroutine: another thread has to (it then posts to the loop).
            loop.restart();
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
        }
    if (!done)
        throw std::runtime_error(fmt::format("the coroutine did not end within {} ms", limit.count()));
    if (fault)
        std::rethrow_exception(fault);
}

bool eventually(std::chrono::milliseconds limit, const std::function<bool()>& done)
{
    const auto until = std::chrono::steady_clock::now() + limit;
    for (;;) {
        if (done())
            return true;
        if (std::chrono::steady_clock::now() >= until)
            return false;
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
}

async::task<bool> eventually_async(std::chrono::milliseconds limit, std::function<bool()> done)
{
    const auto until = std::chrono::steady_clock::now() + limit;
    for (;;) {
        if (done())
            co_return true;
        if (std::chrono::steady_clock::now() >= until)
            co_return false;
        co_await async::sleep_for(std::chrono::milliseconds(10));
    }
}

} // namespace coursegate::testkit
