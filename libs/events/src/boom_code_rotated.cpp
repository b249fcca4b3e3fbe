#include "coursegate/events/boom_code_rotated.hpp"

#include "fields.hpp"

#include <nlohmann/json.hpp>

namespace coursegate::events {

std::string boom_code_rotated::subject() const
{
    return subject_of_user(user_id);
}

void to_json(nlohmann::json& j, const boom_code_rotated& e)
{
    j = nlohmann::json::object();
    put(j, "user_id", e.user_id);
}

void from_json(const nlohmann::json& j, boom_code_rotated& e)
{
    take_uuid(j, "user_id", e.user_id);
}

} // namespace coursegate::events
