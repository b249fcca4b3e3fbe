#include "coursegate/events/access_rule_changed.hpp"

#include "fields.hpp"

#include <nlohmann/json.hpp>

namespace coursegate::events {

std::string access_rule_changed::subject() const
{
    return subject_of_course(course_id);
}

void to_json(nlohmann::json& j, const access_rule_changed& e)
{
    j = nlohmann::json::object();
    put(j, "course_id", e.course_id);
    put(j, "scope", e.scope);
    put(j, "scope_id", e.scope_id);
}

void from_json(const nlohmann::json& j, access_rule_changed& e)
{
    take_id(j, "course_id", e.course_id);
    take_word(j, "scope", e.scope, {"course", "module", "lesson"});
    take_id(j, "scope_id", e.scope_id);
}

} // namespace coursegate::events
