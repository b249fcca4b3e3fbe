#include "coursegate/async/task.hpp"

#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>

#include <algorithm>

namespace coursegate::async {

namespace asio = boost::asio;

task<void> sleep_for(std::chrono::microseconds d)
{
    // Longer than a century would overflow the clock's nanoseconds.
    constexpr std::chrono::microseconds longest = std::chrono::hours{24 * 365 * 100};
    asio::steady_timer timer{co_await asio::this_coro::executor};
    timer.expires_after(std::min(d, longest));
    co_await timer.async_wait(asio::use_awaitable);
}

task<executor> this_executor()
{
    co_return co_await asio::this_coro::executor;
}

task<void> yield()
{
    const executor ex = co_await asio::this_coro::executor;
    co_await asio::post(ex, asio::use_awaitable);
}

bool is_cancellation(const std::exception& e)
{
    const auto* const failure = dynamic_cast<const boost::system::system_error*>(&e);
    return failure != nullptr && failure->code() == asio::error::operation_aborted;
}

} // namespace coursegate::async
