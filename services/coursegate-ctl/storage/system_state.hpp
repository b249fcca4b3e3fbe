// What `status` shows of the database.
#pragma once

#include "coursegate/base/clock.hpp"
#include "coursegate/db/pool.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace coursegate::ctl {

struct grant_count
{
    std::int64_t course_id = 0;
    std::string state;
    std::int64_t count = 0;
};

struct outbox_state
{
    std::string schema;
    std::int64_t waiting = 0;
    double oldest_seconds = 0;
};

struct course_state
{
    std::int64_t course_id = 0;
    bool stepik_ok = false;
    std::vector<std::string> stepik_problems;
    std::optional<base::time_point> last_good_sweep;
    int pages_done = 0;
    int pages_expected = 0;
    bool provider_ok = false;
    std::string provider_problem;
    int waiting_fresh = 0;
    int waiting_backfill = 0;
};

struct system_state
{
    std::vector<grant_count> grants;
    std::vector<outbox_state> outboxes;
    std::vector<course_state> courses;
};

// Throws db::unavailable.
system_state read_system_state(db::session& owner);

} // namespace coursegate::ctl
