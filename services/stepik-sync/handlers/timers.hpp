// What happens without a message: the schedule, the judgement of each connection, the clearing up.
#pragma once

#include "coursegate/runtime/daemon.hpp"
#include "handlers/connection_watch.hpp"
#include "storage/sweep_store.hpp"

namespace coursegate::stepik_sync {

// Registers them with the daemon; all arguments must outlive it.
void start_timers(
    runtime::daemon& daemon, sweep_store& sweeps, connection_watch& watch, std::chrono::seconds sweep_every);

// One tick of the schedule, with its metrics.
async::task<void> schedule_tick(sweep_store& sweeps);

} // namespace coursegate::stepik_sync
