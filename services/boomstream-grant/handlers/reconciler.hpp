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
    std::vector<call> calls; // claimed: to be made now
    int students = 0;        // looked at
    int confirmed = 0;       // without a call
    bool more_students = false;
    bool some_busy = false;  // try again in a moment
    bool more_calls = false; // due, and no permit was left for them
};

// `permits`: calls that may be claimed. `look_for_calls`: also claim calls that were due before.
round reconcile_round(db::transaction& tx, course_books& books, const base::keyring& keys, lane way,
    int students, int permits, bool look_for_calls, std::chrono::milliseconds asked_for);

} // namespace coursegate::boomstream_grant
