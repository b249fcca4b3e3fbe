#include "config.hpp"

namespace coursegate::boomstream_grant {

config read_config(runtime::environment& env)
{
    const std::string service = "boomstream-grant";
    config out;
    out.runtime = runtime::read_settings(env, service);
    out.postgres = runtime::read_database(env, service);
    out.rabbitmq = runtime::read_broker(env, service);
    out.secret_key = runtime::read_secret_key(env);

    out.boomstream.url = env.url("BOOMSTREAM_URL", "where Boomstream's API is", "https://boomstream.com");
    out.boomstream.play_url =
        env.url("BOOMSTREAM_PLAY_URL", "where Boomstream's player is", "https://play.boomstream.com");
    out.workers.budget.rate = env.number("BOOMSTREAM_REQUESTS_PER_SECOND",
        "calls to Boomstream per second, all instances together; 0: no limit", 0, 100'000, 5);
    out.workers.budget.concurrency = static_cast<int>(env.integer(
        "BOOMSTREAM_CONCURRENCY", "calls to Boomstream at the same time, per instance", 1, 256, 4));
    const auto deadline = std::chrono::seconds(
        env.integer("BOOMSTREAM_DEADLINE_SECONDS", "how long one call to Boomstream may take", 1, 120, 10));
    out.workers.daily_audit_budget = static_cast<int>(env.integer("BOOMSTREAM_AUDIT_BUDGET",
        "how many differences the daily audit of a course may repair; 0: it only reports", 0, 1'000'000,
        100));

    out.boomstream.deadline = deadline;
    out.workers.call_deadline = deadline;
    // One connection per call in flight and two for lists; the shared rate is kept in the database, not here.
    out.web.connections_per_host = static_cast<std::size_t>(out.workers.budget.concurrency) + 2;
    return out;
}

} // namespace coursegate::boomstream_grant
