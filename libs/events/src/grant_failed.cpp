#include "coursegate/events/grant_failed.hpp"

#include "fields.hpp"

#include <nlohmann/json.hpp>

namespace coursegate::events {

std::string grant_failed::subject() const
{
    return stepik_user_id ? subject_of_student(course_id, *stepik_user_id) : subject_of_user(user_id);
}

void to_json(nlohmann::json& j, const grant_failed& e)
{
    j = nlohmann::json::object();
    put(j, "grant_id", e.grant_id);
    put(j, "user_id", e.user_id);
    put(j, "stepik_user_id", e.stepik_user_id);
    put(j, "course_id", e.course_id);
    put(j, "lesson_id", e.lesson_id);
    put(j, "subscription_code", e.subscription_code);
    put(j, "reason", e.reason);
    put(j, "attempts", e.attempts);
    put(j, "next_try_at", e.next_try_at);
    put(j, "failed_at", e.failed_at);
}

void from_json(const nlohmann::json& j, grant_failed& e)
{
    take_uuid(j, "grant_id", e.grant_id);
    take_uuid(j, "user_id", e.user_id);
    take_id(j, "stepik_user_id", e.stepik_user_id);
    take_id(j, "course_id", e.course_id);
    take_id(j, "lesson_id", e.lesson_id);
    take_text(j, "subscription_code", e.subscription_code);
    take_text(j, "reason", e.reason);
    take_count(j, "attempts", e.attempts);
    take_time(j, "next_try_at", e.next_try_at);
    take_time(j, "failed_at", e.failed_at);
}

} // namespace coursegate::events
