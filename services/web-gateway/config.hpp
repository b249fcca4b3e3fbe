// What web-gateway reads from the environment; nothing else is.
#pragma once

#include "domain/course.hpp"
#include "handlers/ways.hpp"

#include "coursegate/runtime/settings.hpp"

#include <optional>
#include <string>
#include <vector>

namespace coursegate::web_gateway {

struct config
{
    runtime::settings runtime;
    db::settings database;
    amqp::settings broker;
    base::secret secret_key;
    base::secret admin_token;
    std::string host;
    int port = 0;
    std::vector<std::string> trusted_proxies; // addresses
    std::optional<course_settings> environment_course{};
    std::string play_url;       // without a slash at its end
    way_settings ways;          // to sign in with somebody else's word
    std::string stepik_url;     // where courses are tried when their keys are given
    std::string boomstream_url; // the same
};

// Faults are collected in `env`; the caller calls env.finish().
config read_config(runtime::environment& env);

} // namespace coursegate::web_gateway
