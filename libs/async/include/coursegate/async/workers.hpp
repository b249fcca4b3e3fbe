// A few threads for what blocks or computes long and has no asynchronous form, such as a look into a broker's
// queue. The database has threads of its own (libs/db).
//
//   const auto look = [broker] { return amqp::inspector(broker).depth("…"); };
//   const auto depth = co_await threads.run(look);
#pragma once

#include "coursegate/async/component.hpp"

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>

namespace coursegate::async {

// There is no room in the queue: the caller says "later" instead of making everybody wait. Nothing was
// started.
class busy : public std::runtime_error
{
public:
    using std::runtime_error::runtime_error;
};

struct workers_settings
{
    std::string name; // of the metric and the health check
    int threads = 2;
    std::size_t queue = 32; // waiting for a thread, beyond those that run
};

// run() from any coroutine; the function runs on one of the threads, awaiting resumes on the coroutine's own
// executor. What has begun is not cancelled with its coroutine: it ends, and its result is dropped. stop()
// lets the queue run empty; run() then throws busy.
class workers final : public component
{
public:
    explicit workers(workers_settings s);
    ~workers() override;

    // Throws busy, or what `work` threw.
    template <class F>
    auto run(F work) -> task<std::invoke_result_t<F&>>
    {
        using R = std::invoke_result_t<F&>;
        // Shared, since the coroutine may be gone before the work is done.
        auto state = std::make_shared<std::pair<F, std::optional<R>>>(std::move(work), std::nullopt);
        std::function<void()> erased = [state] { state->second.emplace(state->first()); };
        co_await submit(std::move(erased));
        co_return std::move(*state->second);
    }

    std::string_view name() const override;
    task<void> start() override;
    task<void> stop() override;
    health check() const override;

private:
    task<void> submit(std::function<void()> work);

    struct impl;
    std::shared_ptr<impl> impl_;
};

} // namespace coursegate::async
