#include "coursegate/events/course_structure_synced.hpp"

#include "fields.hpp"

#include <nlohmann/json.hpp>

namespace coursegate::events {

std::string course_structure_synced::subject() const
{
    return subject_of_course(course_id);
}

void to_json(nlohmann::json& j, const course_structure_synced& e)
{
    j = nlohmann::json::object();
    put(j, "course_id", e.course_id);
    put(j, "modules", e.modules);
    put(j, "lessons", e.lessons);
    put(j, "steps", e.steps);
    put(j, "lessons_without_tasks", e.lessons_without_tasks);
    put(j, "added", e.added);
    put(j, "moved", e.moved);
    put(j, "vanished", e.vanished);
}

void from_json(const nlohmann::json& j, course_structure_synced& e)
{
    take_id(j, "course_id", e.course_id);
    take_count(j, "modules", e.modules);
    take_count(j, "lessons", e.lessons);
    take_count(j, "steps", e.steps);
    take_ids(j, "lessons_without_tasks", e.lessons_without_tasks);
    take_ids(j, "added", e.added);
    take_ids(j, "moved", e.moved);
    take_ids(j, "vanished", e.vanished);
}

} // namespace coursegate::events
