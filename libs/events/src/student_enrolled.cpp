#include "coursegate/events/student_enrolled.hpp"

#include "fields.hpp"

#include <nlohmann/json.hpp>

namespace coursegate::events {

std::string student_enrolled::subject() const
{
    return subject_of_student(course_id, stepik_user_id);
}

void to_json(nlohmann::json& j, const student_enrolled& e)
{
    j = nlohmann::json::object();
    put(j, "course_id", e.course_id);
    put(j, "stepik_user_id", e.stepik_user_id);
    put(j, "date_joined", e.date_joined);
    put(j, "seen_at", e.seen_at);
}

void from_json(const nlohmann::json& j, student_enrolled& e)
{
    take_id(j, "course_id", e.course_id);
    take_id(j, "stepik_user_id", e.stepik_user_id);
    take_time(j, "date_joined", e.date_joined);
    take_time(j, "seen_at", e.seen_at);
}

} // namespace coursegate::events
