// The audit log: every write by a person leaves who, what, when, why, before and after, in the transaction of
// the change itself. Secrets never come here: callers pass what they changed as "changed".
#pragma once

#include "domain/principal.hpp"

#include "coursegate/db/pool.hpp"
#include "coursegate/events/envelope.hpp"

#include <nlohmann/json_fwd.hpp>

#include <string>
#include <string_view>

namespace coursegate::web_gateway {

// The name events carry as their source.
inline constexpr std::string_view service_name = "web-gateway";

void write_audit(db::transaction& tx, const act& by, std::string_view what, const std::string& target,
    const nlohmann::json& before, const nlohmann::json& after);

// The request as the cause of the events it leads to.
events::cause cause_of(const act& by);

} // namespace coursegate::web_gateway
