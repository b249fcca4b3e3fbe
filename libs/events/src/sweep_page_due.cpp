#include "coursegate/events/sweep_page_due.hpp"

#include "fields.hpp"

#include <nlohmann/json.hpp>

namespace coursegate::events {

std::string sweep_page_due::subject() const
{
    return subject_of_course(course_id);
}

void to_json(nlohmann::json& j, const sweep_page_due& e)
{
    j = nlohmann::json::object();
    put(j, "sweep_id", e.sweep_id);
    put(j, "course_id", e.course_id);
    put(j, "page", e.page);
    put(j, "term", e.term);
}

void from_json(const nlohmann::json& j, sweep_page_due& e)
{
    take_uuid(j, "sweep_id", e.sweep_id);
    take_id(j, "course_id", e.course_id);
    take_page(j, "page", e.page);
    take_number(j, "term", e.term);
}

} // namespace coursegate::events
