// How a course goes: who takes it, how far people come, what they watch.
#pragma once

#include "coursegate/base/clock.hpp"
#include "coursegate/base/uuid.hpp"
#include "coursegate/db/pool.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace coursegate::web_gateway {

struct lesson_numbers
{
    std::int64_t lesson_id = 0;
    std::string title;
    std::string module_title;
    bool passable = false; // it has tasks
    bool has_video = false;
    int passed = 0;  // people
    int opened = 0;  // people whose video is open
    int watched = 0; // people who have played it here

    // The video is there for people, and nobody has looked at it.
    bool is_stuck() const { return opened > 0 && watched == 0; }
};

struct course_numbers
{
    int enrolled = 0;
    int active = 0;                      // seen on Stepik within seven days
    std::vector<lesson_numbers> lessons; // in course order, those that left the course are left out
    std::vector<int> days;               // grants confirmed, as many as there are days

    int stuck() const;
    int opened() const; // videos, over all lessons
};

// `days`: where each begins, and where the last ends.
course_numbers numbers_of(
    db::transaction& tx, std::int64_t course_id, const std::vector<base::time_point>& days);

// The people behind a number.
enum class people
{
    enrolled,
    active,
    passed, // a lesson
};

struct counted_student
{
    std::int64_t stepik_user_id = 0;
    std::optional<base::uuid> user_id{}; // nothing: no account here
    std::string email;
    std::string name;
    std::optional<base::time_point> date_joined{};
    std::optional<base::time_point> last_viewed{};
    std::optional<base::time_point> passed_before{}; // of the lesson
};

// Ascending by Stepik id; `after` is the last of the page before. `lesson_id` goes with `passed`.
std::vector<counted_student> people_of(db::transaction& tx, std::int64_t course_id, people which,
    const std::optional<std::int64_t>& lesson_id, const std::optional<std::int64_t>& after, int limit);

} // namespace coursegate::web_gateway
