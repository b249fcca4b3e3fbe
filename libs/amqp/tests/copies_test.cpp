#include "../src/copies.hpp"
#include "../src/names.hpp"

#include "coursegate/log/log.hpp"

#include <catch2/catch.hpp>

using namespace coursegate;
using namespace std::chrono_literals;

namespace {

amqp::message lesson_passed_message()
{
    amqp::message m;
    m.body = "{}";
    m.props.message_id = "id-1";
    m.props.type = "lesson_passed";
    m.props.content_type = "application/cloudevents+json";
    m.props.correlation_id = "chain-1";
    m.props.user_id = "stepik-sync";
    m.props.headers["traceparent"] = "00-trace";
    return m;
}

amqp::message received(const amqp::copy& c, const std::string& user)
{
    amqp::message m;
    m.body = c.body;
    m.props.message_id = c.message_id;
    m.props.type = c.type;
    m.props.content_type = c.content_type;
    m.props.correlation_id = c.correlation_id;
    m.props.headers = c.headers;
    m.props.user_id = user;
    return m;
}

amqp::failure failed(const std::string& error)
{
    amqp::failure f;
    f.handler = "boomstream_grant.on_lesson_passed";
    f.error = error;
    f.at = *base::parse_iso8601("2026-01-02T03:04:05Z");
    return f;
}

} // namespace

TEST_CASE("a retry goes to the queue of the next longer delay")
{
    CHECK(amqp::retry_queue("p.q", 0ms) == "p.q.retry.1s");
    CHECK(amqp::retry_queue("p.q", 1s) == "p.q.retry.1s");
    CHECK(amqp::retry_queue("p.q", 1001ms) == "p.q.retry.5s");
    CHECK(amqp::retry_queue("p.q", 30s) == "p.q.retry.30s");
    CHECK(amqp::retry_queue("p.q", 31s) == "p.q.retry.2m");
    CHECK(amqp::retry_queue("p.q", 10min) == "p.q.retry.10m");
    CHECK(amqp::retry_queue("p.q", 24h) == "p.q.retry.10m");
}

TEST_CASE("the pause grows with each attempt")
{
    CHECK(amqp::pause_after(0) == 1s);
    CHECK(amqp::pause_after(1) == 1s);
    CHECK(amqp::pause_after(2) == 5s);
    CHECK(amqp::pause_after(5) == 10min);
    CHECK(amqp::pause_after(50) == 10min);
}

TEST_CASE("attempts are counted by our own header, and nonsense in it counts as none")
{
    amqp::properties p;
    CHECK(amqp::attempt_of(p) == 1);
    p.headers["x-attempts"] = "3";
    CHECK(amqp::attempt_of(p) == 4);
    for (const auto* const nonsense : {"", "-1", "x", "3x", "99999999999999"}) {
        p.headers["x-attempts"] = nonsense;
        CHECK(amqp::attempt_of(p) == 1);
    }
}

TEST_CASE("a retried message keeps who sent it and how it failed first, however often it is copied")
{
    const auto original = lesson_passed_message();
    auto c = amqp::retry_copy(original, "p.q", 1s, 1, failed("first"));
    CHECK(c.queue == "p.q.retry.1s");
    CHECK(c.body == original.body);
    CHECK(c.message_id == "id-1");
    CHECK(c.correlation_id == "chain-1");
    CHECK(c.headers.at("x-attempts") == "1");

    auto again = received(c, "boomstream-grant");
    again.props.headers["x-death"] = "[{}]";
    again.props.headers["x-first-death-queue"] = "p.q.retry.1s";
    again.props.headers["x-delivery-count"] = "2";
    const auto dead = amqp::dead_copy(again, "p.q", "attempts ran out (2): second", 2, failed("second"));
    CHECK(dead.queue == "p.q.dead");
    CHECK(
        dead.headers == std::map<std::string, std::string>{{"traceparent", "00-trace"}, {"x-attempts", "2"},
                            {"x-handler", "boomstream_grant.on_lesson_passed"}, {"x-first-error", "first"},
                            {"x-last-error", "second"}, {"x-first-failed-at", "2026-01-02T03:04:05.000000Z"},
                            {"x-origin-user", "stepik-sync"}, {"x-origin-queue", "p.q"},
                            {"x-reason", "attempts ran out (2): second"}});

    const auto redriven = amqp::fresh_copy(received(dead, "operator"), "p.q");
    CHECK(redriven.queue == "p.q");
    CHECK(redriven.headers == std::map<std::string, std::string>{{"traceparent", "00-trace"},
                                  {"x-origin-user", "stepik-sync"}, {"x-origin-queue", "p.q"}});
}

TEST_CASE("the story of a failure that quotes a secret travels without it")
{
    log::never_print(base::secret("header-secret"));
    const auto quoting = failed("Boomstream refused apikey=header-secret");
    const auto retry = amqp::retry_copy(lesson_passed_message(), "p.q", 1s, 1, quoting);
    CHECK(retry.headers.at("x-first-error") == "Boomstream refused apikey=***");
    CHECK(retry.headers.at("x-last-error") == "Boomstream refused apikey=***");
    const auto dead = amqp::dead_copy(lesson_passed_message(), "p.q", "gave up: header-secret", 1, quoting);
    CHECK(dead.headers.at("x-reason") == "gave up: ***");
    CHECK(dead.headers.at("x-last-error") == "Boomstream refused apikey=***");
}

TEST_CASE("an error in a header is one line of bounded length and whole characters")
{
    CHECK(amqp::header_text("a\nb\tc") == "a b c");
    const auto cut = amqp::header_text(std::string(999, 'x') + "шшш");
    CHECK(cut == std::string(999, 'x') + "…");
}
