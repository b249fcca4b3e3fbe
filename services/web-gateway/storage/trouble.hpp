// What failed and whom it keeps waiting, as boomstream-grant publishes it, grouped by cause.
#pragma once

#include "coursegate/base/clock.hpp"
#include "coursegate/base/uuid.hpp"
#include "coursegate/db/pool.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace coursegate::web_gateway {

// Grants of one course that failed for the same reason and wait for the same thing.
struct failure_cause
{
    std::int64_t course_id = 0;
    std::string reason;      // the provider's word, or ours for it
    bool for_person = false; // it is not tried again by itself
};

struct failure_group
{
    failure_cause cause;
    std::string course_title;
    int grants = 0;
    int people = 0;
    base::time_point since{};
    std::optional<base::time_point> next_try_at{};
};

// The largest first. No `courses`: all.
std::vector<failure_group> failures_by_cause(
    db::transaction& tx, const std::optional<std::vector<std::int64_t>>& courses);

struct failed_grant
{
    base::uuid user_id{};
    std::string email; // empty: the person is gone
    std::string name;
    std::int64_t lesson_id = 0;
    std::string lesson_title;
    int attempts = 0;
    base::time_point since{};
    std::optional<base::time_point> next_try_at{};
};

// Those that have waited longest first, `most` of them.
std::vector<failed_grant> failures_of(db::transaction& tx, const failure_cause& cause, int most);

} // namespace coursegate::web_gateway
