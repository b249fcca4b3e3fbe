// Everything stepik-sync reads from the environment.
#pragma once

#include "coursegate/base/secret.hpp"
#include "coursegate/runtime/settings.hpp"

#include <chrono>
#include <string>

namespace coursegate::stepik_sync {

struct config
{
    runtime::settings runtime;
    db::settings postgres;
    amqp::settings rabbitmq;
    base::secret secret_key;
    std::string stepik_url;
    double requests_per_second = 2;
    int concurrency = 2;
    std::chrono::seconds sweep_every{300};
};

// Asks `env` for each setting; faults are collected there (environment::finish throws them).
config read_config(runtime::environment& env);

} // namespace coursegate::stepik_sync
