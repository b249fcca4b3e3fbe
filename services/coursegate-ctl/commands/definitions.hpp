// The broker's definitions as a value.
#pragma once

#include "clients/urls.hpp"

#include <nlohmann/json_fwd.hpp>

#include <map>
#include <string>

namespace coursegate::ctl {

// `daemons`: service -> its broker user; a service without one gets none.
nlohmann::json broker_definitions(
    const std::string& prefix, const login& admin, const std::map<std::string, login>& daemons);

} // namespace coursegate::ctl
