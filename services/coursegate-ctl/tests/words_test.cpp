#include "clients/urls.hpp"
#include "commands/command.hpp"
#include "commands/dead.hpp"
#include "commands/demo.hpp"
#include "commands/unheard.hpp"

#include "coursegate/amqp/inspect.hpp"

#include <catch2/catch.hpp>

#include <algorithm>

using namespace coursegate;
using namespace coursegate::ctl;

namespace {

base::result<login> login_of(const std::string& url)
{
    return parse_login(base::secret{url});
}

std::string complaint(const std::vector<std::string>& words)
{
    try {
        const arguments args{words, {"--limit", "--id"}, {"--yes"}};
        args.number("--limit", 20, 1);
        return "(none)";
    }
    catch (const usage_error& e) {
        return e.what();
    }
}

amqp::parked_message unheard(const std::string& schema)
{
    amqp::parked_message m;
    m.type = "lesson_passed";
    m.body = schema.empty() ? "no event" : R"({"dataschema": ")" + schema + "\"}";
    return m;
}

} // namespace

TEST_CASE("user and password are read out of a connection URL")
{
    const auto plain = login_of("postgresql://anna:secret@db.example:5433/coursegate?sslmode=require");
    REQUIRE(plain.has_value());
    CHECK(plain->user == "anna");
    CHECK(plain->password.expose() == "secret");
    const auto escaped = login_of("amqp://a%2Fb:p%40ss%3a%25word@rabbit//vhost");
    REQUIRE(escaped.has_value());
    CHECK(escaped->user == "a/b");
    CHECK(escaped->password.expose() == "p@ss:%word");
    CHECK(login_of("amqp://u:p%40@h")->password.expose() == "p@");       // at the very end
    CHECK(login_of("amqp://u:p@ss:w@h")->password.expose() == "p@ss:w"); // written as it is
    CHECK(login_of("amqp://u:50%@h")->password.expose() == "50%");
    CHECK(login_of("amqp://u:%zz@h")->password.expose() == "%zz");
}

TEST_CASE("a URL without user or password is refused without being shown")
{
    for (const auto* url : {"secret", "amqp://host", "amqp://user@host", "amqp://user:@host",
             "amqp://:secret@host", "postgresql://host/db?u=a:secret@b"})
    {
        INFO(url);
        const auto login = login_of(url);
        REQUIRE_FALSE(login.has_value());
        CHECK(login.error().code == base::errc::malformed);
        CHECK(login.error().detail.find("secret") == std::string::npos);
    }
}

TEST_CASE("words of a command: options, switches, the rest")
{
    const arguments args{
        {"show", "--limit", "3", "queue", "--yes", "--id", "a", "--id", "b"}, {"--limit", "--id"}, {"--yes"}};
    CHECK(args.positional() == std::vector<std::string>{"show", "queue"});
    CHECK(args.number("--limit", 20, 1) == 3);
    CHECK(args.number("--count", 7) == 7);
    CHECK(args.has("--yes"));
    CHECK_FALSE(args.has("--no"));
    CHECK(args.value("--id") == "a");
    CHECK(args.values("--id") == std::vector<std::string>{"a", "b"});
    CHECK(args.value("--lang", "en") == "en");
}

TEST_CASE("wrong words are refused by name")
{
    CHECK(complaint({"--limit"}) == "--limit needs a value");
    CHECK(complaint({"--once"}) == "unknown option --once");
    CHECK(complaint({"--limit", "many"}) == "--limit takes a whole number, not 'many'");
    CHECK(complaint({"--limit", "3x"}) == "--limit takes a whole number, not '3x'");
    CHECK(complaint({"--limit", "99999999999999999999"}).find("whole number") != std::string::npos);
    CHECK(complaint({"--limit", "0"}) == "--limit is at least 1, not 0");
    CHECK(complaint({"--limit", "1"}) == "(none)");
}

TEST_CASE("a queue is found by each name it goes by")
{
    for (const auto* word : {"stepik-sync.requests", "stepik-sync.requests.dead",
             "school.one.stepik-sync.requests", "school.one.stepik-sync.requests.dead"})
        CHECK(queue_of(word, "school.one") == "stepik-sync.requests");
    CHECK_THROWS_WITH(queue_of("coursegate.stepik-sync.requests", "school.one"),
        Catch::Contains("there is no queue 'coursegate.stepik-sync.requests'") &&
            Catch::Contains("web-gateway.feed"));
}

TEST_CASE("why a message is parked: our reason, else the broker's")
{
    amqp::parked_message m;
    CHECK(amqp::reason_of(m) == "unknown");
    m.headers["x-first-death-reason"] = "delivery_limit";
    CHECK(amqp::reason_of(m) == "broker: delivery_limit");
    m.headers["x-reason"] = "attempts ran out";
    CHECK(amqp::reason_of(m) == "attempts ran out");
}

TEST_CASE("an event that missed its listener is told from one that nobody listens to")
{
    amqp::topology t;
    t.queues.resize(2);
    t.queues[0].bindings = {"lesson_passed.v1", "grant_issued.v1"};
    t.queues[1].bindings = {"lesson_passed.v1"};
    const auto missed = missed_by_listeners(
        {unheard("urn:coursegate:event:lesson_passed:v1"), unheard("urn:coursegate:event:lesson_passed:v2"),
            unheard("urn:coursegate:event:course_closed:v1"), unheard("urn:other:lesson_passed:v1"),
            unheard("urn:coursegate:event:lesson_passed:v1"), unheard("")},
        t);
    CHECK(missed == std::map<std::string, int>{{"lesson_passed.v1", 2}});
}

TEST_CASE("a demo that is run again enrols other students")
{
    const auto now = base::now();
    const auto first = new_student_ids(now, 5);
    const auto second = new_student_ids(now + std::chrono::seconds(1), 5);
    REQUIRE(first.size() == 5);
    CHECK(std::adjacent_find(first.begin(), first.end()) == first.end());
    for (const auto id : second)
        CHECK(std::find(first.begin(), first.end(), id) == first.end());
}

TEST_CASE("--help names what a command takes")
{
    for (const auto& c : all_commands()) {
        CHECK(c.usage.starts_with(c.name));
        if (c.name == "dead")
            CHECK(c.usage.find("dead show QUEUE [--id ID]") != std::string::npos);
        if (c.name == "demo")
            CHECK(c.usage.find("--once") == std::string::npos);
    }
}
