#include "config.hpp"

#include <catch2/catch.hpp>

using namespace coursegate;
using namespace coursegate::stepik_sync;

namespace {

std::vector<std::pair<std::string, std::string>> complete()
{
    return {{"SECRET_KEY", "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="},
        {"DATABASE_URL", "postgresql://role:password@127.0.0.1/coursegate"},
        {"AMQP_URL", "amqp://user:password@127.0.0.1"}};
}

} // namespace

TEST_CASE("everything but secrets and servers has a default")
{
    runtime::environment env(complete());
    const auto c = read_config(env);
    env.finish();
    CHECK(c.stepik_url == "https://stepik.org");
    CHECK(c.requests_per_second == 2);
    CHECK(c.concurrency == 2);
    CHECK(c.sweep_every.count() == 300);
}

TEST_CASE("every fault is named at once")
{
    runtime::environment env(std::vector<std::pair<std::string, std::string>>{{"STEPIK_URL", "ftp://x"},
        {"STEPIK_CONCURRENCY", "0"}, {"STEPIK_SWEEP_SECONDS", "soon"}, {"STEPIK_REQUESTS_PER_SECOND", "-1"}});
    read_config(env);
    try {
        env.finish();
        FAIL("no fault was found");
    }
    catch (const base::bad_configuration& e) {
        for (const char* name : {"SECRET_KEY", "DATABASE_URL", "AMQP_URL", "STEPIK_URL", "STEPIK_CONCURRENCY",
                 "STEPIK_SWEEP_SECONDS", "STEPIK_REQUESTS_PER_SECOND"})
            CHECK_THAT(std::string(e.what()), Catch::Contains(name));
    }
}
