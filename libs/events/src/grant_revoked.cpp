#include "coursegate/events/grant_revoked.hpp"

#include "fields.hpp"

#include <nlohmann/json.hpp>

namespace coursegate::events {

std::string grant_revoked::subject() const
{
    return stepik_user_id ? subject_of_student(course_id, *stepik_user_id) : subject_of_user(user_id);
}

void to_json(nlohmann::json& j, const grant_revoked& e)
{
    j = nlohmann::json::object();
    put(j, "grant_id", e.grant_id);
    put(j, "user_id", e.user_id);
    put(j, "stepik_user_id", e.stepik_user_id);
    put(j, "course_id", e.course_id);
    put(j, "lesson_id", e.lesson_id);
    put(j, "subscription_code", e.subscription_code);
    put(j, "actor", e.actor);
    put(j, "reason", e.reason);
    put(j, "revoked_at", e.revoked_at);
}

void from_json(const nlohmann::json& j, grant_revoked& e)
{
    take_uuid(j, "grant_id", e.grant_id);
    take_uuid(j, "user_id", e.user_id);
    take_id(j, "stepik_user_id", e.stepik_user_id);
    take_id(j, "course_id", e.course_id);
    take_id(j, "lesson_id", e.lesson_id);
    take_text(j, "subscription_code", e.subscription_code);
    take_text(j, "actor", e.actor);
    take_text(j, "reason", e.reason);
    take_time(j, "revoked_at", e.revoked_at);
}

} // namespace coursegate::events
