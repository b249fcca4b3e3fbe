// What the daemon reads from the environment.
#pragma once

#include "clients/boomstream_client.hpp"
#include "coursegate/amqp/settings.hpp"
#include "coursegate/base/keyring.hpp"
#include "coursegate/db/pool.hpp"
#include "coursegate/runtime/settings.hpp"
#include "handlers/workers.hpp"

namespace coursegate::boomstream_grant {

struct config
{
    runtime::settings runtime;
    db::settings postgres;
    amqp::settings rabbitmq;
    base::secret secret_key;
    boomstream_settings boomstream;
    http::client_settings web;
    worker_settings workers;
};

// Faults are collected in `env`; the caller ends with env.finish(), which throws one base::bad_configuration
// naming all.
config read_config(runtime::environment& env);

} // namespace coursegate::boomstream_grant
