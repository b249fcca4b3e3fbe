// All courses of one student with every lesson's facts, as the dashboard needs them: a fixed number of
// statements, however many courses and lessons there are.
#pragma once

#include "domain/course.hpp"
#include "domain/media_map.hpp"
#include "domain/trail.hpp"
#include "storage/learning.hpp"

#include "coursegate/base/uuid.hpp"
#include "coursegate/db/pool.hpp"

#include <cstdint>
#include <optional>
#include <vector>

namespace coursegate::web_gateway {

struct student_lesson
{
    web_gateway::lesson lesson;
    std::optional<trail_progress> progress{}; // of the missing steps only the first, where its place is known
    std::optional<trail_decision> decision{};
    std::vector<media_part> media; // by part
    std::vector<trail_grant> grants;
};

// The last time this student was to be read now.
struct student_check
{
    base::uuid request_id{};
    base::time_point requested_at{};
    sync_state state{}; // of it; finished_at empty: still waiting
};

struct student_course
{
    web_gateway::course course; // id, title, state and default_subscription
    std::optional<trail_enrolment> enrolment{};
    std::optional<trail_health> reading{};
    std::optional<trail_health> provider{};
    std::vector<access_rule> rules;
    std::vector<student_lesson> lessons;       // in course order, vanished ones included
    std::optional<student_check> last_check{}; // of the last ten minutes
};

// The courses that Stepik lists the student in, and those where something was opened for him here; ascending.
std::vector<student_course> courses_of_student(
    db::transaction& tx, const base::uuid& user_id, const std::optional<std::int64_t>& stepik_user_id);

} // namespace coursegate::web_gateway
