#include "running_gateway.hpp"

#include "coursegate/async/gate.hpp"

using namespace coursegate;
using namespace coursegate::web_gateway;
using namespace coursegate::web_gateway::tests;

namespace {

nlohmann::json part(int number, const char* media)
{
    return {{"part", number}, {"boom_media", media}};
}

nlohmann::json row(int lesson, int number, const char* media)
{
    return {{"lesson_id", lesson}, {"part", number}, {"boom_media", media}};
}

nlohmann::json with(nlohmann::json object, const char* field, nlohmann::json value)
{
    object[field] = std::move(value);
    return object;
}

nlohmann::json parts(std::vector<nlohmann::json> list)
{
    nlohmann::json out;
    out["parts"] = std::move(list);
    return out;
}

nlohmann::json rows(std::vector<nlohmann::json> list)
{
    nlohmann::json out;
    out["rows"] = std::move(list);
    return out;
}

constexpr const char* lesson_501 = "/v1/courses/5/lessons/501/media";
constexpr const char* lesson_502 = "/v1/courses/5/lessons/502/media";

} // namespace

TEST_CASE("videos are attached, exchanged and taken away, and each change is told once")
{
    running_gateway g;
    g.add_course();
    auto reply = g.call("PUT", lesson_501,
        parts({with(with(part(1, "AAAAAAAA"), "title", "Часть 1"), "subscription_code", "SBX1"),
            part(2, "BBBBBBBB")}));
    REQUIRE(reply.status == 200);
    CHECK(reply.body["changed"] == true);
    REQUIRE(reply.body["parts"].size() == 2);
    CHECK(reply.body["parts"][0]["title"] == "Часть 1");
    CHECK(reply.body["parts"][1]["subscription_code"].is_null());
    REQUIRE(reply.body["subscriptions"].size() == 1);
    CHECK(reply.body["subscriptions"][0]["kind"] == "group"); // the careful assumption
    CHECK(g.last_event("lesson_media_changed")["data"] ==
          nlohmann::json{{"course_id", 5}, {"lesson_ids", {501}}});
    CHECK(g.last_audit()["what"] == "media.change");
    CHECK(g.last_audit()["target"] == "course/5/lesson/501");
    CHECK(g.one("SELECT string_agg(boom_media || ':' || coalesce(subscription_code, '-') || ':' || title, ' "
                "' ORDER BY part)"
                " FROM catalog.v_lesson_media") == "AAAAAAAA:SBX1:Часть 1 BBBBBBBB:-:");

    SECTION("the same again leaves no trace")
    {
        const auto before = g.everything();
        reply = g.call("PUT", lesson_501,
            parts({part(2, "BBBBBBBB"),
                with(with(part(1, "AAAAAAAA"), "title", "Часть 1"), "subscription_code", "SBX1")}));
        CHECK(reply.body["changed"] == false);
        CHECK(g.everything() == before);
    }
    SECTION("what is not named any more is gone")
    {
        CHECK(g.call("PUT", lesson_501, parts({part(1, "BBBBBBBB")})).body["parts"].size() == 1);
        CHECK(g.count("catalog.lesson_media") == 1);
        CHECK(g.events("lesson_media_changed") == 2);
    }
    SECTION("an empty list takes all away, even from a lesson that vanished")
    {
        g.sql("DELETE FROM fixture.v_structure");
        CHECK(g.call("PUT", lesson_501, parts({})).body["parts"].empty());
        CHECK(g.count("catalog.lesson_media") == 0);
        CHECK(g.last_event("lesson_media_changed")["data"]["lesson_ids"] == nlohmann::json{501});
    }
}

TEST_CASE("a bad attachment is refused by name and place and changes nothing")
{
    running_gateway g;
    g.add_course();
    REQUIRE(g.call("PUT", lesson_501, parts({part(1, "AAAAAAAA")})).status == 200);
    g.sql("UPDATE fixture.v_structure SET vanished = true WHERE lesson_id = 504");
    const auto before = g.everything();
    const auto refusal = [&](const char* path, const nlohmann::json& body) {
        return g.call("PUT", path, body).refusal();
    };

    CHECK(refusal("/v1/courses/6/lessons/501/media", parts({part(1, "CCCCCCCC")})) ==
          "404 course_not_found course_id");
    CHECK(refusal("/v1/courses/5/lessons/999/media", parts({part(1, "CCCCCCCC")})) ==
          "404 lesson_not_found lesson_id");
    CHECK(refusal("/v1/courses/5/lessons/999/media", parts({})) == "404 lesson_not_found lesson_id");
    CHECK(refusal("/v1/courses/5/lessons/504/media", parts({part(1, "CCCCCCCC")})) ==
          "404 lesson_not_found lesson_id");
    CHECK(refusal("/v1/courses/5/lessons/x/media", parts({})) == "400 invalid_value lesson_id");
    CHECK(refusal(lesson_502, parts({part(1, "AAAAAAAA")})) == "409 duplicate parts[0].boom_media");
    CHECK(refusal(lesson_502, parts({part(1, "CCCCCCCC"), part(1, "DDDDDDDD")})) ==
          "409 duplicate parts[1].part");
    CHECK(refusal(lesson_502, parts({part(1, "CCCCCCCC"), part(2, "CCCCCCCC")})) ==
          "409 duplicate parts[1].boom_media");
    CHECK(refusal(lesson_502, parts({part(1, "short")})) == "400 invalid_value parts[0].boom_media");
    CHECK(refusal(lesson_502, parts({part(0, "CCCCCCCC")})) == "400 invalid_value parts[0].part");
    CHECK(refusal(lesson_502, parts({part(100, "CCCCCCCC")})) == "400 invalid_value parts[0].part");
    CHECK(refusal(lesson_502, parts({with(part(1, "CCCCCCCC"), "subscription_code", "a b")})) ==
          "400 invalid_value parts[0].subscription_code");
    CHECK(refusal(lesson_502, parts({with(part(1, "CCCCCCCC"), "title", 5)})) ==
          "400 wrong_type parts[0].title");
    CHECK(refusal(lesson_502, parts({with(part(1, "CCCCCCCC"), "lesson_id", 5)})) ==
          "400 unknown_field parts[0].lesson_id");
    CHECK(refusal(lesson_502, parts({"x"})) == "400 wrong_type parts[0]");
    CHECK(refusal(lesson_502, {{"parts", 1}}) == "400 wrong_type parts");
    CHECK(refusal(lesson_502, nlohmann::json::object()) == "400 missing_field parts");
    CHECK(g.everything() == before);

    const auto where =
        g.call("PUT", lesson_502, parts({part(1, "AAAAAAAA")})).body["message"].get<std::string>();
    CHECK(where.find("lesson 501, part 1") != std::string::npos);
}

TEST_CASE("before Stepik was read there is nothing to attach to, and the reason is told")
{
    running_gateway g;
    g.add_course();
    g.sql("DELETE FROM fixture.v_structure; UPDATE fixture.v_course_health SET ok = false, problems ="
          " '{\"Stepik refuses the client secret of this course.\"}'");
    const auto before = g.everything();
    const auto no = g.call("PUT", lesson_501, parts({part(1, "AAAAAAAA")}));
    CHECK(no.refusal() == "409 structure_unknown course_id");
    CHECK(no.body["message"].get<std::string>().find("refuses the client secret") != std::string::npos);
    CHECK(g.call("POST", "/v1/courses/5/media", rows({row(501, 1, "AAAAAAAA")})).refusal() ==
          "409 structure_unknown course_id");
    CHECK(g.call("PUT", "/v1/courses/5/rules", {{"scope", "lesson"}, {"scope_id", 501}, {"rule", "always"}})
              .refusal() == "409 structure_unknown course_id");
    CHECK(g.everything() == before);
    // The course as a whole needs no structure.
    CHECK(g.call("PUT", "/v1/courses/5/rules", {{"scope", "course"}, {"rule", "always"}}).status == 200);
}

TEST_CASE("many videos are attached at once, after a look at what would happen")
{
    running_gateway g;
    g.add_course();
    REQUIRE(g.call("PUT", lesson_501, parts({part(1, "AAAAAAAA"), part(2, "BBBBBBBB")})).status == 200);
    const auto before = g.everything();
    auto body = rows({row(501, 1, "AAAAAAAA"), row(501, 2, "CCCCCCCC"), row(502, 1, "BBBBBBBB"),
        row(999, 1, "EEEEEEEE"), row(504, 1, "AAAAAAAA")});
    body["dry_run"] = true;
    const auto dry = g.call("POST", "/v1/courses/5/media", body);
    CHECK(dry.status == 200);
    CHECK(dry.body["dry_run"] == true);
    CHECK(dry.body["unchanged"] == 1);
    CHECK(dry.body["changed"] == 1);
    CHECK(dry.body["added"] == 1);
    CHECK(dry.body["refused"] == 2);
    CHECK(dry.body["rows"][3]["error"] == "lesson_not_found");
    CHECK(dry.body["rows"][4]["field"] == "boom_media");

    body["dry_run"] = false;
    const auto no = g.call("POST", "/v1/courses/5/media", body);
    CHECK(no.refusal() == "404 lesson_not_found rows[3].lesson_id");
    CHECK(no.body["refused"] == 2);
    CHECK(g.everything() == before);

    body["rows"].erase(4);
    body["rows"].erase(3);
    const auto yes = g.call("POST", "/v1/courses/5/media", body);
    CHECK(yes.status == 200);
    CHECK(yes.body["changed_lessons"] == nlohmann::json{501, 502});
    CHECK(
        g.one("SELECT string_agg(lesson_id || '/' || part || '=' || boom_media, ' ' ORDER BY lesson_id, part)"
              " FROM catalog.v_lesson_media") == "501/1=AAAAAAAA 501/2=CCCCCCCC 502/1=BBBBBBBB");
    CHECK(g.last_event("lesson_media_changed")["data"]["lesson_ids"] == nlohmann::json{501, 502});
    CHECK(g.events("lesson_media_changed") == 2);

    CHECK(g.call("POST", "/v1/courses/5/media", rows({row(501, 1, "bad")})).refusal() ==
          "400 invalid_value rows[0].boom_media");
    CHECK(g.call("POST", "/v1/courses/5/media", rows({part(1, "DDDDDDDD")})).refusal() ==
          "400 missing_field rows[0].lesson_id");
    CHECK(g.call("POST", "/v1/courses/6/media", rows({})).refusal() == "404 course_not_found course_id");
    CHECK(g.call("POST", "/v1/courses/5/media", with(rows({}), "dry_run", "yes")).refusal() ==
          "400 wrong_type dry_run");
}

TEST_CASE("a subscription's kind is set, and a single one holds one lesson")
{
    running_gateway g;
    g.add_course();
    const auto put = [&](const char* code, nlohmann::json body) {
        return g.call("PUT", std::string("/v1/courses/5/subscriptions/") + code, body);
    };
    CHECK(put("NEW", {{"kind", "single"}}).status == 201);
    REQUIRE(
        g.call("PUT", lesson_501, parts({with(part(1, "AAAAAAAA"), "subscription_code", "SBX1")})).status ==
        200);
    const auto events = g.events("lesson_media_changed");
    const auto single = put("SBX1", {{"kind", "single"}, {"reason", "bought one"}});
    CHECK(single.status == 200);
    CHECK(single.body["lessons"] == nlohmann::json{501});
    CHECK(g.events("lesson_media_changed") == events + 1);
    CHECK(g.last_audit()["what"] == "subscription.set");
    CHECK(g.last_audit()["before"]["kind"] == "group");
    CHECK(g.last_audit()["why"] == "bought one");
    CHECK(g.one("SELECT kind FROM catalog.v_subscriptions WHERE subscription_code = 'SBX1'") == "single");

    auto before = g.everything();
    CHECK(put("SBX1", {{"kind", "single"}}).status == 200); // the same again
    CHECK(g.call("PUT", lesson_502, parts({with(part(1, "BBBBBBBB"), "subscription_code", "SBX1")}))
              .refusal() == "409 single_subscription parts[0].subscription_code");
    CHECK(put("SBX1", {{"kind", "double"}}).refusal() == "400 invalid_value kind");
    CHECK(put("SBX1", nlohmann::json::object()).refusal() == "400 missing_field kind");
    CHECK(put("S.X", {{"kind", "single"}}).refusal() == "400 invalid_value code");
    CHECK(g.call("PUT", "/v1/courses/6/subscriptions/SBX1", {{"kind", "single"}}).refusal() ==
          "404 course_not_found course_id");
    CHECK(g.everything() == before);

    REQUIRE(
        g.call("PUT", lesson_501, parts({with(part(1, "AAAAAAAA"), "subscription_code", "TWO")})).status ==
        200);
    REQUIRE(
        g.call("PUT", lesson_502, parts({with(part(1, "BBBBBBBB"), "subscription_code", "TWO")})).status ==
        200);
    before = g.everything();
    CHECK(put("TWO", {{"kind", "single"}}).refusal() == "409 single_subscription kind");
    CHECK(g.everything() == before);
}

TEST_CASE("rules are set, changed and removed for the course, a module and a lesson")
{
    running_gateway g;
    g.add_course();
    const auto put = [&](nlohmann::json body) { return g.call("PUT", "/v1/courses/5/rules", body); };
    CHECK(put({{"scope", "course"}, {"rule", "on_pass"}}).body ==
          nlohmann::json{{"scope", "course"}, {"scope_id", 5}, {"rule", "on_pass"}});
    CHECK(g.last_event("access_rule_changed")["data"] ==
          nlohmann::json{{"course_id", 5}, {"scope", "course"}, {"scope_id", 5}});
    CHECK(
        put({{"scope", "module"}, {"scope_id", 51}, {"rule", "after_days"}, {"days", 7}}).body["days"] == 7);
    CHECK(put({{"scope", "lesson"}, {"scope_id", 503}, {"rule", "manual"}, {"reason", "live only"}}).status ==
          200);
    CHECK(g.last_audit()["what"] == "rule.set");
    CHECK(g.last_audit()["target"] == "course/5/rule/lesson/503");
    CHECK(g.last_audit()["why"] == "live only");
    CHECK(g.one("SELECT string_agg(scope || ' ' || scope_id || ' ' || rule || ' ' || coalesce(days::text, "
                "'-'), ', '"
                " ORDER BY scope) FROM catalog.v_access_rules") ==
          "course 5 on_pass -, lesson 503 manual -, module 51 after_days 7");
    CHECK(g.events("access_rule_changed") == 3);

    SECTION("the same again leaves no trace")
    {
        const auto before = g.everything();
        CHECK(put({{"scope", "lesson"}, {"scope_id", 503}, {"rule", "manual"}}).status == 200);
        CHECK(g.everything() == before);
    }
    SECTION("a bad rule is refused by name and changes nothing")
    {
        g.sql("UPDATE fixture.v_structure SET vanished = true WHERE lesson_id = 504");
        const auto before = g.everything();
        CHECK(put({{"scope", "course"}}).refusal() == "400 missing_field rule");
        CHECK(put({{"rule", "always"}}).refusal() == "400 missing_field scope");
        CHECK(put({{"scope", "step"}, {"rule", "always"}}).refusal() == "400 invalid_value scope");
        CHECK(put({{"scope", "lesson"}, {"rule", "always"}}).refusal() == "400 missing_field scope_id");
        CHECK(put({{"scope", "lesson"}, {"scope_id", 999}, {"rule", "always"}}).refusal() ==
              "404 lesson_not_found scope_id");
        CHECK(put({{"scope", "lesson"}, {"scope_id", 504}, {"rule", "always"}}).refusal() ==
              "404 lesson_not_found scope_id");
        CHECK(put({{"scope", "module"}, {"scope_id", 999}, {"rule", "always"}}).refusal() ==
              "404 module_not_found scope_id");
        CHECK(put({{"scope", "course"}, {"rule", "never"}}).refusal() == "400 invalid_value rule");
        CHECK(put({{"scope", "course"}, {"rule", "after_days"}}).refusal() == "400 missing_field days");
        CHECK(put({{"scope", "course"}, {"rule", "after_days"}, {"days", -1}}).refusal() ==
              "400 invalid_value days");
        CHECK(put({{"scope", "course"}, {"rule", "always"}, {"days", 1}}).refusal() ==
              "400 invalid_value days");
        CHECK(g.call("PUT", "/v1/courses/6/rules", {{"scope", "course"}, {"rule", "always"}}).refusal() ==
              "404 course_not_found course_id");
        CHECK(g.call("DELETE", "/v1/courses/5/rules?scope=lesson&scope_id=501").refusal() ==
              "404 rule_not_found scope_id");
        CHECK(g.call("DELETE", "/v1/courses/5/rules").refusal() == "400 missing_field scope");
        CHECK(g.call("DELETE", "/v1/courses/5/rules?scope=lesson").refusal() == "400 missing_field scope_id");
        CHECK(g.call("DELETE", "/v1/courses/5/rules?scope=lesson&scope_id=x").refusal() ==
              "400 invalid_value scope_id");
        CHECK(g.everything() == before);
    }
    SECTION("a rule is removed")
    {
        CHECK(g.call("DELETE", "/v1/courses/5/rules?scope=lesson&scope_id=503").status == 204);
        CHECK(
            g.call("DELETE", "/v1/courses/5/rules", {{"scope", "course"}}).status == 204); // in the body, too
        CHECK(g.one("SELECT string_agg(scope, ' ') FROM catalog.v_access_rules") == "module");
        CHECK(g.events("access_rule_changed") == 5);
        CHECK(g.last_audit()["what"] == "rule.remove");
        CHECK(g.last_audit()["before"]["rule"] == "on_pass");
    }
}

TEST_CASE("two authors who attach one video at the same moment: one of them is told where it is")
{
    running_gateway g;
    g.add_course();
    http::client client(g.loop().get_executor());
    std::vector<int> statuses;
    async::gate gate(g.loop().get_executor());
    auto both = [&]() -> async::task<void> {
        for (const auto* path : {lesson_501, lesson_502})
            gate.spawn("request", [&, path]() -> async::task<void> {
                http::client_request request;
                request.method = "PUT";
                request.url = "http://127.0.0.1:" + std::to_string(g.port()) + path;
                request.body = parts({part(1, "AAAAAAAA")}).dump();
                request.headers.set("Authorization", std::string("Bearer ") + token);
                const auto reply = co_await client.send(request);
                statuses.push_back(reply->status);
            });
        co_await gate.close(false);
    };
    g.run(both);
    std::sort(statuses.begin(), statuses.end());
    CHECK(statuses == std::vector<int>{200, 409});
}
