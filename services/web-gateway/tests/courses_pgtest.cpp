#include "running_gateway.hpp"

#include "storage/access.hpp"
#include "storage/learning.hpp"

using namespace coursegate;
using namespace coursegate::web_gateway;
using namespace coursegate::web_gateway::tests;

namespace {

nlohmann::json keys_of_course()
{
    return {{"stepik_client_id", "client"}, {"stepik_client_secret", "hush-stepik"}};
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
    auto body = keys_of_course();
    body["title"] = "Основы";
    body["boomstream_api_key"] = "hush-boomstream";
    body["default_subscription"] = "SBXGROUP";
    body["access_until"] = "2027-01-01T00:00:00+03:00";
    body["sweep_seconds"] = 60;
    const auto made = g.call("PUT", "/v1/courses/247644", body);
    REQUIRE(made.status == 201);
    CHECK(made.body["title"] == "Основы");
    CHECK(made.body["state"] == "connected");
    CHECK(made.body["source"] == "admin");
    CHECK(made.body["has_boomstream_key"] == true);
    CHECK(made.body["access_until"] == "2026-12-31T21:00:00.000000Z");
    CHECK(made.body["sweep_seconds"] == 60);
    CHECK(open_box(g, "stepik_client_secret_box", "247644") == "hush-stepik");
    CHECK(open_box(g, "boomstream_api_key_box", "247644") == "hush-boomstream");
    CHECK(g.everything().find("hush") == std::string::npos);
    CHECK(g.last_event("course_connected")["data"] ==
          nlohmann::json{{"course_id", 247644}, {"source", "admin"}});
    CHECK(g.last_audit()["what"] == "course.connect");
    CHECK(g.last_audit()["target"] == "course/247644");
    CHECK(g.one("SELECT kind FROM catalog.v_subscriptions WHERE subscription_code = 'SBXGROUP'") == "group");

    SECTION("the same again changes nothing")
    {
        const auto before = g.everything();
        CHECK(g.call("PUT", "/v1/courses/247644", body).status == 200);
        CHECK(g.everything() == before);
    }
    SECTION("what is left out stays")
    {
        const auto changed = g.call("PUT", "/v1/courses/247644", {{"state", "paused"}});
        CHECK(changed.status == 200);
        CHECK(changed.body["state"] == "paused");
        CHECK(changed.body["title"] == "Основы");
        CHECK(changed.body["default_subscription"] == "SBXGROUP");
        CHECK(open_box(g, "stepik_client_secret_box", "247644") == "hush-stepik");
        CHECK(g.events("course_connected") == 2);
    }
    SECTION("null takes away")
    {
        const auto changed = g.call("PUT", "/v1/courses/247644",
            {{"boomstream_api_key", nullptr}, {"default_subscription", nullptr}, {"access_until", nullptr},
                {"sweep_seconds", nullptr}});
        CHECK(changed.body["has_boomstream_key"] == false);
        CHECK(changed.body["default_subscription"].is_null());
        CHECK(changed.body["access_until"].is_null());
        CHECK(changed.body["sweep_seconds"].is_null());
        CHECK(open_box(g, "boomstream_api_key_box", "247644") == "(none)");
        CHECK(g.one("SELECT access_until FROM catalog.v_courses") == "(none)");
    }
    SECTION("a new secret is told as changed, not shown")
    {
        CHECK(g.call("PUT", "/v1/courses/247644", {{"stepik_client_secret", "hush-other"}}).status == 200);
        CHECK(open_box(g, "stepik_client_secret_box", "247644") == "hush-other");
        CHECK(g.last_audit()["after"]["stepik_client_secret"] == "changed");
        CHECK(g.everything().find("hush") == std::string::npos);
        CHECK(g.events("course_connected") == 2);
        CHECK(g.call("PUT", "/v1/courses/247644", {{"boomstream_api_key", "hush-third"}}).status == 200);
        CHECK(g.last_audit()["after"]["boomstream_api_key"] == "changed");
        CHECK(g.events("course_connected") == 3);
    }
    SECTION("a new title is nobody's event")
    {
        CHECK(g.call("PUT", "/v1/courses/247644", {{"title", "Другой"}}).body["title"] == "Другой");
        CHECK(g.events("course_connected") == 1);
        CHECK(g.last_audit()["what"] == "course.change");
    }
}

TEST_CASE("a bad field of a course is refused by name and changes nothing")
{
    running_gateway g;
    REQUIRE(g.call("PUT", "/v1/courses/5", keys_of_course()).status == 201);
    const auto before = g.everything();
    const auto with = [](const char* field, nlohmann::json value) {
        auto body = keys_of_course();
        body[field] = std::move(value);
        return body;
    };
    const std::vector<std::pair<nlohmann::json, std::string>> rows{
        {{{"stepik_client_id", "client"}}, "400 missing_field stepik_client_secret"},
        {{{"stepik_client_secret", "hush"}}, "400 missing_field stepik_client_id"},
        {with("stepik_client_id", "a b"), "400 invalid_value stepik_client_id"},
        {with("stepik_client_secret", ""), "400 invalid_value stepik_client_secret"},
        {with("stepik_client_secret", 5), "400 wrong_type stepik_client_secret"},
        {with("boomstream_api_key", "a\nb"), "400 invalid_value boomstream_api_key"},
        {with("default_subscription", "a/b"), "400 invalid_value default_subscription"},
        {with("access_until", "tomorrow"), "400 invalid_value access_until"},
        {with("sweep_seconds", 9), "400 invalid_value sweep_seconds"},
        {with("sweep_seconds", "60"), "400 wrong_type sweep_seconds"},
        {with("state", "gone"), "400 invalid_value state"},
        {with("title", std::string(201, 'x')), "400 invalid_value title"},
        {with("source", "environment"), "400 unknown_field source"},
    };
    for (const auto& [body, refusal] : rows) {
        INFO(body.dump());
        CHECK(g.call("PUT", "/v1/courses/6", body).refusal() == refusal);
    }
    CHECK(g.call("PUT", "/v1/courses/0", keys_of_course()).refusal() == "400 invalid_value course_id");
    CHECK(g.call("PUT", "/v1/courses/x", keys_of_course()).refusal() == "400 invalid_value course_id");
    CHECK(g.call("PUT", "/v1/courses/5", {{"stepik_client_id", "other"}}).refusal() ==
          "400 missing_field stepik_client_secret");
    CHECK(g.everything() == before);
}

TEST_CASE("the course of the environment connects itself and wins")
{
    running_gateway g(given_course());
    CHECK(g.one("SELECT source FROM catalog.v_courses WHERE course_id = 7") == "environment");
    CHECK(open_box(g, "stepik_client_secret_box", "7") == "env-secret");
    CHECK(g.last_event("course_connected")["data"]["source"] == "environment");
    CHECK(g.last_audit()["who"] == "environment");

    const auto start_again = [&](course_settings given) {
        environment_course again(g.db(), g.keys(), std::move(given));
        auto start = [&]() -> async::task<void> { co_await again.start(); };
        g.run(start);
    };
    SECTION("a second start with the same finds nothing to do")
    {
        const auto before = g.everything();
        start_again(given_course());
        CHECK(g.everything() == before);
    }
    SECTION("a second start with another secret writes it and tells")
    {
        auto given = given_course();
        given.stepik_client_secret = base::secret("env-secret-2");
        start_again(given);
        CHECK(open_box(g, "stepik_client_secret_box", "7") == "env-secret-2");
        CHECK(g.events("course_connected") == 2);
    }
    SECTION("an author can't change what it gives, and can change the rest")
    {
        const auto before = g.everything();
        CHECK(g.call("PUT", "/v1/courses/7", {{"stepik_client_secret", "mine"}}).refusal() ==
              "409 given_by_environment stepik_client_secret");
        CHECK(g.call("PUT", "/v1/courses/7", {{"default_subscription", "MINE"}}).refusal() ==
              "409 given_by_environment default_subscription");
        CHECK(g.everything() == before);
        const auto mine =
            g.call("PUT", "/v1/courses/7", {{"title", "Mine"}, {"boomstream_api_key", "my-key"}});
        CHECK(mine.status == 200);
        CHECK(mine.body["source"] == "environment");
        start_again(given_course());
        CHECK(open_box(g, "boomstream_api_key_box", "7") == "my-key");
        CHECK(g.one("SELECT title FROM catalog.v_courses") == "Mine");
    }
    SECTION("another course is the author's own")
    {
        CHECK(g.call("PUT", "/v1/courses/8", keys_of_course()).body["source"] == "admin");
    }
}

TEST_CASE("a course that an author connected is taken over by the environment")
{
    running_gateway g;
    REQUIRE(g.call("PUT", "/v1/courses/7", keys_of_course()).status == 201);
    environment_course given(g.db(), g.keys(), given_course());
    auto start = [&]() -> async::task<void> { co_await given.start(); };
    g.run(start);
    CHECK(
        g.one("SELECT source || ' ' || stepik_client_id FROM catalog.v_courses") == "environment env-client");
    CHECK(g.events("course_connected") == 2);
}

TEST_CASE("one course shows its structure, what is missing, what is exposed and how it is")
{
    running_gateway g;
    g.add_course();
    const auto put = [&](const char* lesson, nlohmann::json parts) {
        REQUIRE(g.call("PUT", std::string("/v1/courses/5/lessons/") + lesson + "/media", {{"parts", parts}})
                    .status == 200);
    };
    put("501", {{{"part", 1}, {"boom_media", "AAAAAAAA"}, {"subscription_code", "GROUP"}},
                   {{"part", 2}, {"boom_media", "BBBBBBBB"}, {"subscription_code", "GROUP"}}});
    put("502", {{{"part", 1}, {"boom_media", "CCCCCCCC"}, {"subscription_code", "GROUP"}}});
    put("503", {{{"part", 1}, {"boom_media", "DDDDDDDD"}, {"subscription_code", "ALONE"}}});
    REQUIRE(g.call("PUT", "/v1/courses/5/rules", {{"scope", "module"}, {"scope_id", 50}, {"rule", "always"}})
                .status == 200);
    g.sql("UPDATE fixture.v_structure SET vanished = true WHERE lesson_id = 502;"
          "UPDATE fixture.v_course_health SET ok = false, problems = '{\"The Stepik secret is wrong.\"}';"
          "INSERT INTO fixture.v_provider_health VALUES (5, false, 'The Boomstream key is not accepted.', "
          "now(), 'open', 5, 3, 40)");

    const auto c = g.call("GET", "/v1/courses/5").body;
    CHECK(c["structure_known"] == true);
    REQUIRE(c["modules"].size() == 2);
    CHECK(c["modules"][0]["title"] == "Basics");
    CHECK(c["modules"][0]["lessons"][0]["media"].size() == 2);
    CHECK(c["modules"][0]["lessons"][0]["rule"] ==
          nlohmann::json{{"rule", "always"}, {"scope", "module"}, {"scope_id", 50}});
    CHECK(c["modules"][1]["lessons"][0]["rule"]["rule"] == "with_previous");
    REQUIRE(c["lessons_without_video"].size() == 1);
    CHECK(c["lessons_without_video"][0]["lesson_id"] == 504);
    REQUIRE(c["videos_without_lesson"].size() == 1);
    CHECK(c["videos_without_lesson"][0]["boom_media"] == "CCCCCCCC");
    REQUIRE(c["lessons_nobody_can_pass"].size() == 1);
    CHECK(c["lessons_nobody_can_pass"][0]["lesson_id"] == 503);
    REQUIRE(c["subscriptions"].size() == 2);
    CHECK(c["subscriptions"][1]["subscription_code"] == "GROUP");
    CHECK(c["subscriptions"][1]["exposed_lessons"] == 2);
    CHECK(c["rules"].size() == 1);
    CHECK(c["health"]["problems"][0] == "The Stepik secret is wrong.");
    CHECK(c["provider"]["ok"] == false);
    CHECK(c["provider"]["problem"] == "The Boomstream key is not accepted.");
    CHECK(c["provider"]["waiting_backfill"] == 40);

    const auto all = g.call("GET", "/v1/courses").body["courses"];
    REQUIRE(all.size() == 1);
    CHECK(all[0]["health"]["ok"] == false);
    CHECK(g.call("GET", "/v1/courses/6").refusal() == "404 course_not_found course_id");
    CHECK(g.call("GET", "/v1/courses/5?x=1").refusal() == "400 unknown_field x");
}

TEST_CASE("a course that nobody has read yet says so, and one without a Boomstream key too")
{
    running_gateway g;
    REQUIRE(g.call("PUT", "/v1/courses/5", keys_of_course()).status == 201);
    const auto c = g.call("GET", "/v1/courses/5").body;
    CHECK(c["structure_known"] == false);
    CHECK(c["health"]["ok"] == false);
    CHECK(c["health"]["problems"].size() == 1);
    CHECK(c["provider"]["ok"] == false);
    CHECK(c["provider"]["problem"].get<std::string>().find("Boomstream API key") != std::string::npos);
}

TEST_CASE("the other slices' real views have what is read from them")
{
    running_gateway g({}, false);
    REQUIRE(g.call("PUT", "/v1/courses/5", keys_of_course()).status == 201);
    CHECK(g.call("GET", "/v1/courses").status == 200);
    CHECK(g.call("GET", "/v1/courses/5").status == 200);
    CHECK(g.call("GET", "/v1/grants").status == 200);
    const auto id = base::new_uuid();
    auto body = [&](db::transaction& tx) {
        courses_with_lesson(tx, 1);
        enrolment_of(tx, 5, 1);
        progress_of(tx, 5, 1, 1);
        sync_request(tx, id);
        recent_syncs_of(tx, 5, id);
        grants_of_lesson(tx, id, 5, 1);
        decision_of(tx, id, 5, 1);
        grant_order(tx, id);
        audit_order(tx, id);
        return true;
    };
    auto read = [&]() -> async::task<bool> { co_return co_await g.db().transact(body); };
    CHECK(g.run(read));
}
