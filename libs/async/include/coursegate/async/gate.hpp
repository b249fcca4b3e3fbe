// A gate counts the coroutines that run in the background of one owner, so that stop() can wait for them:
// nothing in this project is started that nobody waits for.
#pragma once

#include "coursegate/async/task.hpp"

#include <functional>
#include <memory>
#include <string>

namespace coursegate::async {

// Lives on one executor (not thread safe). The owner awaits close() before it is destroyed.
class gate
{
public:
    explicit gate(executor ex);
    ~gate(); // asserts that nothing runs any more
    gate(const gate&) = delete;
    gate& operator=(const gate&) = delete;

    // Starts `body()` on the executor. An exception that leaves it is logged under `name` (log::error) and
    // counted, never lost. After close() began nothing starts and false is returned.
    bool spawn(std::string name, std::function<task<void>()> body);

    bool is_closing() const;
    std::size_t running() const;

    // Asks every running coroutine to stop (cancellation: a pending wait throws operation_aborted) unless
    // `cancel` is false, and returns when all have ended. May be called twice.
    task<void> close(bool cancel = true);

private:
    struct impl;
    std::shared_ptr<impl> impl_;
};

} // namespace coursegate::async
