// The one coroutine type of the project and the two ways to start one.
//
// g++ 12.2 destroys a brace-built aggregate or a value-capturing lambda twice when it stands in the same
// statement as co_await. Name it, then await it. In the condition of a loop it also runs a co_await behind &&
// or || that must not run: `while (more && co_await step())` steps once more when `more` is false. Write the
// await into the body. Catch2's CHECK and REQUIRE hold such a loop: awaited inside of them, everything
// happens twice.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <exception>
#include <functional>
#include <string>

namespace coursegate::async {

template <class T = void>
using task = boost::asio::awaitable<T>;

using executor = boost::asio::any_io_executor;

// Suspends the calling coroutine. A cancelled wait throws boost::system::system_error(operation_aborted).
task<void> sleep_for(std::chrono::microseconds d);

// The executor the calling coroutine runs on.
task<executor> this_executor();

// Posts to `ex` and goes on there: lets other work run between two slices of a long computation.
task<void> yield();

// True for the exception by which a cancelled wait ends. A loop that catches exceptions and goes on must let
// this one out: after a cancellation every further co_await throws it at once.
bool is_cancellation(const std::exception& e);

} // namespace coursegate::async
