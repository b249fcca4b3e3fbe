#include "coursegate/events/lesson_passed.hpp"

#include "fields.hpp"

#include <nlohmann/json.hpp>

namespace coursegate::events {

std::string lesson_passed::subject() const
{
    return subject_of_student(course_id, stepik_user_id);
}

void to_json(nlohmann::json& j, const lesson_passed& e)
{
    j = nlohmann::json::object();
    put(j, "course_id", e.course_id);
    put(j, "stepik_user_id", e.stepik_user_id);
    put(j, "lesson_id", e.lesson_id);
    put(j, "passed_after", e.passed_after);
    put(j, "passed_before", e.passed_before);
    put(j, "seen_at", e.seen_at);
    put(j, "backfill", e.backfill);
}

void from_json(const nlohmann::json& j, lesson_passed& e)
{
    take_id(j, "course_id", e.course_id);
    take_id(j, "stepik_user_id", e.stepik_user_id);
    take_id(j, "lesson_id", e.lesson_id);
    take_time(j, "passed_after", e.passed_after);
    take_time(j, "passed_before", e.passed_before);
    take_time(j, "seen_at", e.seen_at);
    take_flag(j, "backfill", e.backfill);
}

} // namespace coursegate::events
