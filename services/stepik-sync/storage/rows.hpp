// Rows of the grade book into the database: what is new, what changed, who passed what. Part of a transaction
// that also marks the page or answers the request, so that progress and its events exist together or not at
// all.
#pragma once

#include "coursegate/base/result.hpp"
#include "coursegate/db/pool.hpp"
#include "coursegate/events/envelope.hpp"
#include "domain/grades.hpp"

#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace coursegate::stepik_sync {

// How the results of a changed row are parsed; called inside the transaction, on a pool thread.
using results_reader = std::function<base::result<grade_results>(std::string_view raw)>;

struct rows_to_save
{
    std::int64_t course_id = 0;
    const std::vector<grade_row>* rows = nullptr; // outlives the call
    base::time_point read_at{};                   // last byte of the answer, by the database's clock
    bool first_sweep = false;                     // passes found are backfill
    results_reader read_results;
    events::cause because;
};

struct rows_saved
{
    int read = 0;     // students' rows; teachers do not count
    int appeared = 0; // students seen for the first time
    int changed = 0;
    int skipped = 0; // their results could not be understood
    int teachers = 0;
    std::string complaint;                                     // about the first skipped one
    std::vector<std::pair<std::int64_t, std::int64_t>> passes; // (student, lesson) newly passed
    std::vector<events::envelope> events; // what they tell, for the caller to add to the outbox
};

// The caller adds `events` to the outbox in the same transaction. Idempotent: the same rows again are
// unchanged rows. Two transactions with the same student wait for each other (row locks, taken in the order
// of ids); the one that turns a lesson's `passed` tells it.
rows_saved save_rows(db::transaction& tx, const rows_to_save& in);

} // namespace coursegate::stepik_sync
