#include "running_gateway.hpp"

#include <algorithm>

using namespace coursegate;
using namespace coursegate::web_gateway;
using namespace coursegate::web_gateway::tests;

namespace {

std::string part(int number, const char* media)
{
    return R"({"part": )" + std::to_string(number) + R"(, "boom_media": ")" + media + "\"}";
}

std::string row(int lesson, int number, const char* media)
{
    return with(part(number, media), "lesson_id", std::to_string(lesson));
}

std::string list(const char* name, const std::vector<std::string>& entries)
{
    std::string out;
    for (const auto& e : entries)
        out += (out.empty() ? "" : ", ") + e;
    return std::string("{\"") + name + "\": [" + out + "]}";
}

std::string parts(const std::vector<std::string>& entries)
{
    return list("parts", entries);
}

std::string rows(const std::vector<std::string>& entries)
{
    return list("rows", entries);
}

constexpr const char* lesson_501 = "/v1/courses/5/lessons/501/media";
constexpr const char* lesson_502 = "/v1/courses/5/lessons/502/media";

} // namespace

TEST_CASE("videos are attached, exchanged and taken away, and each change is told once")
{
    running_gateway g;
    g.add_course();
    auto reply = g.call("PUT", lesson_501,
        parts({with(with(part(1, "AAAAAAAA"), "title", R"("Часть 1")"), "subscription_code", R"("SBX1")"),
            part(2, "BBBBBBBB")}));
    REQUIRE(reply.status == 200);
    CHECK(reply.at("/changed") == "true");
    REQUIRE(reply.size("/parts") == 2);
    CHECK(reply.at("/parts/0/title") == "Часть 1");
    CHECK(reply.at("/parts/1/subscription_code") == "null");
    REQUIRE(reply.size("/subscriptions") == 1);
    CHECK(reply.at("/subscriptions/0/kind") == "group"); // the careful assumption
    CHECK(g.last_event("lesson_media_changed").at("/data") == R"({"course_id":5,"lesson_ids":[501]})");
    CHECK(g.last_audit().at("/what") == "media.change");
    CHECK(g.last_audit().at("/target") == "course/5/lesson/501");
    CHECK(g.one("SELECT string_agg(boom_media || ':' || coalesce(subscription_code, '-') || ':' || title, ' "
                "' ORDER BY part)"
                " FROM catalog.v_lesson_media") == "AAAAAAAA:SBX1:Часть 1 BBBBBBBB:-:");

    SECTION("the same again leaves no trace")
    {
        const auto before = g.everything();
        reply = g.call("PUT", lesson_501,
            parts({part(2, "BBBBBBBB"),
                with(with(part(1, "AAAAAAAA"), "title", R"("Часть 1")"), "subscription_code", R"("SBX1")")}));
        CHECK(reply.at("/changed") == "false");
        CHECK(g.everything() == before);
    }
    SECTION("what is not named any more is gone")
    {
        CHECK(g.call("PUT", lesson_501, parts({part(1, "BBBBBBBB")})).size("/parts") == 1);
        CHECK(g.count("catalog.lesson_media") == 1);
        CHECK(g.events("lesson_media_changed") == 2);
    }
    SECTION("an empty list takes all away, even from a lesson that vanished")
    {
        g.sql("DELETE FROM fixture.v_structure");
        CHECK(g.call("PUT", lesson_501, parts({})).size("/parts") == 0);
        CHECK(g.count("catalog.lesson_media") == 0);
        CHECK(g.last_event("lesson_media_changed").at("/data/lesson_ids") == "[501]");
    }
}

TEST_CASE("a bad attachment is refused by name and place and changes nothing")
{
    running_gateway g;
    g.add_course();
    REQUIRE(g.call("PUT", lesson_501, parts({part(1, "AAAAAAAA")})).status == 200);
    g.sql("UPDATE fixture.v_structure SET vanished = true WHERE lesson_id = 504");
    const auto before = g.everything();
    const auto refusal = [&](const char* path, const std::string& body) {
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
    CHECK(refusal(lesson_502, parts({with(part(1, "CCCCCCCC"), "subscription_code", R"("a b")")})) ==
          "400 invalid_value parts[0].subscription_code");
    CHECK(refusal(lesson_502, parts({with(part(1, "CCCCCCCC"), "title", "5")})) ==
          "400 wrong_type parts[0].title");
    CHECK(refusal(lesson_502, parts({with(part(1, "CCCCCCCC"), "lesson_id", "5")})) ==
          "400 unknown_field parts[0].lesson_id");
    CHECK(refusal(lesson_502, parts({R"("x")"})) == "400 wrong_type parts[0]");
    CHECK(refusal(lesson_502, R"({"parts": 1})") == "400 wrong_type parts");
    CHECK(refusal(lesson_502, "{}") == "400 missing_field parts");
    CHECK(g.everything() == before);

    const auto where = g.call("PUT", lesson_502, parts({part(1, "AAAAAAAA")})).at("/message");
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
    CHECK(no.at("/message").find("refuses the client secret") != std::string::npos);
    CHECK(g.call("POST", "/v1/courses/5/media", rows({row(501, 1, "AAAAAAAA")})).refusal() ==
          "409 structure_unknown course_id");
    CHECK(g.call("PUT", "/v1/courses/5/rules", R"({"scope": "lesson", "scope_id": 501, "rule": "always"})")
              .refusal() == "409 structure_unknown course_id");
    CHECK(g.everything() == before);
    // The course as a whole needs no structure.
    CHECK(g.call("PUT", "/v1/courses/5/rules", R"({"scope": "course", "rule": "always"})").status == 200);
}

TEST_CASE("many videos are attached at once, after a look at what would happen")
{
    running_gateway g;
    g.add_course();
    REQUIRE(g.call("PUT", lesson_501, parts({part(1, "AAAAAAAA"), part(2, "BBBBBBBB")})).status == 200);
    const auto before = g.everything();
    std::vector<std::string> wish{row(501, 1, "AAAAAAAA"), row(501, 2, "CCCCCCCC"), row(502, 1, "BBBBBBBB"),
        row(999, 1, "EEEEEEEE"), row(504, 1, "AAAAAAAA")};
    const auto dry = g.call("POST", "/v1/courses/5/media", with(rows(wish), "dry_run", "true"));
    CHECK(dry.status == 200);
    CHECK(dry.at("/dry_run") == "true");
    CHECK(dry.at("/unchanged") == "1");
    CHECK(dry.at("/changed") == "1");
    CHECK(dry.at("/added") == "1");
    CHECK(dry.at("/refused") == "2");
    CHECK(dry.at("/rows/3/error") == "lesson_not_found");
    CHECK(dry.at("/rows/4/field") == "boom_media");

    const auto no = g.call("POST", "/v1/courses/5/media", rows(wish));
    CHECK(no.refusal() == "404 lesson_not_found rows[3].lesson_id");
    CHECK(no.at("/refused") == "2");
    CHECK(g.everything() == before);

    wish.resize(3);
    const auto yes = g.call("POST", "/v1/courses/5/media", rows(wish));
    CHECK(yes.status == 200);
    CHECK(yes.at("/changed_lessons") == "[501,502]");
    CHECK(
        g.one("SELECT string_agg(lesson_id || '/' || part || '=' || boom_media, ' ' ORDER BY lesson_id, part)"
              " FROM catalog.v_lesson_media") == "501/1=AAAAAAAA 501/2=CCCCCCCC 502/1=BBBBBBBB");
    CHECK(g.last_event("lesson_media_changed").at("/data/lesson_ids") == "[501,502]");
    CHECK(g.events("lesson_media_changed") == 2);

    CHECK(g.call("POST", "/v1/courses/5/media", rows({row(501, 1, "bad")})).refusal() ==
          "400 invalid_value rows[0].boom_media");
    CHECK(g.call("POST", "/v1/courses/5/media", rows({part(1, "DDDDDDDD")})).refusal() ==
          "400 missing_field rows[0].lesson_id");
    CHECK(g.call("POST", "/v1/courses/6/media", rows({})).refusal() == "404 course_not_found course_id");
    CHECK(g.call("POST", "/v1/courses/5/media", with(rows({}), "dry_run", R"("yes")")).refusal() ==
          "400 wrong_type dry_run");
}

TEST_CASE("a subscription's kind is set, and a single one holds one lesson")
{
    running_gateway g;
    g.add_course();
    const auto put = [&](const char* code, const std::string& body) {
        return g.call("PUT", std::string("/v1/courses/5/subscriptions/") + code, body);
    };
    CHECK(put("NEW", R"({"kind": "single"})").status == 201);
    REQUIRE(g.call("PUT", lesson_501, parts({with(part(1, "AAAAAAAA"), "subscription_code", R"("SBX1")")}))
                .status == 200);
    const auto events = g.events("lesson_media_changed");
    const auto single = put("SBX1", R"({"kind": "single", "reason": "bought one"})");
    CHECK(single.status == 200);
    CHECK(single.at("/lessons") == "[501]");
    CHECK(g.events("lesson_media_changed") == events + 1);
    CHECK(g.last_audit().at("/what") == "subscription.set");
    CHECK(g.last_audit().at("/before/kind") == "group");
    CHECK(g.last_audit().at("/why") == "bought one");
    CHECK(g.one("SELECT kind FROM catalog.v_subscriptions WHERE subscription_code = 'SBX1'") == "single");

    auto before = g.everything();
    CHECK(put("SBX1", R"({"kind": "single"})").status == 200); // the same again
    CHECK(g.call("PUT", lesson_502, parts({with(part(1, "BBBBBBBB"), "subscription_code", R"("SBX1")")}))
              .refusal() == "409 single_subscription parts[0].subscription_code");
    CHECK(put("SBX1", R"({"kind": "double"})").refusal() == "400 invalid_value kind");
    CHECK(put("SBX1", "{}").refusal() == "400 missing_field kind");
    CHECK(put("S.X", R"({"kind": "single"})").refusal() == "400 invalid_value code");
    CHECK(g.call("PUT", "/v1/courses/6/subscriptions/SBX1", R"({"kind": "single"})").refusal() ==
          "404 course_not_found course_id");
    CHECK(g.everything() == before);

    REQUIRE(g.call("PUT", lesson_501, parts({with(part(1, "AAAAAAAA"), "subscription_code", R"("TWO")")}))
                .status == 200);
    REQUIRE(g.call("PUT", lesson_502, parts({with(part(1, "BBBBBBBB"), "subscription_code", R"("TWO")")}))
                .status == 200);
    before = g.everything();
    CHECK(put("TWO", R"({"kind": "single"})").refusal() == "409 single_subscription kind");
    CHECK(g.everything() == before);
}

TEST_CASE("rules are set, changed and removed for the course, a module and a lesson")
{
    running_gateway g;
    g.add_course();
    const auto put = [&](const std::string& body) { return g.call("PUT", "/v1/courses/5/rules", body); };
    CHECK(put(R"({"scope": "course", "rule": "on_pass"})").at("") ==
          R"({"rule":"on_pass","scope":"course","scope_id":5})");
    CHECK(g.last_event("access_rule_changed").at("/data") ==
          R"({"course_id":5,"scope":"course","scope_id":5})");
    CHECK(put(R"({"scope": "module", "scope_id": 51, "rule": "after_days", "days": 7})").at("/days") == "7");
    CHECK(put(R"({"scope": "lesson", "scope_id": 503, "rule": "manual", "reason": "live only"})").status ==
          200);
    CHECK(g.last_audit().at("/what") == "rule.set");
    CHECK(g.last_audit().at("/target") == "course/5/rule/lesson/503");
    CHECK(g.last_audit().at("/why") == "live only");
    CHECK(g.one("SELECT string_agg(scope || ' ' || scope_id || ' ' || rule || ' ' || coalesce(days::text, "
                "'-'), ', '"
                " ORDER BY scope) FROM catalog.v_access_rules") ==
          "course 5 on_pass -, lesson 503 manual -, module 51 after_days 7");
    CHECK(g.events("access_rule_changed") == 3);

    SECTION("the same again leaves no trace")
    {
        const auto before = g.everything();
        CHECK(put(R"({"scope": "lesson", "scope_id": 503, "rule": "manual"})").status == 200);
        CHECK(g.everything() == before);
    }
    SECTION("a bad rule is refused by name and changes nothing")
    {
        g.sql("UPDATE fixture.v_structure SET vanished = true WHERE lesson_id = 504");
        const auto before = g.everything();
        CHECK(put(R"({"scope": "course"})").refusal() == "400 missing_field rule");
        CHECK(put(R"({"rule": "always"})").refusal() == "400 missing_field scope");
        CHECK(put(R"({"scope": "step", "rule": "always"})").refusal() == "400 invalid_value scope");
        CHECK(put(R"({"scope": "lesson", "rule": "always"})").refusal() == "400 missing_field scope_id");
        CHECK(put(R"({"scope": "lesson", "scope_id": 999, "rule": "always"})").refusal() ==
              "404 lesson_not_found scope_id");
        CHECK(put(R"({"scope": "lesson", "scope_id": 504, "rule": "always"})").refusal() ==
              "404 lesson_not_found scope_id");
        CHECK(put(R"({"scope": "module", "scope_id": 999, "rule": "always"})").refusal() ==
              "404 module_not_found scope_id");
        CHECK(put(R"({"scope": "course", "rule": "never"})").refusal() == "400 invalid_value rule");
        CHECK(put(R"({"scope": "course", "rule": "after_days"})").refusal() == "400 missing_field days");
        CHECK(put(R"({"scope": "course", "rule": "after_days", "days": -1})").refusal() ==
              "400 invalid_value days");
        CHECK(
            put(R"({"scope": "course", "rule": "always", "days": 1})").refusal() == "400 invalid_value days");
        CHECK(g.call("PUT", "/v1/courses/6/rules", R"({"scope": "course", "rule": "always"})").refusal() ==
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
        CHECK(g.call("DELETE", "/v1/courses/5/rules", R"({"scope": "course"})").status ==
              204); // in the body, too
        CHECK(g.one("SELECT string_agg(scope, ' ') FROM catalog.v_access_rules") == "module");
        CHECK(g.events("access_rule_changed") == 5);
        CHECK(g.last_audit().at("/what") == "rule.remove");
        CHECK(g.last_audit().at("/before/rule") == "on_pass");
    }
}

TEST_CASE("two authors who attach one video at the same moment: one of them is told where it is")
{
    running_gateway g;
    g.add_course();
    std::vector<int> statuses;
    const std::vector<std::string> both{std::string("PUT ") + lesson_501, std::string("PUT ") + lesson_502};
    for (const auto& r : g.call_together(both, parts({part(1, "AAAAAAAA")})))
        statuses.push_back(r.status);
    std::sort(statuses.begin(), statuses.end());
    CHECK(statuses == std::vector<int>{200, 409});
}
