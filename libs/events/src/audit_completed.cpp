#include "coursegate/events/audit_completed.hpp"

#include "fields.hpp"

#include <nlohmann/json.hpp>

namespace coursegate::events {

std::string audit_completed::subject() const
{
    return subject_of_course(course_id);
}

void to_json(nlohmann::json& j, const audit_completed& e)
{
    j = nlohmann::json::object();
    put(j, "request_id", e.request_id);
    put(j, "course_id", e.course_id);
    put(j, "dry_run", e.dry_run);
    put(j, "missing", e.missing);
    put(j, "extra", e.extra);
    put(j, "wrong_end", e.wrong_end);
    put(j, "repaired", e.repaired);
    put(j, "finished_at", e.finished_at);
}

void from_json(const nlohmann::json& j, audit_completed& e)
{
    take_uuid(j, "request_id", e.request_id);
    take_id(j, "course_id", e.course_id);
    take_flag(j, "dry_run", e.dry_run);
    take_count(j, "missing", e.missing);
    take_count(j, "extra", e.extra);
    take_count(j, "wrong_end", e.wrong_end);
    take_count(j, "repaired", e.repaired);
    take_time(j, "finished_at", e.finished_at);
}

} // namespace coursegate::events
