// The budget of calls to Stepik, shared by all instances through the database: starts are spaced by the rate,
// at most `concurrency` calls are in flight, urgent calls go first, and a pause that Stepik asked for holds
// for everybody.
//
// Price: one short statement per call (it takes a slot and gives the finished ones back) and one more when
// nobody here waits for the slot that became free. Crash with a call in flight: the slot's lease, which is
// renewed while the call lasts, runs out.
#pragma once

#include "clients/call_budget.hpp"
#include "coursegate/async/gate.hpp"
#include "coursegate/async/signal.hpp"
#include "coursegate/db/pool.hpp"

#include <string>
#include <vector>

namespace coursegate::stepik_sync {

// Lives on one executor. close() before destruction.
class api_budget final : public call_budget
{
public:
    struct settings
    {
        double requests_per_second = 2;
        int concurrency = 2;
        std::chrono::milliseconds lease{15'000}; // renewed every third of it
        // Whoever waits longer is told `busy`. Well below the 30 s after which a queue that nothing comes
        // through makes the daemon unready.
        std::chrono::milliseconds patience{15'000};
        std::chrono::milliseconds structure_patience{120'000};
        std::string holder; // the instance, for people who look into the table
    };

    api_budget(async::executor ex, db::pool& pool, settings s);
    ~api_budget() override;

    async::task<base::result<call_permit>> enter(lane l) override;
    async::task<void> pause(std::chrono::milliseconds d) override;

    // Whoever waits, and whoever comes, gets base::dependency_down: its message is handed back to the queue.
    void refuse();
    // refuse(), then waits until what is to be given back is given back.
    async::task<void> close();

private:
    struct impl;
    std::shared_ptr<impl> impl_;
};

} // namespace coursegate::stepik_sync
