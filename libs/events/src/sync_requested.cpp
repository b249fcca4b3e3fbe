#include "coursegate/events/sync_requested.hpp"

#include "fields.hpp"

#include <nlohmann/json.hpp>

namespace coursegate::events {

std::string sync_requested::subject() const
{
    return subject_of_student(course_id, stepik_user_id);
}

void to_json(nlohmann::json& j, const sync_requested& e)
{
    j = nlohmann::json::object();
    put(j, "request_id", e.request_id);
    put(j, "course_id", e.course_id);
    put(j, "stepik_user_id", e.stepik_user_id);
    put(j, "requested_by", e.requested_by);
}

void from_json(const nlohmann::json& j, sync_requested& e)
{
    take_uuid(j, "request_id", e.request_id);
    take_id(j, "course_id", e.course_id);
    take_id(j, "stepik_user_id", e.stepik_user_id);
    take_text(j, "requested_by", e.requested_by);
}

} // namespace coursegate::events
