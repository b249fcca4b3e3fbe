// What a retry or a dead letter looks like: pure functions from a received message to the copy that is
// published.
#pragma once

#include "connection.hpp"

#include "coursegate/amqp/publisher.hpp"
#include "coursegate/base/clock.hpp"

#include <chrono>
#include <string>

namespace coursegate::amqp {

// Our own headers, all text.
namespace header {
inline constexpr auto attempts = "x-attempts";               // handled without success so far
inline constexpr auto handler = "x-handler";                 // that failed last
inline constexpr auto reason = "x-reason";                   // why it is parked
inline constexpr auto first_error = "x-first-error";         // of the first attempt
inline constexpr auto last_error = "x-last-error";           // of the last attempt
inline constexpr auto first_failed_at = "x-first-failed-at"; // ISO 8601
inline constexpr auto origin_user = "x-origin-user";   // who published it first (user_id is the copier's)
inline constexpr auto origin_queue = "x-origin-queue"; // full name
inline constexpr auto traceparent = "traceparent";
} // namespace header

struct failure
{
    std::string handler; // "" when no handler was found
    std::string error;   // one sentence
    base::time_point at;
};

// 1 for the first delivery. A header that is no number counts as 0 attempts.
int attempt_of(const properties& p);

// The pause before the attempt after `attempt` when the handler named none (it threw): the next longer one
// each time.
std::chrono::milliseconds pause_after(int attempt);

// `attempt` is the one that just failed.
copy retry_copy(const message& m, const std::string& full_queue, std::chrono::milliseconds delay, int attempt,
    const failure& f);
copy dead_copy(const message& m, const std::string& full_queue, const std::string& reason, int attempt,
    const failure& f);

// For moving a parked message back: attempts start again, and what was said about its failures is left out.
copy fresh_copy(const message& m, const std::string& to_queue);

// Text for a header: without secrets, one line, valid length, so that a provider's page of HTML does not
// travel as an error.
std::string header_text(std::string_view s);

} // namespace coursegate::amqp
