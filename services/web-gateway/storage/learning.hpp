// What stepik-sync publishes, read through its views.
#pragma once

#include "domain/course.hpp"
#include "domain/estimate.hpp"
#include "domain/trail.hpp"

#include "coursegate/base/uuid.hpp"
#include "coursegate/db/pool.hpp"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace coursegate::web_gateway {

// All lessons in course order, vanished ones included; empty before the first structure sync.
std::vector<lesson> structure_of(db::transaction& tx, std::int64_t course_id);

// The courses whose structure has this lesson, ascending.
std::vector<std::int64_t> courses_with_lesson(db::transaction& tx, std::int64_t lesson_id);

std::optional<trail_enrolment> enrolment_of(
    db::transaction& tx, std::int64_t course_id, std::int64_t stepik_user_id);
std::optional<trail_progress> progress_of(
    db::transaction& tx, std::int64_t course_id, std::int64_t stepik_user_id, std::int64_t lesson_id);

// How reading the course from Stepik goes.
struct course_health
{
    bool ok = true;
    std::vector<std::string> problems;
    std::string token_state;
    bool can_view_grades = false;
    bool has_learners_group = false;
    std::optional<base::time_point> last_good_sweep_at{};
    std::optional<base::time_point> last_structure_at{};
    std::optional<std::string> last_error{};
    std::optional<base::time_point> checked_at{};
    int students = 0;
    int pages_done = 0;
    int pages_expected = 0;
};
std::map<std::int64_t, course_health> health_of_courses(db::transaction& tx);
std::optional<course_health> health_of_course(db::transaction& tx, std::int64_t course_id);

struct sync_state
{
    std::optional<base::time_point> finished_at{};
    std::optional<std::string> outcome{};
    std::optional<std::string> detail{};
};
std::optional<sync_state> sync_request(db::transaction& tx, const base::uuid& request_id);

// How the last on-demand reads went, for an estimate of the next. `except` is the request that asks.
recent_syncs recent_syncs_of(db::transaction& tx, std::int64_t course_id, const base::uuid& except);

} // namespace coursegate::web_gateway
