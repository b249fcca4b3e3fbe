// How a sweep of a course's grade book is cut into pages, and what happens to pages that fail.
#pragma once

#include <chrono>
#include <optional>

namespace coursegate::stepik_sync {

// Pages the next sweep will probably have: those of the last good one, else what the number of learners asks
// for. At least 1. Guessing too low costs a little parallelism (the last page's handler schedules the next
// one), too high a call per page, so a guess is rounded down.
int expected_pages(std::optional<int> last_good, std::optional<int> learners, int rows_per_page);

// Pages to schedule at the start. A course whose last sweep failed gets a single one: fifty refusals say no
// more.
int pages_at_start(int expected, bool last_sweep_was_good);

// After page `page` was read and has a next one: the last page to schedule, when that is more than
// `scheduled`.
int pages_to_schedule(int page, int scheduled, int expected);

// How long a page rests after its n-th failure (n from 1); nullopt: the sweep has failed.
std::optional<std::chrono::seconds> rest_after_failure(int failures);

// A running sweep without any progress for this long gets its unfinished pages scheduled again: messages were
// lost or are parked. Doing so needlessly is harmless, but with a long queue it would make the queue longer.
std::chrono::seconds stuck_after(int outstanding_pages, double requests_per_second);

// The structure is read again every so often even when nothing hints at a change.
std::chrono::seconds structure_interval(std::chrono::seconds sweep_interval);

// And after its n-th failure in a row (n from 1).
std::chrono::seconds structure_rest_after_failure(int failures);

} // namespace coursegate::stepik_sync
