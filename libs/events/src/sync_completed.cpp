#include "coursegate/events/sync_completed.hpp"

#include "fields.hpp"

#include <nlohmann/json.hpp>

namespace coursegate::events {

std::string sync_completed::subject() const
{
    return subject_of_student(course_id, stepik_user_id);
}

void to_json(nlohmann::json& j, const sync_completed& e)
{
    j = nlohmann::json::object();
    put(j, "request_id", e.request_id);
    put(j, "course_id", e.course_id);
    put(j, "stepik_user_id", e.stepik_user_id);
    put(j, "outcome", e.outcome);
    put(j, "newly_passed", e.newly_passed);
    put(j, "detail", e.detail);
    put(j, "checked_at", e.checked_at);
}

void from_json(const nlohmann::json& j, sync_completed& e)
{
    take_uuid(j, "request_id", e.request_id);
    take_id(j, "course_id", e.course_id);
    take_id(j, "stepik_user_id", e.stepik_user_id);
    take_word(j, "outcome", e.outcome, {"checked", "cooldown", "not_enrolled", "failed"});
    take_ids(j, "newly_passed", e.newly_passed);
    take_text(j, "detail", e.detail);
    take_time(j, "checked_at", e.checked_at);
}

} // namespace coursegate::events
