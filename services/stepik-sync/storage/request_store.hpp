// "Check me now": one student, one call, one answer.
//
// learning.sync_requests keys everything by the request's id, so a message delivered twice, or again after a
// crash, ends in one answer: the answer's event commits with the row that says it was given.
#pragma once

#include "coursegate/db/pool.hpp"
#include "coursegate/events/envelope.hpp"
#include "coursegate/events/sync_requested.hpp"
#include "storage/course_row.hpp"
#include "storage/rows.hpp"

#include <chrono>
#include <optional>
#include <string>

namespace coursegate::stepik_sync {

struct request_turn
{
    enum class state
    {
        answered, // before, or just now as "cooldown": nothing to do
        open,     // ask Stepik
    };
    state what = state::answered;
    course_row course;
    base::time_point opened_at{}; // the database's clock, at the moment below
    std::chrono::steady_clock::time_point opened_here{};

    base::time_point database_time(std::chrono::steady_clock::time_point t) const
    {
        return opened_at + std::chrono::duration_cast<base::duration>(t - opened_here);
    }
};

class request_store
{
public:
    request_store(db::pool& pool, std::chrono::seconds cooldown);

    // Writes the request down (once) and looks at the cooldown: another request for the same student within
    // it is answered at once. The same request may come again.
    async::task<request_turn> open(const events::sync_requested& e, events::cause because);

    // The row was read: saves it as a sweep would and answers "checked", in one transaction.
    async::task<rows_saved> checked(const events::sync_requested& e, const rows_to_save& rows);

    // "not_enrolled" or "failed", with a sentence.
    async::task<void> answer(
        const events::sync_requested& e, std::string outcome, std::string detail, events::cause because);

private:
    db::pool& pool_;
    std::chrono::seconds cooldown_;
};

} // namespace coursegate::stepik_sync
