// A wake-up: "something may have changed, look". Setting it twice before anybody waits is one wake-up.
#pragma once

#include "coursegate/async/task.hpp"

#include <chrono>
#include <memory>

namespace coursegate::async {

// set() may be called from any thread; wait_for() on the owner's executor by one coroutine at a time.
class signal
{
public:
    explicit signal(executor ex);
    ~signal();
    signal(const signal&) = delete;
    signal& operator=(const signal&) = delete;

    void set();

    // True when the signal was set (now or while waiting; it is consumed), false when `longest` passed.
    task<bool> wait_for(std::chrono::microseconds longest);

private:
    struct impl;
    std::shared_ptr<impl> impl_;
};

// At most `permits` coroutines at a time hold one. Same executor only. First come, first served.
class semaphore
{
public:
    semaphore(executor ex, std::size_t permits);
    ~semaphore();

    class permit // gives itself back
    {
    public:
        permit() = default;
        explicit permit(std::shared_ptr<void> hold) : hold_(std::move(hold)) {}

    private:
        std::shared_ptr<void> hold_;
    };

    task<permit> acquire();
    std::size_t waiting() const;

private:
    struct impl;
    std::shared_ptr<impl> impl_;
};

} // namespace coursegate::async
