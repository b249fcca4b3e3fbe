#include "coursegate/testkit/process.hpp"

#include <catch2/catch.hpp>

#include <csignal>
#include <cstdlib>

using namespace coursegate;
using namespace std::chrono_literals;

namespace {

testkit::process_options shell(const std::string& script)
{
    testkit::process_options o;
    o.program = "/bin/sh";
    o.arguments = {"-c", script};
    return o;
}

} // namespace

TEST_CASE("a program gets the environment it is given and nothing of the test's own")
{
    ::setenv("TEST_OF_PROCESS", "inherited", 1);
    auto o = shell("echo \"[$GIVEN] [$TEST_OF_PROCESS]\"; echo to-stderr >&2; exit 3");
    o.environment["GIVEN"] = "it's = \"given\"";
    testkit::process p(o);
    CHECK(p.wait(10s) == 3);
    CHECK(p.output().find("[it's = \"given\"] []") != std::string::npos);
    CHECK(p.output().find("to-stderr") != std::string::npos);
}

TEST_CASE("a running program can be watched, killed and waited for")
{
    testkit::process p(
        shell("echo '{\"message\":\"ready\",\"port\":4711,\"host\":\"h\"}'; exec tail -f /dev/null"));
    CHECK(p.said("ready", 10s));
    CHECK(p.logged("ready", "port") == "4711");
    CHECK(p.logged("ready", "host") == "h");
    CHECK_FALSE(p.logged("ready", "none"));
    CHECK_FALSE(p.logged("never", "port"));
    CHECK(p.running());
    CHECK_FALSE(p.wait(50ms));
    p.kill(SIGKILL);
    CHECK(p.wait(10s) == 128 + SIGKILL);
    CHECK_FALSE(p.running());
    p.kill(SIGKILL);
}

TEST_CASE("stopping asks first and insists later")
{
    testkit::process polite(shell("trap 'exit 0' TERM; echo up; while :; do :; done"));
    REQUIRE(polite.said("up", 10s));
    CHECK(polite.stop() == 0);
    testkit::process deaf(shell("trap '' TERM; echo up; exec tail -f /dev/null"));
    REQUIRE(deaf.said("up", 10s));
    CHECK(deaf.stop(200ms) == 128 + SIGKILL);
}

TEST_CASE("waiting for words of a program that ended does not take the whole limit")
{
    testkit::process p(shell("echo one"));
    const auto began = std::chrono::steady_clock::now();
    CHECK_FALSE(p.said("two", 60s));
    CHECK(std::chrono::steady_clock::now() - began < 30s);
}

TEST_CASE("a process ends with the object that started it")
{
    pid_t pid = 0;
    {
        testkit::process p(shell("exec tail -f /dev/null"));
        pid = p.pid();
        CHECK(::kill(pid, 0) == 0);
    }
    CHECK(::kill(pid, 0) != 0);
}

TEST_CASE("a program that is not there is an error at once")
{
    testkit::process_options o;
    o.program = "/no/such/program";
    CHECK_THROWS_AS(testkit::process(o), std::system_error);
}

TEST_CASE("free ports are ports")
{
    const int port = testkit::free_port();
    CHECK(port > 1023);
    CHECK(port < 65536);
}
