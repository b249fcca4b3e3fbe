#include "running_gateway.hpp"

#include "coursegate/async/gate.hpp"
#include "coursegate/log/log.hpp"

using namespace coursegate;
using namespace coursegate::web_gateway;
using namespace coursegate::web_gateway::tests;

namespace {

std::string logged;

// Collects what is logged while it lives.
struct captured_log
{
    captured_log()
    {
        logged.clear();
        before = log::set_sink([](std::string_view line) { logged += line; });
        log::set_level(log::level::trace);
    }
    ~captured_log()
    {
        log::set_sink(before);
        log::set_level(log::level::info);
    }
    log::sink before;
};

base::secret code_at_rest(running_gateway& g, const std::string& id)
{
    const auto box = base::from_base64(g.one("SELECT replace(encode(boom_code_box, 'base64'), E'\\n', '')"
                                             " FROM accounts.v_users WHERE user_id = '" +
                                             id + "'"));
    const auto opened = g.keys().open({"accounts.users", "boom_code_box", id}, *box);
    REQUIRE(opened.has_value());
    return *opened;
}

} // namespace

TEST_CASE("a user is created with a generated code that is told once and never again")
{
    const captured_log log;
    running_gateway g;
    const auto made = g.call("POST", "/v1/users",
        {{"email", " Anna@Example.org "}, {"first_name", "Anna"}, {"last_name", "Petrova"},
            {"stepik_user_id", 900}, {"locale", "uk"}});
    REQUIRE(made.status == 201);
    const auto id = made.body["id"].get<std::string>();
    const auto code = made.body["boom_code"].get<std::string>();
    CHECK(code.size() == 9);
    CHECK(made.body["email"] == "Anna@Example.org");
    CHECK(made.body["locale"] == "uk");
    CHECK(made.body["role"] == "student");
    CHECK(made.body["code_version"] == 1);

    const auto found = g.call("GET", "/v1/users/" + id);
    CHECK(found.status == 200);
    CHECK_FALSE(found.body.contains("boom_code"));
    CHECK(found.body["has_boom_code"] == true);
    CHECK(found.body["stepik_user_id"] == 900);

    // At rest: sealed for this row, and unique by its HMAC.
    CHECK(code_at_rest(g, id).expose() == code);
    CHECK(g.one("SELECT encode(boom_code_hmac, 'hex') FROM accounts.users") ==
          base::to_hex(g.keys().hmac("boom_code", code)));
    CHECK(g.everything().find(code) == std::string::npos);
    CHECK(logged.find(code) == std::string::npos);

    const auto event = g.last_event("account_linked");
    CHECK(event["subject"] == "user/" + id);
    CHECK(event["data"] == nlohmann::json{{"user_id", id}, {"stepik_user_id", 900}});
    const auto audit = g.last_audit();
    CHECK(audit["what"] == "user.create");
    CHECK(audit["target"] == "user/" + id);
    CHECK(audit["before"].is_null());
    CHECK(audit["after"]["email"] == "Anna@Example.org");
}

TEST_CASE("a code that was given is kept and not returned")
{
    running_gateway g;
    const auto made = g.call("POST", "/v1/users", {{"email", "a@example.org"}, {"boom_code", "123-456-789"}});
    REQUIRE(made.status == 201);
    CHECK_FALSE(made.body.contains("boom_code"));
    CHECK(code_at_rest(g, made.body["id"]).expose() == "123456789");
    CHECK(g.last_event("account_linked")["data"].contains("stepik_user_id") == false);
}

TEST_CASE("a bad field of a new user is refused by name and changes nothing")
{
    running_gateway g;
    REQUIRE(g.call("POST", "/v1/users",
                 {{"email", "anna@example.org"}, {"stepik_user_id", 900}, {"boom_code", "123456789"}})
                .status == 201);
    const auto before = g.everything();
    const auto with = [](const char* field, nlohmann::json value) {
        nlohmann::json body{{"email", "boris@example.org"}};
        body[field] = std::move(value);
        return body;
    };
    const std::vector<std::pair<nlohmann::json, std::string>> rows{
        {with("email", "boris"), "400 invalid_value email"},
        {with("email", nullptr), "400 missing_field email"},
        {with("email", "ANNA@EXAMPLE.ORG"), "409 duplicate email"},
        {with("first_name", std::string(101, 'x')), "400 invalid_value first_name"},
        {with("last_name", "a\nb"), "400 invalid_value last_name"},
        {with("last_name", nlohmann::json::array()), "400 wrong_type last_name"},
        {with("stepik_user_id", 0), "400 invalid_value stepik_user_id"},
        {with("stepik_user_id", "900"), "400 wrong_type stepik_user_id"},
        {with("stepik_user_id", 900), "409 duplicate stepik_user_id"},
        {with("boom_code", "12345678"), "400 invalid_value boom_code"},
        {with("boom_code", 123456780), "400 wrong_type boom_code"},
        {with("boom_code", "123456789"), "409 duplicate boom_code"},
        {with("locale", "de"), "400 invalid_value locale"},
        {with("role", "author"), "400 unknown_field role"},
    };
    for (const auto& [body, refusal] : rows) {
        INFO(body.dump());
        CHECK(g.call("POST", "/v1/users", body).refusal() == refusal);
    }
    CHECK(g.everything() == before);
}

TEST_CASE("two users of one e-mail at the same moment are one user")
{
    running_gateway g;
    // The first is not committed yet when the second is inserted.
    db::session other(g.database().settings_as("web-gateway"));
    other.execute_plain(
        "BEGIN; INSERT INTO accounts.users (id, email) VALUES (gen_random_uuid(), 'ANNA@example.org')");
    http::client client(g.loop().get_executor());
    auto race = [&]() -> async::task<std::string> {
        http::client_request request;
        request.method = "POST";
        request.url = "http://127.0.0.1:" + std::to_string(g.port()) + "/v1/users";
        request.body = R"({"email": "anna@example.org"})";
        request.headers.set("Authorization", std::string("Bearer ") + token);
        std::string answer;
        async::gate gate(g.loop().get_executor());
        gate.spawn("request", [&]() -> async::task<void> {
            const auto reply = co_await client.send(request);
            answer = reply->body;
        });
        const bool waits = co_await testkit::eventually_async(std::chrono::seconds(5), [&] {
            return g.one("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND "
                         "wait_event_type = 'Lock'") == "1";
        });
        CHECK(waits);
        other.execute_plain("COMMIT");
        co_await gate.close(false);
        co_return answer;
    };
    const auto answer = nlohmann::json::parse(g.run(race));
    CHECK(answer["error"] == "duplicate");
    CHECK(answer["field"] == "email");
    CHECK(g.count("accounts.users") == 1);
}

TEST_CASE("a user is changed field by field")
{
    running_gateway g;
    const auto id = g.add_user("anna@example.org");
    const auto path = "/v1/users/" + id;
    auto reply =
        g.call("PATCH", path, {{"email", "anna.p@example.org"}, {"last_name", "P"}, {"locale", "en"}});
    CHECK(reply.status == 200);
    CHECK(reply.body["email"] == "anna.p@example.org");
    CHECK(reply.body["locale"] == "en");
    CHECK(g.events("account_linked") == 1); // from the creation: nothing was linked

    SECTION("linking and unlinking Stepik is told")
    {
        CHECK(g.call("PATCH", path, {{"stepik_user_id", 900}}).body["stepik_user_id"] == 900);
        CHECK(g.events("account_linked") == 2);
        CHECK(g.last_event("account_linked")["data"]["stepik_user_id"] == 900);
        CHECK(g.call("PATCH", path, {{"stepik_user_id", nullptr}}).body["stepik_user_id"].is_null());
        CHECK(g.events("account_linked") == 3);
    }
    SECTION("the same again leaves no trace")
    {
        const auto before = g.everything();
        CHECK(g.call("PATCH", path, {{"email", "anna.p@example.org"}, {"locale", "en"}}).status == 200);
        CHECK(g.everything() == before);
    }
    SECTION("one's own e-mail in another case is no duplicate")
    {
        CHECK(g.call("PATCH", path, {{"email", "Anna.P@example.org"}}).body["email"] == "Anna.P@example.org");
    }
}

TEST_CASE("a bad change of a user is refused by name and changes nothing")
{
    running_gateway g;
    g.add_user("boris@example.org", 901);
    const auto path = "/v1/users/" + g.add_user("anna@example.org");
    const auto before = g.everything();
    CHECK(g.call("PATCH", path, {{"email", "BORIS@example.org"}}).refusal() == "409 duplicate email");
    CHECK(g.call("PATCH", path, {{"stepik_user_id", 901}}).refusal() == "409 duplicate stepik_user_id");
    CHECK(g.call("PATCH", path, {{"stepik_user_id", -1}}).refusal() == "400 invalid_value stepik_user_id");
    CHECK(g.call("PATCH", path, {{"first_name", 1}}).refusal() == "400 wrong_type first_name");
    CHECK(g.call("PATCH", path, {{"locale", "xx"}}).refusal() == "400 invalid_value locale");
    CHECK(g.call("PATCH", path, {{"reason", ""}, {"locale", "en"}}).refusal() == "400 invalid_value reason");
    CHECK(g.call("PATCH", path, {{"boom_code", "123456789"}}).refusal() == "400 unknown_field boom_code");
    CHECK(g.call("PATCH", path, nlohmann::json::object()).refusal() == "400 missing_field email");
    CHECK(g.call("PATCH", "/v1/users/5", {{"locale", "en"}}).refusal() == "400 invalid_value id");
    const auto nobody = "/v1/users/" + base::to_string(base::new_uuid());
    CHECK(g.call("PATCH", nobody, {{"locale", "en"}}).refusal() == "404 user_not_found id");
    CHECK(g.call("GET", nobody).refusal() == "404 user_not_found id");
    CHECK(g.call("POST", nobody + "/rotate-code").refusal() == "404 user_not_found id");
    CHECK(g.everything() == before);
}

TEST_CASE("a rotated code is told once, sealed, and announced")
{
    running_gateway g;
    const auto made = g.call("POST", "/v1/users", {{"email", "anna@example.org"}});
    const auto id = made.body["id"].get<std::string>();
    const auto rotated = g.call("POST", "/v1/users/" + id + "/rotate-code", {{"reason", "seen in a chat"}});
    REQUIRE(rotated.status == 200);
    const auto code = rotated.body["boom_code"].get<std::string>();
    CHECK(code != made.body["boom_code"]);
    CHECK(rotated.body["code_version"] == 2);
    CHECK(code_at_rest(g, id).expose() == code);
    CHECK(g.one("SELECT code_version FROM accounts.v_users") == "2");
    CHECK(g.last_event("boom_code_rotated")["data"] == nlohmann::json{{"user_id", id}});
    CHECK(g.last_audit()["what"] == "user.rotate_code");
    CHECK(g.last_audit()["why"] == "seen in a chat");
    CHECK(g.everything().find(code) == std::string::npos);
    CHECK(g.call("POST", "/v1/users/" + id + "/rotate-code").status == 200); // a body is not needed
}

TEST_CASE("users are found by e-mail, Stepik id and words")
{
    running_gateway g;
    const auto anna = g.add_user("Anna@example.org", 900);
    const auto boris = g.add_user("boris_x@example.org", 901);
    g.call("PATCH", "/v1/users/" + boris, {{"first_name", "Борис"}, {"last_name", "100%"}});
    const auto ids = [&](const std::string& query) {
        const auto reply = g.call("GET", "/v1/users" + query);
        REQUIRE(reply.status == 200);
        std::vector<std::string> out;
        for (const auto& u : reply.body["users"])
            out.push_back(u["id"]);
        return out;
    };
    CHECK(ids("") == std::vector<std::string>{anna, boris});
    CHECK(ids("?email=ANNA@example.org") == std::vector<std::string>{anna});
    CHECK(ids("?stepik_user_id=901") == std::vector<std::string>{boris});
    CHECK(ids("?q=example") == std::vector<std::string>{anna, boris});
    CHECK(ids("?q=%D0%B1%D0%BE%D1%80%D0%B8%D1%81") == std::vector<std::string>{boris}); // борис
    CHECK(ids("?q=100%25") == std::vector<std::string>{boris});
    CHECK(ids("?q=s_x") == std::vector<std::string>{boris});
    CHECK(ids("?q=%25").size() == 1); // a percent sign is a percent sign
    CHECK(ids("?q=nobody").empty());
}

TEST_CASE("a list comes in pages")
{
    running_gateway g;
    std::vector<std::string> all;
    for (int i = 0; i < 5; ++i) {
        const auto id = base::to_string(base::new_uuid());
        all.push_back(id);
        g.sql("INSERT INTO accounts.users (id, email) VALUES ('" + id + "', 'u" + std::to_string(i) +
              "@example.org')");
    }
    std::sort(all.begin(), all.end());
    std::vector<std::string> seen;
    std::string cursor;
    for (int pages = 1;; ++pages) {
        const auto reply = g.call("GET", "/v1/users?limit=2" + (cursor.empty() ? "" : "&cursor=" + cursor));
        for (const auto& u : reply.body["users"])
            seen.push_back(u["id"]);
        if (reply.body["next_cursor"].is_null()) {
            CHECK(pages == 3);
            break;
        }
        cursor = reply.body["next_cursor"];
    }
    CHECK(seen == all);
    CHECK(g.call("GET", "/v1/users?limit=0").refusal() == "400 invalid_value limit");
    CHECK(g.call("GET", "/v1/users?limit=501").refusal() == "400 invalid_value limit");
    CHECK(g.call("GET", "/v1/users?limit=two").refusal() == "400 invalid_value limit");
    CHECK(g.call("GET", "/v1/users?cursor=xyz").refusal() == "400 invalid_value cursor");
    CHECK(g.call("GET", "/v1/users?email=x").refusal() == "400 invalid_value email");
    CHECK(g.call("GET", "/v1/users?stepik_user_id=x").refusal() == "400 invalid_value stepik_user_id");
}
