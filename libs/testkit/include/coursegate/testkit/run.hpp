// Running coroutines and waiting in tests. There is no sleep in a test: wait for a condition or a signal.
#pragma once

#include "coursegate/async/task.hpp"
#include "coursegate/base/clock.hpp"

#include <boost/asio/io_context.hpp>

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <type_traits>

namespace coursegate::testkit {

// Runs one coroutine to its end on a fresh loop and returns its value or rethrows. Fails the test after
// `limit`.
void run_void(
    boost::asio::io_context& loop, std::function<async::task<void>()> body, std::chrono::milliseconds limit);

template <class F>
auto run(boost::asio::io_context& loop, F body, std::chrono::milliseconds limit = std::chrono::seconds(30))
{
    using R = typename std::invoke_result_t<F&>::value_type;
    if constexpr (std::is_void_v<R>)
        run_void(
            loop, [&body]() -> async::task<void> { co_await body(); }, limit);
    else {
        std::optional<R> out;
        run_void(
            loop, [&body, &out]() -> async::task<void> { out.emplace(co_await body()); }, limit);
        return std::move(*out);
    }
}

// Polls `done` (every 10 ms) until it is true. False after `limit`. The blocking form is for tests without a
// loop.
bool eventually(std::chrono::milliseconds limit, const std::function<bool()>& done);
async::task<bool> eventually_async(std::chrono::milliseconds limit, std::function<bool()> done);

// Time that moves only when told to.
class fake_clock final : public base::clock
{
public:
    explicit fake_clock(base::time_point start = base::now()) : now_(start) {}
    base::time_point now() const override { return now_; }
    void advance(std::chrono::microseconds d) { now_ += d; }

private:
    base::time_point now_;
};

} // namespace coursegate::testkit
