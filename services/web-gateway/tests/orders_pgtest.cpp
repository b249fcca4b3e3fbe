#include "running_gateway.hpp"

using namespace coursegate;
using namespace coursegate::web_gateway;
using namespace coursegate::web_gateway::tests;

namespace {

nlohmann::json order(const std::string& user, int course = 5, int lesson = 501)
{
    return {{"user", user}, {"course", course}, {"lesson", lesson}, {"reason", "solved it on paper"}};
}

nlohmann::json with(nlohmann::json object, const char* field, nlohmann::json value)
{
    object[field] = std::move(value);
    return object;
}

} // namespace

TEST_CASE("a grant or revoke by hand is written, announced and can be watched")
{
    running_gateway g;
    g.add_course();
    const auto user = g.add_user("anna@example.org", 900);
    const auto kind = GENERATE(as<std::string>{}, "grant", "revoke");
    const auto placed = g.call("POST", "/v1/" + kind + "s", order("ANNA@example.org"), {{"X-Actor", "olga"}});
    REQUIRE(placed.status == 202);
    const auto id = placed.body["request_id"].get<std::string>();
    CHECK(placed.body["watch"] == "/v1/requests/" + id);

    const auto event = g.last_event(kind == "grant" ? "grant_requested" : "grant_revoke_requested");
    CHECK(event["data"] == nlohmann::json{{"request_id", id}, {"user_id", user}, {"course_id", 5},
                               {"lesson_id", 501}, {"actor", "olga"}, {"reason", "solved it on paper"}});
    const auto audit = g.last_audit();
    CHECK(audit["what"] == "grant." + kind);
    CHECK(audit["target"] == "user/" + user + "/course/5/lesson/501");
    CHECK(audit["why"] == "solved it on paper");
    CHECK(audit["on_behalf_of"] == "olga");

    const auto watch = "/v1/requests/" + id;
    auto seen = g.call("GET", watch).body;
    CHECK(seen["kind"] == kind);
    CHECK(seen["state"] == "pending");
    CHECK(seen["actor"] == "olga");
    CHECK(seen["user_id"] == user);
    g.sql("INSERT INTO fixture.v_requests VALUES ('" + id + "', '" + kind + "', '" + user +
          "', 5, 501, 'refused',"
          " 'The lesson has no video.', now())");
    seen = g.call("GET", watch).body;
    CHECK(seen["state"] == "refused");
    CHECK(seen["detail"] == "The lesson has no video.");
    CHECK(seen["finished_at"].is_string());
}

TEST_CASE("a bad order is refused by name and changes nothing")
{
    running_gateway g;
    g.add_course();
    const auto user = g.add_user("anna@example.org");
    g.call("PUT", "/v1/courses/6", {{"stepik_client_id", "a"}, {"stepik_client_secret", "b"}});
    const auto before = g.everything();
    const std::vector<std::pair<nlohmann::json, std::string>> rows{
        {order("nobody@example.org"), "404 user_not_found user"},
        {order(base::to_string(base::new_uuid())), "404 user_not_found user"},
        {order("anna"), "400 invalid_value user"},
        {order(user, 7), "404 course_not_found course"},
        {order(user, 0), "400 invalid_value course"},
        {order(user, 6), "409 structure_unknown course"},
        {order(user, 5, 999), "404 lesson_not_found lesson"},
        {order(user, 5, -1), "400 invalid_value lesson"},
        {with(order(user), "reason", " "), "400 invalid_value reason"},
        {with(order(user), "reason", nullptr), "400 missing_field reason"},
        {with(order(user), "reason", std::string(501, 'x')), "400 invalid_value reason"},
        {with(order(user), "course", "5"), "400 wrong_type course"},
        {with(order(user), "lessons", 5), "400 unknown_field lessons"},
    };
    for (const auto& [body, refusal] : rows)
        for (const auto* path : {"/v1/grants", "/v1/revokes"}) {
            INFO(path << " " << body.dump());
            CHECK(g.call("POST", path, body).refusal() == refusal);
        }
    CHECK(g.everything() == before);
}

TEST_CASE("one student is checked now, with an honest estimate")
{
    running_gateway g;
    g.add_course();
    const auto user = g.add_user("anna@example.org", 900);
    const auto placed = g.call("POST", "/v1/syncs", {{"user", user}, {"course", 5}});
    REQUIRE(placed.status == 202);
    CHECK(placed.body["estimate_seconds"] == 2);
    CHECK(placed.body["waiting"] == 0);
    const auto id = placed.body["request_id"].get<std::string>();
    CHECK(g.last_event("sync_requested")["data"] == nlohmann::json{{"request_id", id}, {"course_id", 5},
                                                        {"stepik_user_id", 900},
                                                        {"requested_by", "admin-token"}});
    CHECK(g.last_audit()["what"] == "sync.request");

    SECTION("who comes next waits behind it")
    {
        const auto next = g.call("POST", "/v1/syncs", {{"stepik_user_id", 901}, {"course", 5}});
        REQUIRE(next.status == 202);
        CHECK(next.body["waiting"] == 1);
        CHECK(next.body["estimate_seconds"] == 3);
    }
    SECTION("the answer is seen")
    {
        CHECK(g.call("GET", "/v1/requests/" + id).body["state"] == "pending");
        g.sql("INSERT INTO fixture.v_sync_requests VALUES ('" + id +
              "', 5, 900, now(), now() + interval '8 s', 'checked', NULL)");
        const auto seen = g.call("GET", "/v1/requests/" + id).body;
        CHECK(seen["state"] == "done");
        CHECK(seen["outcome"] == "checked");
        // The next estimate goes by how long this one took.
        const auto next = g.call("POST", "/v1/syncs", {{"user", user}, {"course", 5}});
        CHECK(next.body["estimate_seconds"].get<int>() >= 8);
        CHECK(next.body["estimate_seconds"].get<int>() <= 10);
    }
    SECTION("while Stepik can't be read no time is promised")
    {
        g.sql("UPDATE fixture.v_course_health SET ok = false, problems = '{\"Stepik is down.\"}'");
        const auto next = g.call("POST", "/v1/syncs", {{"user", user}, {"course", 5}});
        CHECK(next.status == 202);
        CHECK(next.body["estimate_seconds"].is_null());
        CHECK(next.body["note"].get<std::string>().find("Stepik is down.") != std::string::npos);
    }
}

TEST_CASE("a bad request for a check is refused by name and changes nothing")
{
    running_gateway g;
    g.add_course();
    const auto unlinked = g.add_user("anna@example.org");
    const auto before = g.everything();
    const auto refusal = [&](const nlohmann::json& body) {
        return g.call("POST", "/v1/syncs", body).refusal();
    };
    CHECK(refusal({{"course", 5}}) == "400 missing_field user");
    CHECK(refusal({{"user", unlinked}}) == "400 missing_field course");
    CHECK(refusal({{"user", unlinked}, {"stepik_user_id", 1}, {"course", 5}}) ==
          "400 invalid_value stepik_user_id");
    CHECK(refusal({{"stepik_user_id", 0}, {"course", 5}}) == "400 invalid_value stepik_user_id");
    CHECK(refusal({{"user", unlinked}, {"course", 5}}) == "409 no_stepik_account user");
    CHECK(refusal({{"user", "x@example.org"}, {"course", 5}}) == "404 user_not_found user");
    CHECK(refusal({{"stepik_user_id", 1}, {"course", 6}}) == "404 course_not_found course");
    CHECK(g.everything() == before);
}

TEST_CASE("an audit is asked for, looking only unless told otherwise")
{
    running_gateway g;
    g.add_course();
    const auto placed = g.call("POST", "/v1/courses/5/audits");
    REQUIRE(placed.status == 202);
    const auto id = placed.body["request_id"].get<std::string>();
    CHECK(g.last_event("audit_requested")["data"] == nlohmann::json{{"request_id", id}, {"course_id", 5},
                                                         {"dry_run", true}, {"budget", 100},
                                                         {"actor", "admin-token"}});
    CHECK(g.call("GET", "/v1/requests/" + id).body["state"] == "pending");
    g.sql("INSERT INTO fixture.v_audits VALUES ('" + id +
          "', 5, true, 'reading', 2, 1, 0, 0, now(), NULL,"
          " '[{\"kind\": \"missing\"}]')");
    CHECK(g.call("GET", "/v1/requests/" + id).body["state"] == "running");
    g.sql("UPDATE fixture.v_audits SET finished_at = now(), state = 'done'");
    const auto seen = g.call("GET", "/v1/requests/" + id).body;
    CHECK(seen["state"] == "done");
    CHECK(seen["audit"]["missing"] == 2);
    CHECK(seen["audit"]["findings"][0]["kind"] == "missing");

    const auto repair =
        g.call("POST", "/v1/courses/5/audits", {{"dry_run", false}, {"budget", 5}, {"reason", "monthly"}});
    CHECK(repair.status == 202);
    CHECK(g.last_event("audit_requested")["data"]["budget"] == 5);
    CHECK(g.last_audit()["why"] == "monthly");

    const auto before = g.everything();
    CHECK(g.call("POST", "/v1/courses/5/audits", {{"budget", -1}}).refusal() == "400 invalid_value budget");
    CHECK(g.call("POST", "/v1/courses/5/audits", {{"dry_run", 1}}).refusal() == "400 wrong_type dry_run");
    CHECK(g.call("POST", "/v1/courses/6/audits").refusal() == "404 course_not_found course_id");
    CHECK(g.everything() == before);
}

TEST_CASE("an unknown request is not found")
{
    running_gateway g;
    CHECK(g.call("GET", "/v1/requests/" + base::to_string(base::new_uuid())).refusal() ==
          "404 request_not_found request_id");
    CHECK(g.call("GET", "/v1/requests/x").refusal() == "400 invalid_value request_id");
}

TEST_CASE("grants are listed newest first, filtered and in pages")
{
    running_gateway g;
    g.add_course();
    const auto anna = g.add_user("anna@example.org", 900);
    const auto boris = g.add_user("boris@example.org", 901);
    const auto add = [&](int nth, const std::string& user, int lesson, const char* state, const char* cause) {
        g.sql("INSERT INTO fixture.v_grants (grant_id, user_id, course_id, lesson_id, subscription_code, "
              "boom_media, state,"
              " cause, lane, attempts, wanted_at, changed_at) VALUES ('0190000" +
              std::to_string(nth) + "-0000-7000-8000-000000000000', '" + user + "', 5, " +
              std::to_string(lesson) + ", 'SBX', 'AAAAAAAA', '" + state + "', '" + cause +
              "', 'fresh', 1, now(), now())");
    };
    add(1, anna, 501, "confirmed", "on_pass");
    add(2, boris, 501, "failed", "on_pass");
    add(3, anna, 502, "wanted", "manual");
    add(4, base::to_string(base::new_uuid()), 504, "confirmed", "backfill"); // its user is gone

    const auto lessons = [&](const std::string& query) {
        const auto reply = g.call("GET", "/v1/grants" + query);
        REQUIRE(reply.status == 200);
        std::vector<int> out;
        for (const auto& grant : reply.body["grants"])
            out.push_back(grant["lesson_id"]);
        return out;
    };
    CHECK(lessons("") == std::vector<int>{504, 502, 501, 501});
    CHECK(lessons("?user=anna@example.org") == std::vector<int>{502, 501});
    CHECK(lessons("?user=" + boris) == std::vector<int>{501});
    CHECK(lessons("?course=5&lesson=501") == std::vector<int>{501, 501});
    CHECK(lessons("?course=6").empty());
    CHECK(lessons("?state=confirmed") == std::vector<int>{504, 501});
    CHECK(lessons("?cause=manual") == std::vector<int>{502});

    const auto first = g.call("GET", "/v1/grants?limit=3");
    CHECK(first.body["grants"].size() == 3);
    const auto second =
        g.call("GET", "/v1/grants?limit=3&cursor=" + first.body["next_cursor"].get<std::string>());
    REQUIRE(second.body["grants"].size() == 1);
    CHECK(second.body["grants"][0]["email"] == "anna@example.org");
    CHECK(second.body["next_cursor"].is_null());

    CHECK(g.call("GET", "/v1/grants?state=open").refusal() == "400 invalid_value state");
    CHECK(g.call("GET", "/v1/grants?course=x").refusal() == "400 invalid_value course");
    CHECK(g.call("GET", "/v1/grants?user=nobody@example.org").refusal() == "404 user_not_found user");
    CHECK(g.call("GET", "/v1/grants?since=now").refusal() == "400 unknown_field since");
}
