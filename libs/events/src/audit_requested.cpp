#include "coursegate/events/audit_requested.hpp"

#include "fields.hpp"

#include <nlohmann/json.hpp>

namespace coursegate::events {

std::string audit_requested::subject() const
{
    return subject_of_course(course_id);
}

void to_json(nlohmann::json& j, const audit_requested& e)
{
    j = nlohmann::json::object();
    put(j, "request_id", e.request_id);
    put(j, "course_id", e.course_id);
    put(j, "dry_run", e.dry_run);
    put(j, "budget", e.budget);
    put(j, "actor", e.actor);
}

void from_json(const nlohmann::json& j, audit_requested& e)
{
    take_uuid(j, "request_id", e.request_id);
    take_id(j, "course_id", e.course_id);
    take_flag(j, "dry_run", e.dry_run);
    take_count(j, "budget", e.budget);
    take_text(j, "actor", e.actor);
}

} // namespace coursegate::events
