#include "coursegate/events/lesson_passed.hpp"
#include "coursegate/events/student_enrolled.hpp"
#include "coursegate/events/subscriptions.hpp"
#include "coursegate/testkit/run.hpp"

#include <catch2/catch.hpp>

using namespace coursegate;

namespace {

async::task<events::verdict> on_lesson_passed(const events::lesson_passed& e, events::message_context&)
{
    co_return e.lesson_id == 7 ? events::verdict::ack()
                               : events::verdict::retry(std::chrono::seconds(1), "not seven");
}

async::task<events::verdict> on_student_enrolled(const events::student_enrolled&, events::message_context&)
{
    co_return events::verdict::ack();
}

async::task<events::verdict> on_anything(events::message_context&)
{
    co_return events::verdict::ack();
}

events::message_context context_of(std::int64_t lesson)
{
    events::lesson_passed e;
    e.course_id = 1;
    e.stepik_user_id = 2;
    e.lesson_id = lesson;
    events::message_context out;
    out.envelope = events::wrap("test", e);
    return out;
}

} // namespace

TEST_CASE("a handler is found by queue, type and version")
{
    events::subscriptions s;
    s.on<events::lesson_passed>("a", "test.on_lesson_passed", on_lesson_passed);
    s.on<events::student_enrolled>("a", "test.on_student_enrolled", on_student_enrolled);
    s.on_any("log", "test.on_anything", on_anything);
    CHECK(s.queues() == std::vector<std::string>{"a", "log"});
    REQUIRE(s.find("a", "lesson_passed", 1) != nullptr);
    CHECK(s.find("a", "lesson_passed", 1)->handler_name == "test.on_lesson_passed");
    CHECK(s.find("a", "lesson_passed", 2) == nullptr);
    CHECK(s.find("a", "grant_issued", 1) == nullptr);
    CHECK(s.find("b", "lesson_passed", 1) == nullptr);
    CHECK(s.find("log", "whatever", 9)->handler_name == "test.on_anything");
}

TEST_CASE("two handlers for one event in one queue are refused at start")
{
    events::subscriptions s;
    s.on<events::lesson_passed>("a", "test.one", on_lesson_passed);
    CHECK_THROWS_WITH(s.on<events::lesson_passed>("a", "test.two", on_lesson_passed),
        "queue a has two handlers for lesson_passed.v1");
    s.on<events::lesson_passed>("b", "test.two", on_lesson_passed);
    s.on_any("log", "test.log", on_anything);
    CHECK_THROWS_AS(s.on_any("log", "test.log_again", on_anything), std::logic_error);
}

TEST_CASE("a typed handler gets the event; data that do not fit are a dead letter that names the field")
{
    boost::asio::io_context loop;
    events::subscriptions s;
    s.on<events::lesson_passed>("a", "test.on_lesson_passed", on_lesson_passed);
    const auto& handler = s.find("a", "lesson_passed", 1)->handler;
    const auto decide = [&](events::message_context context) {
        auto body = [&handler, &context]() -> async::task<events::verdict> {
            co_return co_await handler(context);
        };
        return testkit::run(loop, body);
    };
    CHECK(decide(context_of(7)).what() == events::verdict::kind::ack);
    const auto retried = decide(context_of(8));
    CHECK(retried.what() == events::verdict::kind::retry);
    CHECK(retried.delay() == std::chrono::seconds(1));
    auto broken = context_of(7);
    broken.envelope.data = "{\"course_id\":1,\"stepik_user_id\":2}";
    const auto parked = decide(broken);
    CHECK(parked.what() == events::verdict::kind::dead_letter);
    CHECK(parked.reason() == "lesson_id: is missing");
}
