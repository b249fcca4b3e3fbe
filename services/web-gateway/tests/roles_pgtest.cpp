#include "browser.hpp"

#include "domain/staff.hpp"

#include "coursegate/base/uuid.hpp"

using namespace coursegate;
using namespace coursegate::web_gateway;
using namespace coursegate::web_gateway::tests;

TEST_CASE("a role is given once and taken once, and both are in the audit log")
{
    running_gateway g;
    const auto id = g.add_user("anna@example.org");
    const auto path = "/v1/users/" + id + "/roles";

    auto reply = g.call("PUT", path, R"({"role": "support", "reason": "she answers the mail"})");
    CHECK(reply.status == 200);
    CHECK(reply.at("/user_id") == id);
    CHECK(reply.at("/roles") == R"([{"course_id":null,"role":"support"}])");
    auto row = g.last_audit();
    CHECK(row.at("/what") == "role.give");
    CHECK(row.at("/target") == "user/" + id);
    CHECK(row.at("/after") == R"({"role":"support"})");
    CHECK(row.at("/why") == "she answers the mail");
    CHECK(row.at("/address") == "127.0.0.1");

    const auto before = g.everything();
    CHECK(g.call("PUT", path, R"({"role": "support"})").status == 200);
    CHECK(g.everything() == before);

    CHECK(g.call("PUT", path, R"({"role": "admin"})").size("/roles") == 2);
    reply = g.call("DELETE", path + "?role=support");
    CHECK(reply.status == 200);
    CHECK(reply.all("/roles", "role") == std::vector<std::string>{"admin"});
    row = g.last_audit();
    CHECK(row.at("/what") == "role.take");
    CHECK(row.at("/before") == R"({"role":"support"})");

    const auto after = g.everything();
    CHECK(g.call("DELETE", path + "?role=support").status == 200);
    CHECK(g.everything() == after);
}

TEST_CASE("an author is one of given courses")
{
    running_gateway g;
    g.add_course(5);
    g.add_course(6);
    const auto path = "/v1/users/" + g.add_user("anna@example.org") + "/roles";
    CHECK(g.call("PUT", path, R"({"role": "author", "course_id": 5})").status == 200);
    const auto both = g.call("PUT", path, R"({"role": "author", "course_id": 6})");
    CHECK(both.all("/roles", "course_id") == std::vector<std::string>{"5", "6"});
    CHECK(g.call("DELETE", path + "?role=author&course_id=5").all("/roles", "course_id") ==
          std::vector<std::string>{"6"});
}

TEST_CASE("a role that is none is refused by name and changes nothing")
{
    running_gateway g;
    const auto path = "/v1/users/" + g.add_user("anna@example.org") + "/roles";
    const auto before = g.everything();
    CHECK(g.call("PUT", path, R"({"role": "root"})").refusal() == "400 invalid_value role");
    CHECK(g.call("PUT", path, R"({"role": "student"})").refusal() == "400 invalid_value role");
    CHECK(g.call("PUT", path, "{}").refusal() == "400 missing_field role");
    CHECK(g.call("PUT", path, R"({"role": "author"})").refusal() == "400 missing_field course_id");
    CHECK(g.call("PUT", path, R"({"role": "admin", "course_id": 5})").refusal() ==
          "400 invalid_value course_id");
    CHECK(g.call("DELETE", path).refusal() == "400 missing_field role");
    const auto nobody = "/v1/users/" + base::to_string(base::new_uuid()) + "/roles";
    CHECK(g.call("PUT", nobody, R"({"role": "admin"})").refusal() == "404 user_not_found id");
    CHECK(g.call("DELETE", nobody + "?role=admin").refusal() == "404 user_not_found id");
    CHECK(g.everything() == before);
}

TEST_CASE("the same role given by several at the same moment is there once")
{
    running_gateway g;
    const auto path = "/v1/users/" + g.add_user("anna@example.org") + "/roles";
    for (const auto& r : g.call_together(std::vector<std::string>(4, "PUT " + path), R"({"role": "ops"})"))
        CHECK(r.status == 200);
    CHECK(g.count("accounts.user_roles") == 1);
    CHECK(g.count("accounts.audit_log WHERE what = 'role.give'") == 1);
}

TEST_CASE("the admin area is for people with a role, and everybody sees his own courses only")
{
    running_gateway g;
    g.add_course(5);
    browser anna(g);
    browser stranger(g);
    const auto made =
        g.call("POST", "/v1/users", R"({"email": "anna@example.org", "boom_code": "123456789"})");
    REQUIRE(made.status == 201);
    CHECK(stranger.get("/admin").status == 302);
    REQUIRE(anna.sign_in("anna@example.org", "123456789").status == 303);
    CHECK(anna.get("/admin").status == 403);
    CHECK_FALSE(anna.get("/dashboard").says("href=\"/admin\""));
    REQUIRE(g.call("PUT", "/v1/users/" + made.at("/id") + "/roles", R"({"role": "author", "course_id": 5})")
                .status == 200);
    CHECK(anna.get("/admin").status == 303);
    CHECK(anna.get("/dashboard").says("href=\"/admin\""));
}

TEST_CASE("each role's rights")
{
    const auto author = rights_of({"student", "author"}, {5});
    CHECK((author.sees(5) && author.changes(5) && author.repairs_in(5)));
    CHECK_FALSE((author.sees(6) || author.changes(6) || author.repairs_in(6) || author.changes_all));
    CHECK(author.seen_courses() == std::vector<std::int64_t>{5});
    const auto support = rights_of({"support"}, {});
    CHECK((support.sees(5) && !support.changes(5) && !support.repairs_in(5)));
    const auto ops = rights_of({"ops"}, {});
    CHECK((ops.sees(5) && !ops.changes(5) && ops.repairs_in(5)));
    const auto admin = rights_of({"admin"}, {});
    CHECK((admin.sees(5) && admin.changes(5) && admin.repairs_in(5) && admin.changes_all));
    CHECK_FALSE(rights_of({"student"}, {}).is_staff());
    CHECK_FALSE(rights_of({"student"}, {5}).sees(5)); // not an author any more
    CHECK(admin.seen_courses() == std::nullopt);
    const auto of_nothing = rights_of({"author"}, {}).seen_courses();
    REQUIRE(of_nothing.has_value());
    CHECK(of_nothing->empty()); // and not all
}
