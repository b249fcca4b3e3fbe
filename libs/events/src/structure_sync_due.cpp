#include "coursegate/events/structure_sync_due.hpp"

#include "fields.hpp"

#include <nlohmann/json.hpp>

namespace coursegate::events {

std::string structure_sync_due::subject() const
{
    return subject_of_course(course_id);
}

void to_json(nlohmann::json& j, const structure_sync_due& e)
{
    j = nlohmann::json::object();
    put(j, "course_id", e.course_id);
    put(j, "term", e.term);
}

void from_json(const nlohmann::json& j, structure_sync_due& e)
{
    take_id(j, "course_id", e.course_id);
    take_number(j, "term", e.term);
}

} // namespace coursegate::events
