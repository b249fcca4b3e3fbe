// "Check me now".
#include "world.hpp"

using namespace coursegate;
using namespace coursegate::stepik_sync;

namespace {
constexpr std::int64_t ann = 900000101;
}

struct request_world : world
{
    events::envelope request(std::int64_t student = ann, std::int64_t course = stub_stepik::course_id)
    {
        events::sync_requested e;
        e.request_id = base::new_uuid();
        e.course_id = course;
        e.stepik_user_id = student;
        e.requested_by = "student";
        return events::wrap("web-gateway", e);
    }

    nlohmann::json ask(const events::envelope& e)
    {
        const auto verdict = run([&]() { return one->deliver(e); });
        CHECK(verdict.what() == events::verdict::kind::ack);
        auto answers = take_events({"sync_completed"});
        REQUIRE(answers.size() <= 1);
        if (answers.empty())
            return nlohmann::json();
        CHECK(answers[0].envelope.correlation_id == e.correlation_id);
        return answers[0].data;
    }
};

TEST_CASE_METHOD(request_world, "one student is checked with one call and the answer says what is new")
{
    stub.add_student(ann);
    first_contact();
    take_events();
    stub.pass_lesson(ann, 20);
    stub.calls.clear();
    const auto e = request();
    const auto answer = ask(e);
    CHECK(answer["outcome"] == "checked");
    CHECK(answer["newly_passed"] == nlohmann::json{20});
    CHECK(stub.total_calls() == 1);
    const auto told = take_events({"lesson_passed"});
    REQUIRE(told.size() == 1);
    CHECK(told[0].data["backfill"] == false);
    CHECK(told[0].envelope.correlation_id == e.correlation_id);
    CHECK(value("select outcome from v_sync_requests") == "checked");
    sweep();
    CHECK(take_events({"lesson_passed"}).empty()); // the sweep finds it known
}

TEST_CASE_METHOD(request_world, "the same request delivered twice is answered once")
{
    stub.add_student(ann);
    first_contact();
    take_events();
    const auto e = request();
    CHECK_FALSE(ask(e).is_null());
    stub.calls.clear();
    CHECK(ask(e).is_null());
    CHECK(stub.total_calls() == 0);
}

TEST_CASE_METHOD(
    request_world, "killed between writing down and answering, the request goes on when it comes again")
{
    stub.add_student(ann);
    first_contact();
    take_events();
    const auto e = request();
    const auto event = events::unwrap<events::sync_requested>(e).value();
    const auto turn = run([&]() { return one->requests.open(event, events::cause{}); });
    CHECK(turn.what == request_turn::state::open);
    CHECK(ask(e)["outcome"] == "checked"); // its own first try is no reason for a cooldown
}

TEST_CASE_METHOD(request_world, "within the cooldown a student is not asked for again")
{
    stub.add_student(ann);
    stub.add_student(ann + 1);
    first_contact();
    take_events();
    CHECK(ask(request())["outcome"] == "checked");
    stub.calls.clear();
    const auto answer = ask(request());
    CHECK(answer["outcome"] == "cooldown");
    CHECK(answer["newly_passed"].empty());
    CHECK_THAT(answer["detail"].get<std::string>(),
        Catch::Contains("possible in 30 s") || Catch::Contains("possible in 29 s"));
    CHECK(stub.total_calls() == 0);
    CHECK(ask(request(ann + 1))["outcome"] == "checked"); // somebody else's is another matter
    sql("update student_checks set asked_at = asked_at - interval '31 seconds'");
    CHECK(ask(request())["outcome"] == "checked");
}

TEST_CASE_METHOD(request_world, "who is not enrolled, or teaches, is told so")
{
    stub.add_student(ann);
    stub.students.push_back({900000001, nlohmann::ordered_json::object(), "", true});
    first_contact();
    take_events();
    const auto stranger = ask(request(12345));
    CHECK(stranger["outcome"] == "not_enrolled");
    CHECK_THAT(stranger["detail"].get<std::string>(), Catch::Contains("not enrolled"));
    const auto teacher = ask(request(900000001));
    CHECK(teacher["outcome"] == "not_enrolled");
    CHECK_THAT(teacher["detail"].get<std::string>(), Catch::Contains("teaches"));
    CHECK(value("select count(*) from enrolments") == "1");
}

TEST_CASE_METHOD(request_world, "a student whom no sweep has seen yet is enrolled by the check")
{
    first_contact();
    take_events();
    stub.add_student(ann);
    stub.pass_lesson(ann, 20);
    CHECK(ask(request())["newly_passed"] == nlohmann::json{20});
    CHECK(take_events({"student_enrolled"}).size() == 1);
    CHECK(value("select in_first_sweep from enrolments") == "f");
}

TEST_CASE_METHOD(request_world, "what goes wrong is answered with a sentence, and asking again is allowed")
{
    stub.add_student(ann);
    first_contact();
    take_events();
    for (int i = 0; i < 3; ++i)
        stub.instead["/api/course-grades"].push_back(http::response::html(502, "bad gateway"));
    auto answer = ask(request());
    CHECK(answer["outcome"] == "failed");
    CHECK_THAT(answer["detail"].get<std::string>(), Catch::Contains("did not answer"));
    CHECK(ask(request())["outcome"] == "checked");

    CHECK(ask(request(ann, 999))["outcome"] == "failed"); // no such course
    connect("secret", "paused");
    answer = ask(request(ann + 5));
    CHECK(answer["outcome"] == "failed");
    CHECK_THAT(answer["detail"].get<std::string>(), Catch::Contains("paused"));
}

TEST_CASE_METHOD(request_world, "a check during a pause is answered at once, and nobody asks Stepik")
{
    stub.add_student(ann);
    first_contact();
    take_events();
    run([&]() { return one->budget.pause(std::chrono::seconds(60)); });
    stub.calls.clear();
    const auto begin = std::chrono::steady_clock::now();
    const auto answer = ask(request());
    CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(10));
    CHECK(answer["outcome"] == "failed");
    CHECK_THAT(answer["detail"].get<std::string>(), Catch::Contains("asks us to wait"));
    CHECK(stub.total_calls() == 0);
}

TEST_CASE_METHOD(request_world, "a request that nobody answered is given up, and answered so")
{
    const auto event = events::unwrap<events::sync_requested>(request()).value();
    run([&]() { return one->requests.open(event, events::cause{}); }); // its message was parked then
    sql("update sync_requests set requested_at = now() - interval '16 minutes'");
    tick();
    const auto answers = take_events({"sync_completed"});
    REQUIRE(answers.size() == 1);
    CHECK(answers[0].data["outcome"] == "failed");
    CHECK(answers[0].data["request_id"] == base::to_string(event.request_id));
}

TEST_CASE_METHOD(request_world, "only the row that was asked for is taken, whatever else Stepik sends")
{
    stub.add_student(ann);
    first_contact();
    take_events();
    auto& other = stub.add_student(ann + 1);
    stub.instead["/api/course-grades"] = {http::response::text(200,
        R"({"meta":{"has_next":false},"course-grades":[{"user":)" + std::to_string(other.id) +
            R"(,"results":{}}]})",
        "application/json")};
    CHECK(ask(request())["outcome"] == "not_enrolled");
    CHECK(value("select count(*) from enrolments") == "1");
}
