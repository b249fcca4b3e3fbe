#include "coursegate/amqp/settings.hpp"

#include "coursegate/base/error.hpp"

#include <catch2/catch.hpp>

using namespace coursegate;

namespace {

std::string fault_of(const std::string& urls)
{
    try {
        amqp::parse_addresses(base::secret(urls));
    }
    catch (const base::bad_configuration& e) {
        return e.what();
    }
    return "accepted";
}

} // namespace

TEST_CASE("one address with everything said")
{
    const auto all =
        amqp::parse_addresses(base::secret("amqp://sync:p%40ss%2Cw%2Ford@broker.local:5673/school%2F1"));
    REQUIRE(all.size() == 1);
    CHECK_FALSE(all[0].tls);
    CHECK(all[0].host == "broker.local");
    CHECK(all[0].port == 5673);
    CHECK(all[0].user == "sync");
    CHECK(all[0].password.expose() == "p@ss,w/ord");
    CHECK(all[0].vhost == "school/1");
}

TEST_CASE("what is left out has the usual value")
{
    const auto all = amqp::parse_addresses(base::secret("amqp://u:p@a, amqps://u:p@b/,amqp://u:@[::1]:99"));
    REQUIRE(all.size() == 3);
    CHECK(all[0].port == 5672);
    CHECK(all[0].vhost == "/");
    CHECK(all[1].tls);
    CHECK(all[1].port == 5671);
    CHECK(all[1].vhost == "/");
    CHECK(all[2].host == "::1");
    CHECK(all[2].port == 99);
    CHECK(all[2].password.empty());
}

TEST_CASE("a malformed address is refused by name and position, and the password is never in the message")
{
    const auto [urls, fault] = GENERATE(table<std::string, std::string>({
        {"", "address 1: is empty"},
        {"amqp://u:hush@a,", "address 2: is empty"},
        {"http://u:hush@a", "address 1: must begin with amqp:// or amqps://"},
        {"amqp://u:hush@a,rabbit", "address 2: must begin with amqp:// or amqps://"},
        {"amqp://localhost", "address 1: names no user"},
        {"amqp://u@localhost", "address 1: names no password"},
        {"amqp://:hush@localhost", "address 1: names no user"},
        {"amqp://u:hush@", "address 1: names no host"},
        {"amqp://u:hush@a:0", "address 1: the port must be a number from 1 to 65535"},
        {"amqp://u:hush@a:70000", "address 1: the port must be a number from 1 to 65535"},
        {"amqp://u:hush@a:5672x", "address 1: the port must be a number from 1 to 65535"},
        {"amqp://u:hush@a:", "address 1: the port must be a number from 1 to 65535"},
        {"amqp://u:hush@[::1", "address 1: the host's [ is not closed"},
        {"amqp://u:hush%4@a", "address 1: the password has a % that two hex digits must follow"},
        {"amqp://u:hush%zz@a", "address 1: the password has a % that two hex digits must follow"},
        {"amqp://u:hush@a?heartbeat=5", "address 1: takes no ? or #"},
    }));
    CAPTURE(urls);
    const auto got = fault_of(urls);
    CHECK_THAT(got, Catch::StartsWith("AMQP_URL: " + fault));
    CHECK(got.find("hush") == std::string::npos);
}
