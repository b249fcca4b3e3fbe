// The start/stop contract of everything a daemon is made of, and what it says about its health.
#pragma once

#include "coursegate/async/task.hpp"
#include "coursegate/base/clock.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace coursegate::async {

struct health
{
    bool ok = true;
    std::string detail;                          // one sentence when not ok; may inform when ok
    std::optional<base::time_point> last_work{}; // when it last completed a unit of work
};

class component
{
public:
    virtual ~component() = default;

    virtual std::string_view name() const = 0;

    // Returns when usable, or throws. A component that reconnects by itself may return before its first
    // connection; it then says so in check().
    virtual task<void> start() = 0;

    // Returns when fully stopped. May be called twice, or without start().
    virtual task<void> stop() = 0;

    // Never blocks, never throws; called on the daemon's executor.
    virtual health check() const = 0;
};

} // namespace coursegate::async
