#include "config.hpp"

#include <catch2/catch.hpp>

using namespace coursegate;
using namespace coursegate::sandbox;

TEST_CASE("a sandbox needs no setting at all")
{
    runtime::environment env(std::vector<std::pair<std::string, std::string>>{});
    const auto c = read_config(env);
    env.finish();
    CHECK(c.port == 8090);
    CHECK(c.students == 0);
}

TEST_CASE("every fault in the sandbox's settings is named at once")
{
    runtime::environment env(std::vector<std::pair<std::string, std::string>>{
        {"PORT", "0"}, {"SANDBOX_STUDENTS", "many"}, {"ADMIN_PORT", "-1"}, {"LOG_LEVEL", "loud"}});
    read_config(env);
    try {
        env.finish();
        FAIL("no fault was found");
    }
    catch (const base::bad_configuration& e) {
        for (const char* name : {"PORT", "SANDBOX_STUDENTS", "ADMIN_PORT", "LOG_LEVEL"})
            CHECK_THAT(std::string(e.what()),
                Catch::Contains(std::string(name) + ":") || Catch::Contains(std::string(name) + " "));
    }
}
