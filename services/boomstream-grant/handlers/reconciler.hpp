// One transaction of a worker: take named students, compute, write what follows, and claim calls that may go
// out at once.
//
// Crash before the commit: the students are still named, nothing was claimed. After it: the claimed calls are
// rows with an asked_until, see storage/calls.hpp.
#pragma once

#include "coursegate/base/keyring.hpp"
#include "coursegate/db/pool.hpp"
#include "storage/books.hpp"
#include "storage/calls.hpp"

#include <chrono>
#include <vector>

namespace coursegate::boomstream_grant {

struct round
{
    std::vector<call> calls;             // claimed: to be made now
    int students = 0;                    // looked at
    std::vector<confirmation> confirmed; // without a call
    std::vector<kept_book> books;        // read for it: to be kept after the commit
    bool more_students = false;
    bool some_busy = false;        // try again in a moment
    bool more_calls = false;       // due, and no permit was left for them
    bool fresh_calls_wait = false; // due in the fresh lane, whichever lane this one is
};

// `permits`: calls that may be claimed. `look_for_calls`: also claim calls that were due before.
round reconcile_round(db::transaction& tx, course_books& books, const base::keyring& keys, lane way,
    int students, int permits, bool look_for_calls, std::chrono::milliseconds asked_for);

} // namespace coursegate::boomstream_grant
