#include "coursegate/events/grant_revoke_requested.hpp"

#include "fields.hpp"

#include <nlohmann/json.hpp>

namespace coursegate::events {

std::string grant_revoke_requested::subject() const
{
    return subject_of_user(user_id);
}

void to_json(nlohmann::json& j, const grant_revoke_requested& e)
{
    j = nlohmann::json::object();
    put(j, "request_id", e.request_id);
    put(j, "user_id", e.user_id);
    put(j, "course_id", e.course_id);
    put(j, "lesson_id", e.lesson_id);
    put(j, "actor", e.actor);
    put(j, "reason", e.reason);
}

void from_json(const nlohmann::json& j, grant_revoke_requested& e)
{
    take_uuid(j, "request_id", e.request_id);
    take_uuid(j, "user_id", e.user_id);
    take_id(j, "course_id", e.course_id);
    take_id(j, "lesson_id", e.lesson_id);
    take_text(j, "actor", e.actor);
    take_text(j, "reason", e.reason);
}

} // namespace coursegate::events
