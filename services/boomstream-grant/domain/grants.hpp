// The life of a grant: which state may follow which, and how long to wait before Boomstream is asked again.
#pragma once

#include "domain/types.hpp"

#include <chrono>

namespace coursegate::boomstream_grant {

// Every way between two states. The SQL that moves grants names the same states in its WHERE.
//
//   wanted    → asked      the call is about to go out
//             → confirmed  the student is a buyer of the subscription already, no call needed
//             → failed     the call of another grant in the subscription was refused, and waits for a person
//             → revoked    a person closed the lesson before Boomstream was asked
//   asked     → confirmed  the answer was read and checked, or the buyer was found in Boomstream's list
//             → failed     Boomstream refused
//             → wanted     the call never reached Boomstream, or its list shows that it had no effect
//   failed    → wanted     it may be tried again: next_try_at has come, or a person changed what was wrong
//             → asked      the same, with the call at once
//             → confirmed  another lesson's grant made the student a buyer of the subscription
//             → revoked    a person closed the lesson
//   confirmed → revoked    a person closed the lesson, and Boomstream has confirmed where it had to be told
//   revoked   → wanted     a person granted it again
bool may_follow(grant_state from, grant_state to);

// Wait before the n-th repeat (n = 1, 2, …) of a call that Boomstream refused: 2 s, doubling, at most an
// hour. `spread` between 0 and 1 shortens it by up to a quarter, so that what failed together is not repeated
// together.
std::chrono::milliseconds wait_after_refusal(int failures, double spread);

// The same for a call that never reached Boomstream (no connection, circuit open): 500 ms, doubling, at most
// 30 s. Not an attempt: nobody refused anything.
std::chrono::milliseconds wait_after_not_sent(int misses, double spread);

// True when repeating the same call can't help before a person has changed something: Boomstream does not
// know the subscription or the media we named. Such a grant waits without a next try.
bool needs_a_person(std::string_view provider_message);

// True when the refusal is about our key and not about the student: the whole course waits then.
bool is_about_the_key(std::string_view provider_message);

} // namespace coursegate::boomstream_grant
