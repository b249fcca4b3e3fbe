// Sweeps: who begins one, which page is whose, when it is over.
//
// The leader (a row lease whose renewal is part of the same transaction, so that a leader of yesterday writes
// nothing) begins sweeps and puts their pages into the outbox as sweep_page_due. Any instance may get a page:
// it claims the page's row, reads it from Stepik, and saves rows, passes, events and the page's done mark in
// one transaction. A page event that is lost or doubled is harmless: claims and done marks are per (sweep,
// page), and the leader schedules again what does not get on.
#pragma once

#include "coursegate/base/uuid.hpp"
#include "coursegate/db/pool.hpp"
#include "coursegate/events/envelope.hpp"
#include "coursegate/events/sweep_page_due.hpp"
#include "storage/course_row.hpp"
#include "storage/rows.hpp"

#include <chrono>
#include <optional>
#include <string>

namespace coursegate::stepik_sync {

struct page_claim
{
    course_row course;
    base::uuid sweep_id;
    int page = 0;
    bool is_first_sweep = false;
    bool was_unwell = false;       // the connection's health has something to take back when this works
    base::time_point claimed_at{}; // the database's clock, at the moment below
    std::chrono::steady_clock::time_point claimed_here{};

    // The database's time of a moment of this process: rows read by different instances are put in order by
    // it.
    base::time_point database_time(std::chrono::steady_clock::time_point t) const
    {
        return claimed_at + std::chrono::duration_cast<base::duration>(t - claimed_here);
    }
};

struct page_saved
{
    rows_saved rows;
    bool sweep_ended = false;
    std::chrono::duration<double> sweep_took{0};
};

struct schedule_report
{
    bool leads = false;
    std::int64_t term = 0;
    int sweeps_begun = 0;
    int pages_again = 0;
    int structures_due = 0;
    int requests_given_up = 0;
};

class sweep_store
{
public:
    struct settings
    {
        std::string instance; // holder of the lease
        std::chrono::milliseconds lease{10'000};
        std::chrono::seconds sweep_every{300};
        double requests_per_second = 2;
    };

    sweep_store(db::pool& pool, settings s);

    // One tick of the schedule, one transaction: takes or renews the lease and, when this instance leads,
    // puts everything that is due into the outbox. Crash: the next tick, here or elsewhere, finds the same
    // things due.
    async::task<schedule_report> schedule();
    // Old sweeps, requests and cooldowns. Any instance, any time.
    async::task<void> purge();
    async::task<void> step_down(); // clean stop: the next leader need not wait for the lease

    // nullopt: nothing to do (done, ended, claimed by another message, beyond the last page, of an older
    // term).
    async::task<std::optional<page_claim>> claim(const events::sweep_page_due& e, base::uuid message_id);

    // `last` the page says that it is the last one.
    async::task<page_saved> save(
        const page_claim& claim, bool last, int rows_on_page, int malformed, const rows_to_save& rows);

    // Stepik has no such page. True: the sweep is known to end before it. Otherwise the page is read again:
    // soon when the page before it is not read yet, as after a failure when that one promised this one.
    async::task<bool> not_there(const page_claim& claim);

    // Stepik could not be asked: the page is scheduled again when a pause is over, or soon. No failure.
    async::task<void> postpone(const page_claim& claim);

    // The page failed. `for_good`: so would the others, the sweep has failed. Otherwise the page rests and is
    // scheduled again, until it failed too often.
    async::task<void> fail(const page_claim& claim, bool for_good);

    // The course was paused or taken out of the catalogue.
    async::task<void> abandon(const page_claim& claim);

private:
    db::pool& pool_;
    settings settings_;
};

} // namespace coursegate::stepik_sync
