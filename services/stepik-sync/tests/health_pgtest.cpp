// A connection that is broken says so and recovers when it is put right; nothing else stops.
#include "world.hpp"

#include "coursegate/log/log.hpp"
#include "coursegate/metrics/metrics.hpp"

#include <mutex>

using namespace coursegate;
using namespace coursegate::stepik_sync;

namespace {

constexpr std::int64_t ann = 900000101;

bool metrics_say(const std::string& problem)
{
    return coursegate::metrics::expose().find(
               "coursegate_stepik_course_problem{course=\"247644\",problem=\"" + problem + "\"} 1") !=
           std::string::npos;
}

// What is logged while it lives.
struct logged
{
    logged() : before(log::set_sink(&take)), level(log::current_level())
    {
        log::set_level(log::level::debug);
        lines().clear();
    }
    ~logged()
    {
        log::set_sink(before);
        log::set_level(level);
    }
    logged(const logged&) = delete;

    bool has(const std::string& text) const
    {
        const std::lock_guard lock{mutex()};
        return lines().find(text) != std::string::npos;
    }

    static std::mutex& mutex()
    {
        static std::mutex m;
        return m;
    }
    static std::string& lines()
    {
        static std::string s;
        return s;
    }
    static void take(std::string_view line)
    {
        const std::lock_guard lock{mutex()};
        lines() += line;
    }

    log::sink before;
    log::level level;
};

} // namespace

struct health_world : world
{
    void connected()
    {
        events::course_connected e;
        e.course_id = stub_stepik::course_id;
        e.source = "admin";
        const auto envelope = events::wrap("web-gateway", e);
        run([&]() { return one->deliver(envelope); });
        deliver_work();
        tick();
        deliver_work();
    }
    std::string first_problem() { return value("select problems[1] from v_course_health"); }
};

TEST_CASE_METHOD(health_world, "a wrong secret, then the right one")
{
    stub.add_student(ann);
    stub.client_secret = "right";
    connect("wrong");
    connected();
    CHECK(problem_names() == "wrong_secret");
    CHECK_THAT(first_problem(), Catch::Contains("application's id or secret"));
    CHECK(value("select ok || ' ' || token_state from v_course_health") == "false wrong_secret");
    CHECK(metrics_say("wrong_secret"));
    CHECK(value("select count(*) from sweeps where outcome = 'failed'") == "1");

    connect("right");
    connected();
    CHECK(problem_names().empty());
    CHECK(value("select ok || ' ' || token_state from v_course_health") == "true ok");
    CHECK_FALSE(metrics_say("wrong_secret"));
    CHECK(value("select count(*) from enrolments") == "1");
}

TEST_CASE_METHOD(health_world, "what is wrong is logged, the secret and the token never are")
{
    const logged log_lines;
    stub.add_student(ann);
    stub.client_secret = "w0rds-of-today";
    connect("w0rds-of-yesterday");
    // A server that echoes what it was sent.
    stub.instead["/oauth2/token/"] = {
        http::response::json(401, nlohmann::json{{"error", "no client with w0rds-of-yesterday"}})};
    connected();
    CHECK(problem_names() == "wrong_secret");
    CHECK(log_lines.has("does not accept the application's id"));
    CHECK(log_lines.has("no client with "));
    CHECK_FALSE(log_lines.has("w0rds-of-yesterday"));

    connect("w0rds-of-today");
    stub.instead["/api/course-grades"] = {stub_stepik::status(403, "token-1 of w0rds-of-today")};
    connected();
    REQUIRE(stub.tokens_given.size() == 1);
    REQUIRE(stub.tokens_given[0] == "token-1");
    CHECK(log_lines.has("grade_book_not_visible"));
    CHECK_FALSE(log_lines.has("w0rds-of-today"));
    CHECK_FALSE(log_lines.has("token-1"));
}

TEST_CASE_METHOD(health_world, "a secret that was put right at Stepik's side is found by the next sweep")
{
    stub.add_student(ann);
    first_contact();
    stub.client_secret = "changed by somebody";
    stub.revoke_tokens();
    sweep();
    CHECK(problem_names() == "wrong_secret");
    stub.client_secret = "secret";
    auto* restarted = add_instance("two"); // the first one remembers the refusal for some seconds
    sql("update courses set sweep_due_at = now()");
    tick();
    for (const auto& e : take_events({"sweep_page_due"}))
        run([&]() { return restarted->deliver(e.envelope); });
    CHECK(problem_names().empty());
}

TEST_CASE_METHOD(health_world, "a secret sealed with another key")
{
    const base::keyring others(base::secret(base::to_base64(std::string(32, 'x'))));
    const std::string row = std::to_string(stub_stepik::course_id);
    const auto box =
        others.seal({"catalog.courses", "stepik_client_secret_box", row}, base::secret("secret"));
    static constexpr db::statement update{
        "test.box", "update catalog.courses set stepik_client_secret_box = $1"};
    database.owner().transact([&](db::transaction& tx) { tx.exec(update, db::bytes(box)); });
    connected();
    CHECK(problem_names() == "unreadable_key");
    CHECK(stub.total_calls() == 0);
    connect("secret");
    connected();
    CHECK(problem_names().empty());
}

TEST_CASE_METHOD(health_world, "a grade book that the application's owner may not see")
{
    stub.add_student(ann);
    stub.can_view_grades = false;
    stub.has_learners_group = false;
    connected();
    CHECK(problem_names() == "grade_book_not_visible,learners_not_visible");
    CHECK(value("select ok || ' ' || can_view_grades || ' ' || has_learners_group from v_course_health") ==
          "false false false");
    stub.can_view_grades = true;
    sweep();
    CHECK(problem_names() == "learners_not_visible");
    CHECK(value("select ok from v_course_health") == "t"); // students can be read
    stub.has_learners_group = true;
    sweep();
    CHECK(problem_names().empty());
}

TEST_CASE_METHOD(health_world, "Stepik out of reach is told when it lasts")
{
    stub.add_student(ann);
    first_contact();
    const auto fail_once = [&] {
        for (int i = 0; i < 3; ++i)
            stub.instead["/api/course-grades"].push_back(http::response::html(503, "busy"));
        sql("update sweep_pages set retry_at = now() where retry_at is not null");
        tick();
        deliver_work();
    };
    sql("update courses set sweep_due_at = now()");
    fail_once();
    fail_once();
    CHECK(problem_names().empty());
    fail_once();
    CHECK(problem_names() == "stepik_unreachable");
    CHECK_THAT(first_problem(), Catch::Contains("course-grades answered 503"));
    sql("update sweep_pages set retry_at = now() where retry_at is not null");
    tick();
    deliver_work();
    CHECK(problem_names().empty());
}

TEST_CASE_METHOD(health_world, "a pause that Stepik asked for is shown while it lasts")
{
    first_contact();
    run([&]() { return one->budget.pause(std::chrono::seconds(60)); });
    run([&]() { return one->watch.judge_all(); });
    CHECK(problem_names() == "rate_limited");
    CHECK(value("select ok from v_course_health") == "t");
    sql("update api_budget set paused_until = now()");
    run([&]() { return one->watch.judge_all(); });
    CHECK(problem_names().empty());
}

TEST_CASE_METHOD(health_world, "a course without lessons")
{
    stub.modules.clear();
    connected();
    CHECK(problem_names() == "structure_empty");
}

TEST_CASE_METHOD(health_world, "sweeps that stopped are noticed by time alone")
{
    stub.add_student(ann);
    first_contact();
    run([&]() { return one->watch.judge_all(); });
    CHECK(problem_names().empty());
    sql("update courses set good_sweep_ended_at = now() - interval '20 minutes'");
    run([&]() { return one->watch.judge_all(); });
    CHECK(problem_names() == "sweep_too_old");
    sweep();
    CHECK(problem_names().empty());
}

TEST_CASE_METHOD(health_world, "a daemon that is gone is noticed by the view itself")
{
    stub.add_student(ann);
    first_contact();
    CHECK(value("select ok from v_course_health") == "t");
    sql("update course_health set checked_at = now() - interval '10 minutes'");
    CHECK(value("select ok from v_course_health") == "f");
    CHECK_THAT(first_problem(), Catch::Contains("the sync service has not reported since"));
    run([&]() { return one->watch.judge_all(); });
    CHECK(value("select ok from v_course_health") == "t");
}

TEST_CASE_METHOD(health_world, "an unknown course")
{
    stub.instead["/api/courses"] = {stub_stepik::status(404, "Not found.")};
    tick();
    deliver_work();
    CHECK(problem_names() == "course_not_found");
    sql("update courses set structure_due_at = now()");
    tick();
    deliver_work();
    CHECK(problem_names().empty());
}
