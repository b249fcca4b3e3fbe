#include "config.hpp"

namespace coursegate::stepik_sync {

config read_config(runtime::environment& env)
{
    const std::string service = "stepik-sync";
    config out;
    out.runtime = runtime::read_settings(env, service);
    out.postgres = runtime::read_database(env, service);
    out.rabbitmq = runtime::read_broker(env, service);
    out.secret_key = runtime::read_secret_key(env);
    out.stepik_url = env.url("STEPIK_URL", "address of Stepik", "https://stepik.org");
    out.requests_per_second = env.number("STEPIK_REQUESTS_PER_SECOND",
        "calls to Stepik that all instances together start per second", 0.01, 100'000, 2);
    out.concurrency = static_cast<int>(env.integer(
        "STEPIK_CONCURRENCY", "calls to Stepik that all instances together have in flight", 1, 64, 2));
    out.sweep_every = std::chrono::seconds(env.integer("STEPIK_SWEEP_SECONDS",
        "how often all students' progress is read, where the course does not say", 1, 86'400, 300));
    return out;
}

} // namespace coursegate::stepik_sync
