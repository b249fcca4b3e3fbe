// The workers: they look at named students, call Boomstream, write down what it answered, and read back what
// nobody knows.
//
// One loop per lane takes named students and due calls; calls run beside it; answers that arrive at the same
// moment are written in one transaction. All of it on the daemon's executor; only transactions run on the
// database's threads.
#pragma once

#include "clients/video_provider.hpp"
#include "coursegate/async/component.hpp"
#include "coursegate/async/gate.hpp"
#include "coursegate/async/signal.hpp"
#include "coursegate/base/keyring.hpp"
#include "coursegate/db/pool.hpp"
#include "handlers/call_budget.hpp"
#include "handlers/reconciler.hpp"
#include "handlers/together.hpp"
#include "storage/audits.hpp"

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

namespace coursegate::boomstream_grant {

struct worker_settings
{
    budget_settings budget;
    std::chrono::milliseconds call_deadline{10'000}; // of one call to Boomstream
    std::chrono::milliseconds poll{1'000};           // the truth behind the wake-ups
    int students_at_once = 64;                       // fresh lane; backfill takes a quarter
    int daily_audit_budget = 100;                    // repairs of a daily audit
};

// Must be registered before the pool starts. Outlives nothing it is given.
class workers final : public async::component
{
public:
    workers(async::executor ex, db::pool& db, const base::keyring& keys, video_provider& provider,
        worker_settings s);
    ~workers() override;

    std::string_view name() const override { return "workers"; }
    async::task<void> start() override;

    // No new calls; waits for those on their way and for their answers to be written (at most call_deadline
    // and a bit).
    async::task<void> stop() override;

    // Not ok: a loop has not come round for a minute.
    async::health check() const override;

    // Timers of the daemon; each is one short look.
    async::task<void> name_unfinished(); // every 15 s
    async::task<void> name_stale();      // every minute: everybody within an hour
    async::task<void> report();          // every 15 s: health rows and gauges
    async::task<void> order_daily_audits();

private:
    struct side // one lane
    {
        side(const async::executor& ex, lane w) : way(w), wake(std::make_shared<async::signal>(ex)) {}
        lane way;
        std::shared_ptr<async::signal> wake;  // shared with the pool, which sets it from its threads
        bool calls_may_wait = true;           // some call of this lane may be due
        std::chrono::microseconds retry_in{}; // a call is due and may go out then
        std::chrono::steady_clock::time_point next_poll{}; // then calls are looked for, woken or not
        std::chrono::steady_clock::time_point last_turn = std::chrono::steady_clock::now();
    };

    side& of(lane way) { return way == lane::fresh ? fresh_ : backfill_; }
    async::task<void> lane_loop(lane way);
    async::task<bool> turn(side& s);
    async::task<bool> anything_waits(lane way);
    void start_calls(lane way, std::vector<call> calls);
    async::task<void> make(call c);
    async::task<void> settle(std::vector<call_result> results);
    async::task<void> unclear_loop();
    async::task<void> read_back_all();
    async::task<void> probe_all();
    async::task<void> read_back_one(unclear_list u);
    async::task<bool> wait_for_permit();
    async::task<void> probe_one(std::int64_t course_id, base::secret key, std::string subscription);
    async::task<void> audit_loop();
    async::task<void> audit(audit_start a);
    async::task<answer<std::vector<listed_buyer>>> list_for_audit(
        audit_order a, base::secret key, std::string subscription);
    std::chrono::seconds audit_claim() const;
    void wake_lanes();
    void after(const settling& s);
    std::chrono::milliseconds asked_for() const { return settings_.call_deadline + std::chrono::seconds(10); }

    async::executor executor_;
    db::pool& db_;
    const base::keyring& keys_;
    video_provider& provider_;
    worker_settings settings_;
    course_books books_;
    side fresh_, backfill_;
    std::shared_ptr<async::signal> unknown_wake_, audit_wake_;
    call_budget budget_;
    together<call_result> answers_;
    async::gate loops_;
    async::gate calls_;
    std::set<std::string> reading_; // subscriptions whose list is being read, or waits for its turn
    std::map<std::int64_t, std::chrono::steady_clock::time_point> noted_; // courses noted as good
    bool stopping_ = false;
    std::optional<base::time_point> last_work_;
};

} // namespace coursegate::boomstream_grant
