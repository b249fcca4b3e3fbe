// Everything known about the students of a batch, read in a handful of set-based statements, and what a plan
// changes, written in as many.
#pragma once

#include "coursegate/base/keyring.hpp"
#include "coursegate/db/pool.hpp"
#include "domain/reconcile.hpp"
#include "storage/books.hpp"
#include "storage/confirmations.hpp"

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace coursegate::boomstream_grant {

struct batch
{
    base::time_point now{}; // the database's
    std::vector<course_row> courses;
    books_read books;
    std::vector<student> students;
    std::map<base::uuid, std::string> emails;
    std::map<base::uuid, std::string> code_boxes; // sealed codes of those who have one
    std::vector<base::uuid> named; // taken from access.dirty: the students, and ids that are nobody's
    bool full = false;             // as many as asked for: there may be more
    bool some_busy = false;        // somebody's row is held by an answer being written: try again at once
};

// Takes up to `limit` named students nobody else is working on, and locks them until the transaction ends.
// Students whose row somebody else holds (an answer is being written down) are left for the next time.
batch take_students(db::transaction& tx, course_books& books, lane way, int limit);

// A buyer that is asked for in the transaction that invents it.
struct first_call
{
    base::uuid buyer_id{};
    int code_version = 0;
    std::string hash_box;
};

struct written
{
    std::vector<confirmation> confirmed;
    int revoked = 0;
    bool calls_wait = false;       // buyers that are due and were not asked here
    bool fresh_calls_wait = false; // some of them in the fresh lane
};

// Carries out the plans and takes the students off the list. `asked` are the new buyers whose call goes out
// right after the commit; `asked_for` is how long they are claimed. Adds grant_issued and grant_revoked to
// the outbox.
written write_plans(db::transaction& tx, const batch& b, const std::vector<plan>& plans,
    const std::map<base::uuid, first_call>& asked, std::chrono::milliseconds asked_for);

} // namespace coursegate::boomstream_grant
