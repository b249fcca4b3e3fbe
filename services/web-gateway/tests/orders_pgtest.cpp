#include "running_gateway.hpp"

#include "coursegate/base/uuid.hpp"

using namespace coursegate;
using namespace coursegate::web_gateway;
using namespace coursegate::web_gateway::tests;

namespace {

std::string order(const std::string& user, int course = 5, int lesson = 501)
{
    return R"({"user": ")" + user + R"(", "course": )" + std::to_string(course) + R"(, "lesson": )" +
           std::to_string(lesson) + R"(, "reason": "solved it on paper"})";
}

// What an event's data must be, as a member in the order of the alphabet.
std::string quoted(const std::string& text)
{
    return "\"" + text + "\"";
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
    const auto id = placed.at("/request_id");
    CHECK(placed.at("/watch") == "/v1/requests/" + id);

    const auto event = g.last_event(kind == "grant" ? "grant_requested" : "grant_revoke_requested");
    CHECK(event.at("/data") ==
          R"({"actor":"olga","course_id":5,"lesson_id":501,"reason":"solved it on paper","request_id":)" +
              quoted(id) + ",\"user_id\":" + quoted(user) + "}");
    const auto audit = g.last_audit();
    CHECK(audit.at("/what") == "grant." + kind);
    CHECK(audit.at("/target") == "user/" + user + "/course/5/lesson/501");
    CHECK(audit.at("/why") == "solved it on paper");
    CHECK(audit.at("/on_behalf_of") == "olga");

    const auto watch = "/v1/requests/" + id;
    auto seen = g.call("GET", watch);
    CHECK(seen.at("/kind") == kind);
    CHECK(seen.at("/state") == "pending");
    CHECK(seen.at("/actor") == "olga");
    CHECK(seen.at("/user_id") == user);
    g.sql("INSERT INTO fixture.v_requests VALUES ('" + id + "', '" + kind + "', '" + user +
          "', 5, 501, 'refused',"
          " 'The lesson has no video.', now())");
    seen = g.call("GET", watch);
    CHECK(seen.at("/state") == "refused");
    CHECK(seen.at("/detail") == "The lesson has no video.");
    CHECK(seen.at("/finished_at") != "null");
}

TEST_CASE("a bad order is refused by name and changes nothing")
{
    running_gateway g;
    g.add_course();
    const auto user = g.add_user("anna@example.org");
    g.call("PUT", "/v1/courses/6", R"({"stepik_client_id": "a", "stepik_client_secret": "b"})");
    const auto before = g.everything();
    const std::vector<std::pair<std::string, std::string>> rows{
        {order("nobody@example.org"), "404 user_not_found user"},
        {order(base::to_string(base::new_uuid())), "404 user_not_found user"},
        {order("anna"), "400 invalid_value user"},
        {order(user, 7), "404 course_not_found course"},
        {order(user, 0), "400 invalid_value course"},
        {order(user, 6), "409 structure_unknown course"},
        {order(user, 5, 999), "404 lesson_not_found lesson"},
        {order(user, 5, -1), "400 invalid_value lesson"},
        {with(order(user), "reason", quoted(" ")), "400 invalid_value reason"},
        {with(order(user), "reason", "null"), "400 missing_field reason"},
        {with(order(user), "reason", quoted(std::string(501, 'x'))), "400 invalid_value reason"},
        {with(order(user), "course", quoted("5")), "400 wrong_type course"},
        {with(order(user), "lessons", "5"), "400 unknown_field lessons"},
    };
    for (const auto& [body, refusal] : rows)
        for (const auto* path : {"/v1/grants", "/v1/revokes"}) {
            INFO(path << " " << body);
            CHECK(g.call("POST", path, body).refusal() == refusal);
        }
    CHECK(g.everything() == before);
}

TEST_CASE("one student is checked now, with an honest estimate")
{
    running_gateway g;
    g.add_course();
    const auto user = g.add_user("anna@example.org", 900);
    const auto placed = g.call("POST", "/v1/syncs", R"({"course": 5, "user": )" + quoted(user) + "}");
    REQUIRE(placed.status == 202);
    CHECK(placed.at("/estimate_seconds") == "2");
    CHECK(placed.at("/waiting") == "0");
    const auto id = placed.at("/request_id");
    CHECK(g.last_event("sync_requested").at("/data") ==
          R"({"course_id":5,"request_id":)" + quoted(id) +
              R"(,"requested_by":"admin-token","stepik_user_id":900})");
    CHECK(g.last_audit().at("/what") == "sync.request");

    SECTION("who comes next waits behind it")
    {
        const auto next = g.call("POST", "/v1/syncs", R"({"stepik_user_id": 901, "course": 5})");
        REQUIRE(next.status == 202);
        CHECK(next.at("/waiting") == "1");
        CHECK(next.at("/estimate_seconds") == "3");
    }
    SECTION("the answer is seen")
    {
        CHECK(g.call("GET", "/v1/requests/" + id).at("/state") == "pending");
        g.sql("INSERT INTO fixture.v_sync_requests SELECT request_id, 5, 900, requested_at, requested_at + "
              "interval '8 s',"
              " 'checked', NULL FROM accounts.requests WHERE request_id = '" +
              id + "'");
        const auto seen = g.call("GET", "/v1/requests/" + id);
        CHECK(seen.at("/state") == "done");
        CHECK(seen.at("/outcome") == "checked");
        // The next estimate goes by how long this one took.
        const auto next = g.call("POST", "/v1/syncs", R"({"course": 5, "user": )" + quoted(user) + "}");
        CHECK(next.at("/estimate_seconds") == "8");
    }
    SECTION("while Stepik can't be read no time is promised")
    {
        g.sql("UPDATE fixture.v_course_health SET ok = false, problems = '{\"Stepik is down.\"}'");
        const auto next = g.call("POST", "/v1/syncs", R"({"course": 5, "user": )" + quoted(user) + "}");
        CHECK(next.status == 202);
        CHECK(next.at("/estimate_seconds") == "null");
        CHECK(next.at("/note").find("Stepik is down.") != std::string::npos);
    }
}

TEST_CASE("a bad request for a check is refused by name and changes nothing")
{
    running_gateway g;
    g.add_course();
    const auto unlinked = g.add_user("anna@example.org");
    const auto before = g.everything();
    const auto refusal = [&](const std::string& body) { return g.call("POST", "/v1/syncs", body).refusal(); };
    CHECK(refusal(R"({"course": 5})") == "400 missing_field user");
    CHECK(refusal(R"({"user": )" + quoted(unlinked) + "}") == "400 missing_field course");
    CHECK(refusal(R"({"stepik_user_id": 1, "course": 5, "user": )" + quoted(unlinked) + "}") ==
          "400 invalid_value stepik_user_id");
    CHECK(refusal(R"({"stepik_user_id": 0, "course": 5})") == "400 invalid_value stepik_user_id");
    CHECK(refusal(R"({"course": 5, "user": )" + quoted(unlinked) + "}") == "409 no_stepik_account user");
    CHECK(refusal(R"({"user": "x@example.org", "course": 5})") == "404 user_not_found user");
    CHECK(refusal(R"({"stepik_user_id": 1, "course": 6})") == "404 course_not_found course");
    CHECK(g.everything() == before);
}

TEST_CASE("an audit is asked for, looking only unless told otherwise")
{
    running_gateway g;
    g.add_course();
    const auto placed = g.call("POST", "/v1/courses/5/audits");
    REQUIRE(placed.status == 202);
    const auto id = placed.at("/request_id");
    CHECK(g.last_event("audit_requested").at("/data") ==
          R"({"actor":"admin-token","budget":100,"course_id":5,"dry_run":true,"request_id":)" + quoted(id) +
              "}");
    CHECK(g.call("GET", "/v1/requests/" + id).at("/state") == "pending");
    g.sql("INSERT INTO fixture.v_audits VALUES ('" + id +
          "', 5, true, 'reading', 2, 1, 0, 0, now(), NULL,"
          " '[{\"kind\": \"missing\"}]')");
    CHECK(g.call("GET", "/v1/requests/" + id).at("/state") == "running");
    CHECK(g.call("GET", "/v1/requests/" + id).at("/outcome") == "null");
    g.sql("UPDATE fixture.v_audits SET finished_at = now(), state = 'failed', detail = 'Boomstream did not "
          "answer.'");
    const auto failed = g.call("GET", "/v1/requests/" + id);
    CHECK(failed.at("/outcome") == "failed");
    CHECK(failed.at("/detail") == "Boomstream did not answer.");
    g.sql("UPDATE fixture.v_audits SET detail = NULL");
    g.sql("UPDATE fixture.v_audits SET finished_at = now(), state = 'done'");
    const auto seen = g.call("GET", "/v1/requests/" + id);
    CHECK(seen.at("/state") == "done");
    CHECK(seen.at("/outcome") == "done");
    CHECK(seen.at("/detail") == "null");
    CHECK(seen.at("/audit/missing") == "2");
    CHECK(seen.at("/audit/findings/0/kind") == "missing");

    const auto repair =
        g.call("POST", "/v1/courses/5/audits", R"({"dry_run": false, "budget": 5, "reason": "monthly"})");
    CHECK(repair.status == 202);
    CHECK(g.last_event("audit_requested").at("/data/budget") == "5");
    CHECK(g.last_audit().at("/why") == "monthly");

    const auto before = g.everything();
    CHECK(
        g.call("POST", "/v1/courses/5/audits", R"({"budget": -1})").refusal() == "400 invalid_value budget");
    CHECK(g.call("POST", "/v1/courses/5/audits", R"({"dry_run": 1})").refusal() == "400 wrong_type dry_run");
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
        std::string out;
        for (const auto& id : reply.all("/grants", "lesson_id"))
            out += (out.empty() ? "" : " ") + id;
        return out;
    };
    CHECK(lessons("") == "504 502 501 501");
    CHECK(lessons("?user=anna@example.org") == "502 501");
    CHECK(lessons("?user=" + boris) == "501");
    CHECK(lessons("?course=5&lesson=501") == "501 501");
    g.add_course(6);
    CHECK(lessons("?course=6") == "");
    CHECK(lessons("?course=6&lesson=502") == "");
    CHECK(lessons("?state=confirmed") == "504 501");
    CHECK(lessons("?cause=manual") == "502");

    const auto first = g.call("GET", "/v1/grants?limit=3");
    CHECK(first.size("/grants") == 3);
    const auto second = g.call("GET", "/v1/grants?limit=3&cursor=" + first.at("/next_cursor"));
    REQUIRE(second.size("/grants") == 1);
    CHECK(second.at("/grants/0/email") == "anna@example.org");
    CHECK(second.at("/next_cursor") == "null");

    CHECK(g.call("GET", "/v1/grants?state=open").refusal() == "400 invalid_value state");
    CHECK(g.call("GET", "/v1/grants?cause=mood").refusal() == "400 invalid_value cause");
    CHECK(g.call("GET", "/v1/grants?course=x").refusal() == "400 invalid_value course");
    CHECK(g.call("GET", "/v1/grants?course=7").refusal() == "404 course_not_found course");
    CHECK(g.call("GET", "/v1/grants?lesson=999").refusal() == "404 lesson_not_found lesson");
    g.call("PUT", "/v1/courses/8", R"({"stepik_client_id": "a", "stepik_client_secret": "b"})");
    CHECK(g.call("GET", "/v1/grants?course=8&lesson=501").refusal() == "404 lesson_not_found lesson");
    CHECK(g.call("GET", "/v1/grants?user=nobody@example.org").refusal() == "404 user_not_found user");
    CHECK(g.call("GET", "/v1/grants?since=now").refusal() == "400 unknown_field since");
}
