#include "handlers/timers.hpp"

#include "coursegate/log/log.hpp"
#include "coursegate/metrics/metrics.hpp"

namespace coursegate::stepik_sync {

using namespace std::chrono_literals;

async::task<void> schedule_tick(sweep_store& sweeps)
{
    static auto& leads =
        metrics::get_gauge("coursegate_stepik_leader", "1 where this instance leads the schedule");
    static auto& again = metrics::get_counter("coursegate_stepik_pages_again_total",
        "Pages that were scheduled again after a failure or a silence");
    const auto report = co_await sweeps.schedule();
    if (report.leads != (leads.value() > 0))
        log::info(report.leads ? "this instance leads the schedule" : "another instance leads the schedule",
            {{"term", report.term}});
    leads.set(report.leads ? 1 : 0);
    again.increment(report.pages_again);
    if (report.sweeps_begun + report.structures_due + report.requests_given_up > 0)
        log::debug("scheduled", {{"sweeps", report.sweeps_begun}, {"structures", report.structures_due},
                                    {"requests_given_up", report.requests_given_up}});
}

void start_timers(
    runtime::daemon& daemon, sweep_store& sweeps, connection_watch& watch, std::chrono::seconds sweep_every)
{
    // Sweeps may be seconds apart (demonstrations, tests); then a second of delay would show.
    const std::chrono::milliseconds beat = sweep_every < 10s ? 250ms : 1000ms;
    daemon.every(beat, "schedule", [&sweeps] { return schedule_tick(sweeps); });
    daemon.every(10s, "course-health", [&watch] { return watch.judge_all(); });
    daemon.every(1h, "clear-up", [&sweeps] { return sweeps.purge(); });
}

} // namespace coursegate::stepik_sync
