#include "coursegate/events/course_connected.hpp"

#include "fields.hpp"

#include <nlohmann/json.hpp>

namespace coursegate::events {

std::string course_connected::subject() const
{
    return subject_of_course(course_id);
}

void to_json(nlohmann::json& j, const course_connected& e)
{
    j = nlohmann::json::object();
    put(j, "course_id", e.course_id);
    put(j, "source", e.source);
}

void from_json(const nlohmann::json& j, course_connected& e)
{
    take_id(j, "course_id", e.course_id);
    take_word(j, "source", e.source, {"environment", "admin"});
}

} // namespace coursegate::events
