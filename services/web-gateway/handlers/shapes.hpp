// How our types look in JSON answers.
#pragma once

#include "domain/course.hpp"
#include "domain/media_map.hpp"
#include "domain/trail.hpp"
#include "domain/user.hpp"
#include "storage/access.hpp"
#include "storage/learning.hpp"

#include <nlohmann/json_fwd.hpp>

#include <optional>

namespace coursegate::web_gateway {

nlohmann::json json_of(const std::optional<base::time_point>& t); // ISO 8601 or null
nlohmann::json json_of(const std::optional<std::string>& t);
nlohmann::json json_of(const std::optional<std::int64_t>& t);
nlohmann::json json_of(const user& u);
nlohmann::json json_of(const course& c);
nlohmann::json json_of(const lesson& l);
nlohmann::json json_of(const media_part& m);
nlohmann::json json_of(const access_rule& r);
nlohmann::json json_of(const governing_rule& r);
nlohmann::json json_of(const subscription_use& u);
nlohmann::json json_of(const std::optional<course_health>& h); // a course that was never read is not healthy
nlohmann::json json_of(const std::optional<provider_health>& h, const course& c);
nlohmann::json json_of(const trail_grant& g);

} // namespace coursegate::web_gateway
