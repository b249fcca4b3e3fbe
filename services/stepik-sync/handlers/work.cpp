#include "handlers/work.hpp"

#include "coursegate/log/log.hpp"

namespace coursegate::stepik_sync {

async::task<void> stepik_calls::start()
{
    co_return;
}

async::task<void> stepik_calls::stop()
{
    co_await budget_.close();
}

async::task<void> work_brake::start()
{
    is_started_ = true;
    co_return;
}

async::task<void> work_brake::stop()
{
    budget_.refuse();
    if (!std::exchange(is_started_, false))
        co_return;
    try {
        co_await sweeps_.step_down();
    }
    catch (const base::dependency_down& e) {
        log::info("the schedule's lease runs out by itself", {{"error", e.what()}});
    }
}

} // namespace coursegate::stepik_sync
