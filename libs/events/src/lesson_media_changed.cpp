#include "coursegate/events/lesson_media_changed.hpp"

#include "fields.hpp"

#include <nlohmann/json.hpp>

namespace coursegate::events {

std::string lesson_media_changed::subject() const
{
    return subject_of_course(course_id);
}

void to_json(nlohmann::json& j, const lesson_media_changed& e)
{
    j = nlohmann::json::object();
    put(j, "course_id", e.course_id);
    put(j, "lesson_ids", e.lesson_ids);
}

void from_json(const nlohmann::json& j, lesson_media_changed& e)
{
    take_id(j, "course_id", e.course_id);
    take_ids(j, "lesson_ids", e.lesson_ids);
}

} // namespace coursegate::events
