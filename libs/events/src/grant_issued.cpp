#include "coursegate/events/grant_issued.hpp"

#include "fields.hpp"

#include <nlohmann/json.hpp>

namespace coursegate::events {

std::string grant_issued::subject() const
{
    return stepik_user_id ? subject_of_student(course_id, *stepik_user_id) : subject_of_user(user_id);
}

void to_json(nlohmann::json& j, const grant_issued& e)
{
    j = nlohmann::json::object();
    put(j, "grant_id", e.grant_id);
    put(j, "user_id", e.user_id);
    put(j, "stepik_user_id", e.stepik_user_id);
    put(j, "course_id", e.course_id);
    put(j, "lesson_id", e.lesson_id);
    put(j, "subscription_code", e.subscription_code);
    put(j, "cause", e.cause);
    put(j, "lane", e.lane);
    put(j, "passed_after", e.passed_after);
    put(j, "passed_before", e.passed_before);
    put(j, "seen_at", e.seen_at);
    put(j, "wanted_at", e.wanted_at);
    put(j, "asked_at", e.asked_at);
    put(j, "confirmed_at", e.confirmed_at);
}

void from_json(const nlohmann::json& j, grant_issued& e)
{
    take_uuid(j, "grant_id", e.grant_id);
    take_uuid(j, "user_id", e.user_id);
    take_id(j, "stepik_user_id", e.stepik_user_id);
    take_id(j, "course_id", e.course_id);
    take_id(j, "lesson_id", e.lesson_id);
    take_text(j, "subscription_code", e.subscription_code);
    take_slug(j, "cause", e.cause);
    take_word(j, "lane", e.lane, {"fresh", "backfill"});
    take_time(j, "passed_after", e.passed_after);
    take_time(j, "passed_before", e.passed_before);
    take_time(j, "seen_at", e.seen_at);
    take_time(j, "wanted_at", e.wanted_at);
    take_time(j, "asked_at", e.asked_at);
    take_time(j, "confirmed_at", e.confirmed_at);
}

} // namespace coursegate::events
