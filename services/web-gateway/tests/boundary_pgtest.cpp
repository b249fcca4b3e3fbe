#include "openapi.hpp"
#include "running_gateway.hpp"

#include "handlers/purge.hpp"

using namespace coursegate;
using namespace coursegate::web_gateway;
using namespace coursegate::web_gateway::tests;

TEST_CASE("without the token nothing under /v1 answers, and the health page does")
{
    running_gateway g;
    for (const auto& operation : openapi::instance().operations()) {
        const auto space = operation.find(' ');
        auto target = operation.substr(space + 1);
        for (auto at = target.find('{'); at != target.npos; at = target.find('{'))
            target.replace(at, target.find('}') - at + 1, "1");
        if (target == "/healthz")
            continue;
        INFO(operation);
        const auto none = g.call(operation.substr(0, space), target, "", {}, false);
        CHECK(none.refusal() == "401 unauthorized ");
        const bool by_session = target.starts_with("/v1/me/");
        CHECK(none.headers.get("WWW-Authenticate") ==
              (by_session ? "Cookie realm=\"coursegate\"" : "Bearer realm=\"coursegate\""));
        if (by_session)
            CHECK(g.call(operation.substr(0, space), target).refusal() == "401 unauthorized ");
    }
    for (const auto* header : {"Bearer wrong", "Bearer ", "Bearer test-admin-token-012",
             "test-admin-token-0123", "Basic test-admin-token-0123", "Bearer test-admin-token-01234"})
        CHECK(g.call("GET", "/v1/users", "", {{"Authorization", header}}, false).status == 401);
    CHECK(g.call("GET", "/v1/users", "", {{"Authorization", std::string("Bearer ") + token}}, false).status ==
          200);
}

TEST_CASE("bodies are read strictly")
{
    running_gateway g;
    const auto before = g.everything();
    CHECK(g.call("POST", "/v1/users", "{\"email\": ").refusal() == "400 invalid_json ");
    CHECK(g.call("POST", "/v1/users", "[]").refusal() == "400 invalid_json ");
    CHECK(g.call("POST", "/v1/users", "\"a@b.org\"").refusal() == "400 invalid_json ");
    CHECK(g.call("POST", "/v1/users", "{\"email\": \"\xFF@b.org\"}").refusal() == "400 invalid_json ");
    CHECK(g.call("POST", "/v1/users", "").refusal() == "400 missing_field email");
    CHECK(g.call("POST", "/v1/users", R"({"email": 5})").refusal() == "400 wrong_type email");
    CHECK(g.call("POST", "/v1/users", R"({"email": "a@b.org", "emial": "x"})").refusal() ==
          "400 unknown_field emial");
    CHECK(g.call("POST", "/v1/users", "{\"email\":\"a@b.org\",\"stepik_user_id\":18446744073709551615}")
              .refusal() == "400 invalid_value stepik_user_id");
    CHECK(g.call("POST", "/v1/users", "{\"email\":\"a@b.org\",\"stepik_user_id\":1.5}").refusal() ==
          "400 wrong_type stepik_user_id");
    CHECK(g.call("GET", "/v1/users?emial=a@b.org").refusal() == "400 unknown_field emial");
    CHECK(g.everything() == before);
}

TEST_CASE("a broken body's content is not repeated in the answer")
{
    running_gateway g;
    const auto reply = g.call("PUT", "/v1/courses/5", "{\"stepik_client_secret\": hush-hush}");
    CHECK(reply.refusal() == "400 invalid_json ");
    CHECK(reply.text.find("hush") == std::string::npos);
}

TEST_CASE("a write with an idempotency key happens once and both callers get the same answer")
{
    running_gateway g;
    const std::string body = R"({"email": "anna@example.org"})";
    const auto first = g.call("POST", "/v1/users", body, {{"Idempotency-Key", "one"}});
    REQUIRE(first.status == 201);
    CHECK_FALSE(first.headers.get("Idempotent-Replayed"));
    const auto second = g.call("POST", "/v1/users", body, {{"Idempotency-Key", "one"}});
    CHECK(second.status == 201);
    CHECK(second.text == first.text); // the generated code too
    CHECK(second.headers.get("Idempotent-Replayed") == "true");
    CHECK(g.count("accounts.users") == 1);
    CHECK(g.count("accounts.audit_log") == 1);
    CHECK(g.events("account_linked") == 1);
    // The stored answer holds a code: it is sealed.
    CHECK(g.one("SELECT position(convert_to('" + first.at("/boom_code") +
                "', 'UTF8') in answer_box) FROM accounts.idempotency_keys") == "0");

    SECTION("another body or route under the same key is refused")
    {
        const auto before = g.everything();
        CHECK(g.call("POST", "/v1/users", R"({"email": "b@example.org"})", {{"Idempotency-Key", "one"}})
                  .refusal() == "409 idempotency_key_reused Idempotency-Key");
        CHECK(g.call("POST", "/v1/syncs", body, {{"Idempotency-Key", "one"}}).status >= 400);
        CHECK(g.everything() == before);
    }
    SECTION("another key is another request")
    {
        CHECK(g.call("POST", "/v1/users", body, {{"Idempotency-Key", "two"}}).refusal() ==
              "409 duplicate email");
    }
    SECTION("after a day the key is free again")
    {
        g.sql("UPDATE accounts.idempotency_keys SET created_at = now() - interval '25 hours'");
        CHECK(g.call("POST", "/v1/users", R"({"email": "b@example.org"})", {{"Idempotency-Key", "one"}})
                  .status == 201);
    }
}

TEST_CASE("a refused write does not use up its idempotency key")
{
    running_gateway g;
    g.add_user("anna@example.org");
    const std::vector<std::pair<std::string, std::string>> key{{"Idempotency-Key", "one"}};
    CHECK(g.call("POST", "/v1/users", R"({"email": "anna@example.org"})", key).status == 409);
    CHECK(g.count("accounts.idempotency_keys") == 0);
    CHECK(g.call("POST", "/v1/users", R"({"email": "boris@example.org"})", key).status == 201);
}

TEST_CASE("several requests under one key at the same moment do the work once")
{
    running_gateway g;
    const std::vector<std::string> four(4, "POST /v1/users");
    const auto replies =
        g.call_together(four, R"({"email": "anna@example.org"})", {{"Idempotency-Key", "one"}});
    for (const auto& r : replies) {
        CHECK(r.status == 201);
        CHECK(r.text == replies[0].text);
    }
    CHECK(g.count("accounts.users") == 1);
}

TEST_CASE("the audit row says who, for whom, what, on what, why and in which request")
{
    running_gateway g;
    const auto id = g.add_user("anna@example.org");
    const auto reply =
        g.call("PATCH", "/v1/users/" + id, R"({"first_name": "Анна", "reason": "she asked for it"})",
            {{"X-Actor", "olga@example.org"}, {"X-Request-Id", "req-42"},
                {"traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}});
    REQUIRE(reply.status == 200);
    const auto row = g.last_audit();
    CHECK(row.at("/who") == "admin-token");
    CHECK(row.at("/on_behalf_of") == "olga@example.org");
    CHECK(row.at("/what") == "user.change");
    CHECK(row.at("/target") == "user/" + id);
    CHECK(row.at("/why") == "she asked for it");
    CHECK(row.at("/request_id") == "req-42");
    CHECK(row.at("/before/first_name") == "");
    CHECK(row.at("/after/first_name") == "Анна");

    const auto linked = g.call("PATCH", "/v1/users/" + id, R"({"stepik_user_id": 900})",
        {{"X-Request-Id", "req-43"},
            {"traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}});
    REQUIRE(linked.status == 200);
    const auto event = g.last_event("account_linked");
    CHECK(event.at("/correlationid") == "req-43");
    CHECK(event.at("/traceparent") == "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    CHECK(event.at("/source") == "/web-gateway");
}

TEST_CASE("an actor that is no line of text is refused")
{
    running_gateway g;
    const auto before = g.everything();
    CHECK(g.call("POST", "/v1/users", R"({"email": "a@b.org"})", {{"X-Actor", std::string(101, 'x')}})
              .refusal() == "400 invalid_value X-Actor");
    CHECK(g.call("POST", "/v1/users", R"({"email": "a@b.org"})", {{"X-Actor", "\xFF"}}).refusal() ==
          "400 invalid_value X-Actor");
    CHECK(g.everything() == before);
}

TEST_CASE("while the database is away the answer is 503 with a sentence, and it recovers by itself")
{
    running_gateway g;
    g.add_user("anna@example.org");
    g.cut_connections(true);
    const auto away = g.call("GET", "/v1/users");
    CHECK(away.refusal() == "503 database_unavailable ");
    CHECK(away.headers.get("Retry-After"));
    CHECK(g.call("POST", "/v1/users", R"({"email": "boris@example.org"})").status == 503);
    g.let_in();
    CHECK(testkit::eventually(
        std::chrono::seconds(5), [&] { return g.call("GET", "/v1/users").status == 200; }));
    CHECK(g.count("accounts.users") == 1);
}

TEST_CASE("what is past its time is forgotten, and nothing else")
{
    running_gateway g;
    g.sql("INSERT INTO accounts.feed (event_id, event, type, recorded_at) VALUES"
          " (gen_random_uuid(), '{}', 'old', now() - interval '31 days'),"
          " (gen_random_uuid(), '{}', 'young', now() - interval '29 days');"
          "INSERT INTO accounts.requests (request_id, kind, course_id, actor, requested_at) VALUES"
          " (gen_random_uuid(), 'sync', 1, 'old', now() - interval '31 days'),"
          " (gen_random_uuid(), 'sync', 1, 'young', now());"
          "INSERT INTO accounts.idempotency_keys (who, key, route, body_hash, created_at) VALUES"
          " ('a', 'old', 'r', '', now() - interval '25 hours'), ('a', 'young', 'r', '', now());");
    g.run([&]() -> async::task<void> { co_await purge(g.db()); });
    CHECK(g.one("SELECT string_agg(type, ',') FROM accounts.feed") == "young");
    CHECK(g.one("SELECT string_agg(actor, ',') FROM accounts.requests") == "young");
    CHECK(g.one("SELECT string_agg(key, ',') FROM accounts.idempotency_keys") == "young");
}
