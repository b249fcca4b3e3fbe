#include "coursegate/events/account_linked.hpp"

#include "fields.hpp"

#include <nlohmann/json.hpp>

namespace coursegate::events {

std::string account_linked::subject() const
{
    return subject_of_user(user_id);
}

void to_json(nlohmann::json& j, const account_linked& e)
{
    j = nlohmann::json::object();
    put(j, "user_id", e.user_id);
    put(j, "stepik_user_id", e.stepik_user_id);
}

void from_json(const nlohmann::json& j, account_linked& e)
{
    take_uuid(j, "user_id", e.user_id);
    take_id(j, "stepik_user_id", e.stepik_user_id);
}

} // namespace coursegate::events
