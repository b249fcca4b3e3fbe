// Naming students to look at again: all that a handler of an event writes. Naming somebody twice is naming
// him once, so these need no inbox row: a message delivered twice costs one more look. Every function returns
// how many students were newly named, and wakes this process's workers after the commit.
#pragma once

#include "coursegate/db/pool.hpp"
#include "domain/types.hpp"

#include <chrono>
#include <string>
#include <vector>

namespace coursegate::boomstream_grant {

// pool::on_commit topics.
inline constexpr const char* fresh_topic = "access.dirty.fresh";
inline constexpr const char* backfill_topic = "access.dirty.backfill";
inline constexpr const char* audits_topic = "access.audits";

struct pass_mark
{
    std::int64_t stepik_user_id = 0;
    lane way = lane::fresh;
};

// Students without an account here are nobody's: account_linked names them when there is one.
int mark_passes(db::transaction& tx, const std::vector<pass_mark>& passes);

int mark_user(db::transaction& tx, const base::uuid& user_id, lane way);
int mark_users(db::transaction& tx, const std::vector<base::uuid>& user_ids, lane way);

struct student_mark // an account, or somebody's enrolment in a course
{
    base::uuid user_id{}; // nil: an enrolment
    lane way = lane::fresh;
    std::int64_t course_id = 0;
    std::int64_t stepik_user_id = 0;
};

// An enrolment is fresh unless the course's first sweep found it.
int mark_students(db::transaction& tx, const std::vector<student_mark>& marks);

// Everybody a change of the course can concern, in the backfill lane; raises the course's version.
int mark_course(db::transaction& tx, std::int64_t course_id);

// What looks unfinished and has no worker: orders without an answer, days of after_days that came. (Calls
// that are due and calls whose outcome is unknown have their own lists, see calls.hpp.)
int mark_unfinished(db::transaction& tx);

// Accounts not looked at for `age` (or ever), at most `limit`, longest first: the truth behind lost events.
int mark_stale(db::transaction& tx, std::chrono::seconds age, int limit);

// How many students wait per lane: {fresh, backfill}, counted up to 100,000.
std::pair<int, int> count_marks(db::transaction& tx);

} // namespace coursegate::boomstream_grant
