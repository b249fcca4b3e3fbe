// The settings every daemon has, read the same way everywhere.
#pragma once

#include "coursegate/amqp/settings.hpp"
#include "coursegate/db/pool.hpp"
#include "coursegate/runtime/environment.hpp"

#include <chrono>
#include <string>

namespace coursegate::runtime {

struct settings
{
    std::string service;    // "stepik-sync"
    std::string admin_host; // HOST (default 127.0.0.1)
    int admin_port = 0;     // ADMIN_PORT; 0: any free one (logged at start)
    std::string log_level;  // LOG_LEVEL (default info)
    std::string instance;   // host:pid:random, for claims and leases; not from the environment

    // Not from the environment either; tests shorten them.
    std::chrono::milliseconds tick_grace{30'000}; // a timer is overdue after 3 × its interval + this
    std::chrono::milliseconds stop_limit{30'000}; // for each component
};

settings read_settings(environment& env, const std::string& service); // LOG_LEVEL, HOST, ADMIN_PORT
db::settings read_database(
    environment& env, const std::string& service); // DATABASE_URL, DATABASE_CONNECTIONS
amqp::settings read_broker(
    environment& env, const std::string& service); // AMQP_URL, AMQP_PREFIX, AMQP_CA_FILE
base::secret read_secret_key(environment& env);    // SECRET_KEY, checked by building a keyring

} // namespace coursegate::runtime
