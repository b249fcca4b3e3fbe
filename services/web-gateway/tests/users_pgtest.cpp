#include "running_gateway.hpp"

#include "coursegate/base/encoding.hpp"
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
        R"({"email": " Anna@Example.org ", "first_name": "Anna", "last_name": "Petrova", "stepik_user_id": 900, "locale": "uk"})");
    REQUIRE(made.status == 201);
    const auto id = made.at("/id");
    const auto code = made.at("/boom_code");
    CHECK(code.size() == 9);
    CHECK(made.at("/email") == "Anna@Example.org");
    CHECK(made.at("/locale") == "uk");
    CHECK(made.at("/role") == "student");
    CHECK(made.at("/code_version") == "1");

    const auto found = g.call("GET", "/v1/users/" + id);
    CHECK(found.status == 200);
    CHECK_FALSE(found.has("/boom_code"));
    CHECK(found.at("/has_boom_code") == "true");
    CHECK(found.at("/stepik_user_id") == "900");

    // At rest: sealed for this row, and unique by its HMAC.
    CHECK(code_at_rest(g, id).expose() == code);
    CHECK(g.one("SELECT encode(boom_code_hmac, 'hex') FROM accounts.users") ==
          base::to_hex(g.keys().hmac("boom_code", code)));
    CHECK(g.everything().find(code) == std::string::npos);
    CHECK(logged.find(code) == std::string::npos);

    const auto event = g.last_event("account_linked");
    CHECK(event.at("/subject") == "user/" + id);
    CHECK(event.at("/data") == R"({"stepik_user_id":900,"user_id":")" + id + "\"}");
    const auto audit = g.last_audit();
    CHECK(audit.at("/what") == "user.create");
    CHECK(audit.at("/target") == "user/" + id);
    CHECK(audit.at("/before") == "null");
    CHECK(audit.at("/after/email") == "Anna@Example.org");
}

TEST_CASE("a code that was given is kept and not returned")
{
    running_gateway g;
    const auto made =
        g.call("POST", "/v1/users", R"({"email": "a@example.org", "boom_code": "123-456-789"})");
    REQUIRE(made.status == 201);
    CHECK_FALSE(made.has("/boom_code"));
    CHECK(code_at_rest(g, made.at("/id")).expose() == "123456789");
    CHECK_FALSE(g.last_event("account_linked").has("/data/stepik_user_id"));
}

TEST_CASE("a bad field of a new user is refused by name and changes nothing")
{
    running_gateway g;
    REQUIRE(g.call("POST", "/v1/users",
                 R"({"email": "anna@example.org", "stepik_user_id": 900, "boom_code": "123456789"})")
                .status == 201);
    const auto before = g.everything();
    struct row
    {
        const char* field;
        std::string value;
        const char* refusal;
    };
    const std::vector<row> rows{
        {"email", R"("boris")", "400 invalid_value email"},
        {"email", R"(null)", "400 missing_field email"},
        {"email", R"("ANNA@EXAMPLE.ORG")", "409 duplicate email"},
        {"last_name", R"("a\nb")", "400 invalid_value last_name"},
        {"last_name", R"([])", "400 wrong_type last_name"},
        {"stepik_user_id", R"(0)", "400 invalid_value stepik_user_id"},
        {"stepik_user_id", R"("900")", "400 wrong_type stepik_user_id"},
        {"stepik_user_id", R"(900)", "409 duplicate stepik_user_id"},
        {"boom_code", R"("12345678")", "400 invalid_value boom_code"},
        {"boom_code", R"(123456780)", "400 wrong_type boom_code"},
        {"boom_code", R"("123456789")", "409 duplicate boom_code"},
        {"locale", R"("de")", "400 invalid_value locale"},
        {"role", R"("author")", "400 unknown_field role"},
        {"first_name", "\"" + std::string(101, 'x') + "\"", "400 invalid_value first_name"},
    };
    for (const auto& r : rows) {
        INFO(r.field << " " << r.value);
        const auto body = with(R"({"email": "boris@example.org"})", r.field, r.value);
        CHECK(g.call("POST", "/v1/users", body).refusal() == r.refusal);
    }
    CHECK(g.everything() == before);
}

TEST_CASE("users of one e-mail at the same moment are one user")
{
    running_gateway g;
    const std::vector<std::string> four(4, "POST /v1/users");
    int created = 0;
    for (const auto& r : g.call_together(four, R"({"email": "anna@example.org"})")) {
        created += r.status == 201 ? 1 : 0;
        if (r.status != 201)
            CHECK(r.refusal() == "409 duplicate email");
    }
    CHECK(created == 1);
    CHECK(g.count("accounts.users") == 1);
    CHECK(g.events("account_linked") == 1);
}

TEST_CASE("a user is changed field by field")
{
    running_gateway g;
    const auto id = g.add_user("anna@example.org");
    const auto path = "/v1/users/" + id;
    auto reply =
        g.call("PATCH", path, R"({"email": "anna.p@example.org", "last_name": "P", "locale": "en"})");
    CHECK(reply.status == 200);
    CHECK(reply.at("/email") == "anna.p@example.org");
    CHECK(reply.at("/locale") == "en");
    CHECK(g.events("account_linked") == 1); // from the creation: nothing was linked

    SECTION("linking and unlinking Stepik is told")
    {
        CHECK(g.call("PATCH", path, R"({"stepik_user_id": 900})").at("/stepik_user_id") == "900");
        CHECK(g.events("account_linked") == 2);
        CHECK(g.last_event("account_linked").at("/data/stepik_user_id") == "900");
        CHECK(g.call("PATCH", path, R"({"stepik_user_id": null})").at("/stepik_user_id") == "null");
        CHECK(g.events("account_linked") == 3);
    }
    SECTION("the same again leaves no trace")
    {
        const auto before = g.everything();
        CHECK(g.call("PATCH", path, R"({"email": "anna.p@example.org", "locale": "en"})").status == 200);
        CHECK(g.everything() == before);
    }
    SECTION("one's own e-mail in another case is no duplicate")
    {
        CHECK(
            g.call("PATCH", path, R"({"email": "Anna.P@example.org"})").at("/email") == "Anna.P@example.org");
    }
}

TEST_CASE("a bad change of a user is refused by name and changes nothing")
{
    running_gateway g;
    g.add_user("boris@example.org", 901);
    const auto path = "/v1/users/" + g.add_user("anna@example.org");
    const auto before = g.everything();
    CHECK(g.call("PATCH", path, R"({"email": "BORIS@example.org"})").refusal() == "409 duplicate email");
    CHECK(g.call("PATCH", path, R"({"stepik_user_id": 901})").refusal() == "409 duplicate stepik_user_id");
    CHECK(g.call("PATCH", path, R"({"stepik_user_id": -1})").refusal() == "400 invalid_value stepik_user_id");
    CHECK(g.call("PATCH", path, R"({"first_name": 1})").refusal() == "400 wrong_type first_name");
    CHECK(g.call("PATCH", path, R"({"locale": "xx"})").refusal() == "400 invalid_value locale");
    CHECK(g.call("PATCH", path, R"({"reason": "", "locale": "en"})").refusal() == "400 invalid_value reason");
    CHECK(g.call("PATCH", path, R"({"boom_code": "123456789"})").refusal() == "400 unknown_field boom_code");
    CHECK(g.call("PATCH", path, "{}").refusal() == "400 missing_field email");
    CHECK(g.call("PATCH", "/v1/users/5", R"({"locale": "en"})").refusal() == "400 invalid_value id");
    const auto nobody = "/v1/users/" + base::to_string(base::new_uuid());
    CHECK(g.call("PATCH", nobody, R"({"locale": "en"})").refusal() == "404 user_not_found id");
    CHECK(g.call("GET", nobody).refusal() == "404 user_not_found id");
    CHECK(g.call("POST", nobody + "/rotate-code").refusal() == "404 user_not_found id");
    CHECK(g.everything() == before);
}

TEST_CASE("a rotated code is told once, sealed, and announced")
{
    running_gateway g;
    const auto made = g.call("POST", "/v1/users", R"({"email": "anna@example.org"})");
    const auto id = made.at("/id");
    const auto rotated =
        g.call("POST", "/v1/users/" + id + "/rotate-code", R"({"reason": "seen in a chat"})");
    REQUIRE(rotated.status == 200);
    const auto code = rotated.at("/boom_code");
    CHECK(code != made.at("/boom_code"));
    CHECK(rotated.at("/code_version") == "2");
    CHECK(code_at_rest(g, id).expose() == code);
    CHECK(g.one("SELECT code_version FROM accounts.v_users") == "2");
    CHECK(g.last_event("boom_code_rotated").at("/data") == R"({"user_id":")" + id + "\"}");
    CHECK(g.last_audit().at("/what") == "user.rotate_code");
    CHECK(g.last_audit().at("/why") == "seen in a chat");
    CHECK(g.everything().find(code) == std::string::npos);
    CHECK(g.call("POST", "/v1/users/" + id + "/rotate-code").status == 200); // a body is not needed
}

TEST_CASE("users are found by e-mail, Stepik id and words")
{
    running_gateway g;
    const auto anna = g.add_user("Anna@example.org", 900);
    const auto boris = g.add_user("boris_x@example.org", 901);
    g.call("PATCH", "/v1/users/" + boris, R"({"first_name": "Борис", "last_name": "100%"})");
    const auto ids = [&](const std::string& query) {
        const auto reply = g.call("GET", "/v1/users" + query);
        REQUIRE(reply.status == 200);
        return reply.all("/users", "id");
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
        for (const auto& id : reply.all("/users", "id"))
            seen.push_back(id);
        if (reply.at("/next_cursor") == "null") {
            CHECK(pages == 3);
            break;
        }
        cursor = reply.at("/next_cursor");
    }
    CHECK(seen == all);
    CHECK(g.call("GET", "/v1/users?limit=0").refusal() == "400 invalid_value limit");
    CHECK(g.call("GET", "/v1/users?limit=501").refusal() == "400 invalid_value limit");
    CHECK(g.call("GET", "/v1/users?limit=two").refusal() == "400 invalid_value limit");
    CHECK(g.call("GET", "/v1/users?cursor=xyz").refusal() == "400 invalid_value cursor");
    CHECK(g.call("GET", "/v1/users?email=x").refusal() == "400 invalid_value email");
    CHECK(g.call("GET", "/v1/users?stepik_user_id=x").refusal() == "400 invalid_value stepik_user_id");
}
