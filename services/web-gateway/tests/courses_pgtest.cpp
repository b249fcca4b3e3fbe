#include "running_gateway.hpp"

#include "storage/access.hpp"
#include "storage/learning.hpp"

#include "coursegate/base/encoding.hpp"

using namespace coursegate;
using namespace coursegate::web_gateway;
using namespace coursegate::web_gateway::tests;

namespace {

std::string keys_of_course()
{
    return R"({"stepik_client_id": "client", "stepik_client_secret": "hush-stepik"})";
}

std::string open_box(running_gateway& g, const char* column, const char* course)
{
    const auto box = g.one(std::string("SELECT replace(encode(") + column +
                           ", 'base64'), E'\\n', '') FROM catalog.v_courses WHERE course_id = " + course);
    if (box == "(none)")
        return box;
    const auto opened = g.keys().open({"catalog.courses", column, course}, *base::from_base64(box));
    REQUIRE(opened.has_value());
    return opened->expose();
}

course_settings given_course()
{
    course_settings given;
    given.id = 7;
    given.stepik_client_id = "env-client";
    given.stepik_client_secret = base::secret("env-secret");
    given.default_subscription = std::optional<std::string>("ENVGROUP");
    return given;
}

} // namespace

TEST_CASE("a course is connected with sealed keys that no answer and no table shows")
{
    running_gateway g;
    const std::string body = R"({"stepik_client_id": "client", "stepik_client_secret": "hush-stepik",
        "boomstream_api_key": "hush-boomstream", "default_subscription": "SBXGROUP", "title": "Основы",
        "access_until": "2027-01-01T00:00:00+03:00", "sweep_seconds": 60})";
    const auto made = g.call("PUT", "/v1/courses/247644", body);
    REQUIRE(made.status == 201);
    CHECK(made.at("/title") == "Основы");
    CHECK(made.at("/state") == "connected");
    CHECK(made.at("/source") == "admin");
    CHECK(made.at("/has_boomstream_key") == "true");
    CHECK(made.at("/access_until") == "2026-12-31T21:00:00.000000Z");
    CHECK(made.at("/sweep_seconds") == "60");
    CHECK(open_box(g, "stepik_client_secret_box", "247644") == "hush-stepik");
    CHECK(open_box(g, "boomstream_api_key_box", "247644") == "hush-boomstream");
    CHECK(g.everything().find("hush") == std::string::npos);
    CHECK(g.last_event("course_connected").at("/data") == R"({"course_id":247644,"source":"admin"})");
    CHECK(g.last_audit().at("/what") == "course.connect");
    CHECK(g.last_audit().at("/target") == "course/247644");
    CHECK(g.one("SELECT kind FROM catalog.v_subscriptions WHERE subscription_code = 'SBXGROUP'") == "group");

    SECTION("the same again changes nothing")
    {
        const auto before = g.everything();
        CHECK(g.call("PUT", "/v1/courses/247644", body).status == 200);
        CHECK(g.everything() == before);
    }
    SECTION("what is left out stays")
    {
        const auto changed = g.call("PUT", "/v1/courses/247644", R"({"state": "paused"})");
        CHECK(changed.status == 200);
        CHECK(changed.at("/state") == "paused");
        CHECK(changed.at("/title") == "Основы");
        CHECK(changed.at("/default_subscription") == "SBXGROUP");
        CHECK(open_box(g, "stepik_client_secret_box", "247644") == "hush-stepik");
        CHECK(g.events("course_connected") == 2);
    }
    SECTION("null takes away")
    {
        const auto changed = g.call("PUT", "/v1/courses/247644",
            R"({"boomstream_api_key": null, "default_subscription": null, "access_until": null, "sweep_seconds": null})");
        CHECK(changed.at("/has_boomstream_key") == "false");
        CHECK(changed.at("/default_subscription") == "null");
        CHECK(changed.at("/access_until") == "null");
        CHECK(changed.at("/sweep_seconds") == "null");
        CHECK(open_box(g, "boomstream_api_key_box", "247644") == "(none)");
        CHECK(g.one("SELECT access_until FROM catalog.v_courses") == "(none)");
    }
    SECTION("a new secret is told as changed, not shown")
    {
        CHECK(g.call("PUT", "/v1/courses/247644", R"({"stepik_client_secret": "hush-other"})").status == 200);
        CHECK(open_box(g, "stepik_client_secret_box", "247644") == "hush-other");
        CHECK(g.last_audit().at("/after/stepik_client_secret") == "changed");
        CHECK(g.everything().find("hush") == std::string::npos);
        CHECK(g.events("course_connected") == 2);
        CHECK(g.call("PUT", "/v1/courses/247644", R"({"boomstream_api_key": "hush-third"})").status == 200);
        CHECK(g.last_audit().at("/after/boomstream_api_key") == "changed");
        CHECK(g.events("course_connected") == 3);
    }
    SECTION("a new title is nobody's event")
    {
        CHECK(g.call("PUT", "/v1/courses/247644", R"({"title": "Другой"})").at("/title") == "Другой");
        CHECK(g.events("course_connected") == 1);
        CHECK(g.last_audit().at("/what") == "course.change");
    }
}

TEST_CASE("a bad field of a course is refused by name and changes nothing")
{
    running_gateway g;
    REQUIRE(g.call("PUT", "/v1/courses/5", keys_of_course()).status == 201);
    const auto before = g.everything();
    struct row
    {
        const char* field;
        std::string value;
        const char* refusal;
    };
    const std::vector<row> rows{
        {"stepik_client_secret", R"(null)", "400 missing_field stepik_client_secret"},
        {"stepik_client_id", R"(null)", "400 missing_field stepik_client_id"},
        {"stepik_client_id", R"("a b")", "400 invalid_value stepik_client_id"},
        {"stepik_client_secret", R"("")", "400 invalid_value stepik_client_secret"},
        {"stepik_client_secret", R"(5)", "400 wrong_type stepik_client_secret"},
        {"boomstream_api_key", R"("a\nb")", "400 invalid_value boomstream_api_key"},
        {"default_subscription", R"("a/b")", "400 invalid_value default_subscription"},
        {"access_until", R"("tomorrow")", "400 invalid_value access_until"},
        {"sweep_seconds", R"(9)", "400 invalid_value sweep_seconds"},
        {"sweep_seconds", R"("60")", "400 wrong_type sweep_seconds"},
        {"state", R"("gone")", "400 invalid_value state"},
        {"source", R"("environment")", "400 unknown_field source"},
        {"title", "\"" + std::string(201, 'x') + "\"", "400 invalid_value title"},
    };
    for (const auto& r : rows) {
        INFO(r.field << " " << r.value);
        CHECK(
            g.call("PUT", "/v1/courses/6", with(keys_of_course(), r.field, r.value)).refusal() == r.refusal);
    }
    CHECK(g.call("PUT", "/v1/courses/0", keys_of_course()).refusal() == "400 invalid_value course_id");
    CHECK(g.call("PUT", "/v1/courses/x", keys_of_course()).refusal() == "400 invalid_value course_id");
    CHECK(g.call("PUT", "/v1/courses/5", R"({"stepik_client_id": "other"})").refusal() ==
          "400 missing_field stepik_client_secret");
    CHECK(g.everything() == before);
}

TEST_CASE("the course of the environment connects itself and wins")
{
    running_gateway g(given_course());
    CHECK(g.one("SELECT source FROM catalog.v_courses WHERE course_id = 7") == "environment");
    CHECK(open_box(g, "stepik_client_secret_box", "7") == "env-secret");
    CHECK(g.last_event("course_connected").at("/data/source") == "environment");
    CHECK(g.last_audit().at("/who") == "environment");

    SECTION("a second start with the same finds nothing to do")
    {
        const auto before = g.everything();
        g.start_again_with(given_course());
        CHECK(g.everything() == before);
    }
    SECTION("a second start with another secret writes it and tells")
    {
        auto given = given_course();
        given.stepik_client_secret = base::secret("env-secret-2");
        g.start_again_with(given);
        CHECK(open_box(g, "stepik_client_secret_box", "7") == "env-secret-2");
        CHECK(g.events("course_connected") == 2);
    }
    SECTION("an author can't change what it gives, and can change the rest")
    {
        const auto before = g.everything();
        CHECK(g.call("PUT", "/v1/courses/7", R"({"stepik_client_secret": "mine"})").refusal() ==
              "409 given_by_environment stepik_client_secret");
        CHECK(g.call("PUT", "/v1/courses/7", R"({"default_subscription": "MINE"})").refusal() ==
              "409 given_by_environment default_subscription");
        CHECK(g.everything() == before);
        const auto mine =
            g.call("PUT", "/v1/courses/7", R"({"title": "Mine", "boomstream_api_key": "my-key"})");
        CHECK(mine.status == 200);
        CHECK(mine.at("/source") == "environment");
        g.start_again_with(given_course());
        CHECK(open_box(g, "boomstream_api_key_box", "7") == "my-key");
        CHECK(g.one("SELECT title FROM catalog.v_courses") == "Mine");
    }
    SECTION("another course is the author's own")
    {
        CHECK(g.call("PUT", "/v1/courses/8", keys_of_course()).at("/source") == "admin");
    }
}

TEST_CASE("a course that an author connected is taken over by the environment")
{
    running_gateway g;
    REQUIRE(g.call("PUT", "/v1/courses/7", keys_of_course()).status == 201);
    g.start_again_with(given_course());
    CHECK(
        g.one("SELECT source || ' ' || stepik_client_id FROM catalog.v_courses") == "environment env-client");
    CHECK(g.events("course_connected") == 2);
}

TEST_CASE("one course shows its structure, what is missing, what is exposed and how it is")
{
    running_gateway g;
    g.add_course();
    const auto attach = [&](const char* lesson, const char* parts) {
        const auto path = std::string("/v1/courses/5/lessons/") + lesson + "/media";
        REQUIRE(g.call("PUT", path, std::string(R"({"parts": )") + parts + "}").status == 200);
    };
    attach("501", R"([{"part": 1, "boom_media": "AAAAAAAA", "subscription_code": "GROUP"},
                      {"part": 2, "boom_media": "BBBBBBBB", "subscription_code": "GROUP"}])");
    attach("502", R"([{"part": 1, "boom_media": "CCCCCCCC", "subscription_code": "GROUP"}])");
    attach("503", R"([{"part": 1, "boom_media": "DDDDDDDD", "subscription_code": "ALONE"}])");
    REQUIRE(g.call("PUT", "/v1/courses/5/rules", R"({"scope": "module", "scope_id": 50, "rule": "always"})")
                .status == 200);
    g.sql("UPDATE fixture.v_structure SET vanished = true WHERE lesson_id = 502;"
          "UPDATE fixture.v_course_health SET ok = false, problems = '{\"The Stepik secret is wrong.\"}';"
          "INSERT INTO fixture.v_provider_health VALUES (5, false, 'The Boomstream key is not accepted.', "
          "now(), 'open', 5, 3, 40)");

    const auto c = g.call("GET", "/v1/courses/5");
    CHECK(c.at("/structure_known") == "true");
    REQUIRE(c.size("/modules") == 2);
    CHECK(c.at("/modules/0/title") == "Basics");
    CHECK(c.size("/modules/0/lessons/0/media") == 2);
    CHECK(c.at("/modules/0/lessons/0/rule") == R"({"rule":"always","scope":"module","scope_id":50})");
    CHECK(c.at("/modules/1/lessons/0/rule/rule") == "with_previous");
    REQUIRE(c.size("/lessons_without_video") == 1);
    CHECK(c.at("/lessons_without_video/0/lesson_id") == "504");
    REQUIRE(c.size("/videos_without_lesson") == 1);
    CHECK(c.at("/videos_without_lesson/0/boom_media") == "CCCCCCCC");
    REQUIRE(c.size("/lessons_nobody_can_pass") == 1);
    CHECK(c.at("/lessons_nobody_can_pass/0/lesson_id") == "503");
    REQUIRE(c.size("/subscriptions") == 2);
    CHECK(c.at("/subscriptions/1/subscription_code") == "GROUP");
    CHECK(c.at("/subscriptions/1/exposed_lessons") == "2");
    CHECK(c.size("/rules") == 1);
    CHECK(c.at("/health/problems/0") == "The Stepik secret is wrong.");
    CHECK(c.at("/provider/ok") == "false");
    CHECK(c.at("/provider/problem") == "The Boomstream key is not accepted.");
    CHECK(c.at("/provider/waiting_backfill") == "40");

    const auto all = g.call("GET", "/v1/courses");
    REQUIRE(all.size("/courses") == 1);
    CHECK(all.at("/courses/0/health/ok") == "false");
    CHECK(g.call("GET", "/v1/courses/6").refusal() == "404 course_not_found course_id");
    CHECK(g.call("GET", "/v1/courses/5?x=1").refusal() == "400 unknown_field x");
}

TEST_CASE("a course that nobody has read yet says so, and one without a Boomstream key too")
{
    running_gateway g;
    REQUIRE(g.call("PUT", "/v1/courses/5", keys_of_course()).status == 201);
    const auto c = g.call("GET", "/v1/courses/5");
    CHECK(c.at("/structure_known") == "false");
    CHECK(c.at("/health/ok") == "false");
    CHECK(c.size("/health/problems") == 1);
    CHECK(c.at("/provider/ok") == "false");
    CHECK(c.at("/provider/problem").find("Boomstream API key") != std::string::npos);
}

TEST_CASE("the other slices' real views have what is read from them")
{
    running_gateway g({}, false);
    REQUIRE(g.call("PUT", "/v1/courses/5", keys_of_course()).status == 201);
    CHECK(g.call("GET", "/v1/courses").status == 200);
    CHECK(g.call("GET", "/v1/courses/5").status == 200);
    CHECK(g.call("GET", "/v1/grants").status == 200);
    g.sql("INSERT INTO learning.lesson_progress (course_id, stepik_user_id, lesson_id, passed, steps_passed,"
          " steps_total, missing_steps, backfill) VALUES (5, 1, 1, false, 0, 1, '{7}', false)");
    const auto id = base::new_uuid();
    auto body = [&](db::transaction& tx) {
        courses_with_lesson(tx, 1);
        enrolment_of(tx, 5, 1);
        CHECK(progress_of(tx, 5, 1, 1)->missing.size() == 1);
        sync_request(tx, id);
        recent_syncs_of(tx, 5, id);
        grants_of_lesson(tx, id, 5, 1);
        decision_of(tx, id, 5, 1);
        grant_order(tx, id);
        audit_order(tx, id);
    };
    g.run([&]() -> async::task<void> { co_await g.db().transact(body); });
}
