// How many calls to Boomstream may go out, and whose turn it is.
//
// Two limits. Calls in flight: per process (BOOMSTREAM_CONCURRENCY); a quarter of them, at least one where
// there are two, is kept for fresh passes. Calls per second (BOOMSTREAM_REQUESTS_PER_SECOND): shared by all
// instances through one row of the database, taken in slices so that it costs a short statement per slice and
// not per call. While fresh passes wait, backfill gets nothing.
#pragma once

#include "coursegate/async/task.hpp"
#include "coursegate/db/pool.hpp"
#include "domain/types.hpp"

#include <chrono>
#include <functional>
#include <string>

namespace coursegate::boomstream_grant {

struct budget_settings
{
    double rate = 5;     // calls per second, all instances together; 0: no limit
    int concurrency = 4; // calls in flight, this process
};

struct permits
{
    int calls = 0; // may start at once
    // With 0 calls: when it is worth asking again. Zero: as soon as on_free is called.
    std::chrono::microseconds retry_in{};
};

// Lives on one executor.
class call_budget
{
public:
    // `circuit` answers "closed", "open" or "trial"; `on_free` is called when somebody was turned away and
    // now there is room.
    call_budget(
        db::pool& db, budget_settings s, std::function<std::string()> circuit, std::function<void()> on_free);

    // Takes up to `most` calls. Each must be given back by finished() or unused(). Asks the database only
    // when `ask` is true and the last slice is used up. Throws base::dependency_down.
    async::task<permits> take(lane way, int most, bool ask);

    void finished(lane way);          // a call has ended
    void unused(lane way, int calls); // taken and not made

    // Fresh calls wait for their turn: backfill steps back.
    void fresh_waits(bool yes) { fresh_waits_ = yes; }

    // Boomstream said "too many requests": what is left of the slice is dropped and nothing taken for so
    // long.
    void pause(std::chrono::milliseconds d);

    int in_flight() const { return fresh_ + backfill_; }
    const budget_settings& settings() const { return settings_; }

private:
    using steady = std::chrono::steady_clock;

    int free_slots(lane way) const;
    void room();

    db::pool& db_;
    budget_settings settings_;
    std::function<std::string()> circuit_;
    std::function<void()> on_free_;
    int fresh_ = 0, backfill_ = 0; // in flight
    int tokens_ = 0;               // of the last slice
    steady::time_point tokens_from_{}, tokens_until_{};
    bool fresh_waits_ = false;
    bool turned_away_ = false;
};

} // namespace coursegate::boomstream_grant
