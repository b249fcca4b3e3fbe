#include "classroom.hpp"

#include "coursegate/base/uuid.hpp"

using namespace coursegate;
using namespace coursegate::web_gateway::tests;

namespace {

// Anna is in course 5; Emil may do everything, Clara is the author of `course`.
struct staffed : classroom
{
    browser emil{g};
    browser clara{g};
    std::string claras_id;

    explicit staffed(int course = 5)
    {
        member("emil@example.net", "555555555", R"({"role": "admin"})");
        if (course != 5)
            g.add_course(course);
        claras_id = member("clara@example.net", "333333333",
            R"({"role": "author", "course_id": )" + std::to_string(course) + "}");
        REQUIRE(emil.sign_in("emil@example.net", "555555555").status == 303);
        REQUIRE(clara.sign_in("clara@example.net", "333333333").status == 303);
    }

    std::string member(const std::string& email, const std::string& code, const std::string& role)
    {
        const auto made = g.call("POST", "/v1/users",
            R"({"email": ")" + email + R"(", "boom_code": ")" + code + R"(", "locale": "en"})");
        REQUIRE(made.status == 201);
        REQUIRE(g.call("PUT", "/v1/users/" + made.at("/id") + "/roles", role).status == 200);
        return made.at("/id");
    }

    std::string annas(const std::string& more = {}) const { return "/admin/students/" + anna + more; }
};

std::string new_key()
{
    return base::to_string(base::new_uuid());
}

fields new_student(
    browser& b, const std::string& email, const std::string& code = {}, const std::string& stepik = {})
{
    return {{"csrf", b.csrf()}, {"once", new_key()}, {"email", email}, {"first_name", "Boris"},
        {"last_name", "B"}, {"stepik_user_id", stepik}, {"boom_code", code}, {"locale", "en"}};
}

} // namespace

TEST_CASE("a student is found by e-mail, name, Stepik id and Telegram name, page by page")
{
    staffed c;
    c.g.sql("UPDATE accounts.users SET telegram_username = 'anna_k', last_name = 'K%' WHERE id = '" + c.anna +
            "'");
    for (const auto* words : {"anna@", "ANNA", "k%25%20anna", "900", "anna_k"}) {
        INFO(words);
        const auto page = c.emil.get(std::string("/admin/students?q=") + words);
        CHECK(page.says(c.annas()));
        CHECK_FALSE(page.says("clara@example.net"));
    }
    CHECK(c.emil.get("/admin/students?q=nobody").says("Nobody was found."));
    CHECK(c.emil.get("/admin/students?q=90").says("Nobody was found.")); // a whole id, not a part of it
    CHECK(c.emil.get("/admin/students?q=%25").says(c.annas()));
    c.g.sql("INSERT INTO accounts.users (id, email) SELECT gen_random_uuid(), 'n' || n || '@example.com'"
            " FROM generate_series(1, 60) n");
    const auto first = c.emil.get("/admin/students?q=example.com");
    const auto at = first.text.find("cursor=");
    REQUIRE(at != std::string::npos);
    const auto cursor = first.text.substr(at + 7, first.text.find('"', at) - at - 7);
    const auto second = c.emil.get("/admin/students?q=example.com&cursor=" + cursor);
    int rows = 0;
    for (const auto* page : {&first, &second})
        for (auto from = page->text.find("@example.com</td>"); from != std::string::npos;
             from = page->text.find("@example.com</td>", from + 1))
            ++rows;
    CHECK(rows == 60);
    CHECK_FALSE(second.says("Older ones"));
}

TEST_CASE("a student is created once, with a code that is shown once")
{
    staffed c;
    const auto form = new_student(c.emil, "boris@example.net", "", "901");
    const auto made = c.emil.post("/admin/students", form);
    CHECK(made.status == 200);
    const auto at = made.text.find("class=\"code\">");
    REQUIRE(at != std::string::npos);
    const auto code = made.text.substr(at + 13, 9);
    browser boris(c.g);
    CHECK(boris.sign_in("boris@example.net", code).status == 303);
    // The same form once more, by a double click: the same answer, nobody new.
    const auto before = c.g.everything();
    CHECK(c.emil.post("/admin/students", form).says(code));
    CHECK(c.g.everything() == before);
    CHECK(c.g.one("SELECT created_by FROM accounts.users WHERE email = 'boris@example.net'")
              .starts_with("user/"));

    for (const auto& [wrong, sentence] : std::map<fields, std::string>{
             {new_student(c.emil, "boris@example.net"), "E-mail: somebody else has it already."},
             {new_student(c.emil, "no address"), "E-mail: this is not written as it should be."},
             {new_student(c.emil, "d@example.net", "12"), "Boomstream code, 9 digits: this is not written"},
             {new_student(c.emil, "d@example.net", code), "Boomstream code, 9 digits: somebody else has it"},
             {new_student(c.emil, "d@example.net", "", "901"), "Stepik id: somebody else has it already."}})
    {
        const auto page = c.emil.post("/admin/students", wrong);
        CHECK(page.status == 422);
        CHECK(page.says(sentence));
    }
    CHECK(c.g.count("accounts.users WHERE email = 'd@example.net'") == 0);
}

TEST_CASE(
    "everything about a student stands on one page, and lessons are opened and closed there with a reason")
{
    staffed c;
    c.sign_in();
    const auto page = c.emil.get(c.annas());
    CHECK(page.status == 200);
    CHECK(page.says("anna@example.org"));
    CHECK(page.says("name=\"lesson-504\""));
    CHECK(page.says("The account was created"));
    CHECK(page.says("Signed in"));

    const auto csrf = c.emil.csrf();
    fields form{{"csrf", csrf}, {"once", new_key()}, {"course", "5"}, {"what", "open"}, {"lesson-503", "on"},
        {"lesson-504", "on"}};
    CHECK(c.emil.post(c.annas("/lessons"), form).says("Why: this is needed."));
    form.emplace_back("reason", "she was <ill>");
    CHECK(c.emil.post(c.annas("/lessons"), form).header("Location") == c.annas("?done=1"));
    CHECK(c.emil.post(c.annas("/lessons"), form).header("Location") ==
          c.annas("?done=1")); // once more, by a double click
    CHECK(c.g.events("grant_requested") == 2);
    CHECK(c.g.last_event("grant_requested").at("/data/reason") == "she was <ill>");
    CHECK(c.emil.get(c.annas("?done=1")).says("Opened by hand"));
    CHECK(c.emil.get(c.annas()).says("<td>emil@example.net</td><td>she was"));
    CHECK(c.emil.get(c.annas()).says("she was &lt;ill&gt;"));

    const fields all{{"csrf", csrf}, {"once", new_key()}, {"course", "5"}, {"what", "close"}, {"all", "on"},
        {"reason", "a mistake"}};
    CHECK(c.emil.post(c.annas("/lessons"), all).status == 303);
    CHECK(c.g.events("grant_revoke_requested") == 4);
    const auto before = c.g.everything();
    const fields nothing{
        {"csrf", csrf}, {"once", new_key()}, {"course", "5"}, {"what", "open"}, {"reason", "x"}};
    CHECK(c.emil.post(c.annas("/lessons"), nothing).says("Lesson: this is needed."));
    const fields strange{{"csrf", csrf}, {"once", new_key()}, {"course", "5"}, {"what", "open"},
        {"lesson-7", "on"}, {"reason", "x"}};
    CHECK(c.emil.post(c.annas("/lessons"), strange).status == 422);
    CHECK(c.g.everything() == before);
}

TEST_CASE("who a student is, and his code, are changed with a reason")
{
    staffed c;
    const auto csrf = c.emil.csrf();
    fields account{{"csrf", csrf}, {"email", "anna@example.com"}, {"first_name", "Anna"}, {"last_name", "K"},
        {"stepik_user_id", ""}, {"reason", "she asked"}};
    CHECK(c.emil.post(c.annas("/account"), account).status == 303);
    CHECK(c.g.one("SELECT email || coalesce(stepik_user_id::text, '-') FROM accounts.users WHERE id = '" +
                  c.anna + "'") == "anna@example.com-");
    CHECK(c.g.last_audit().at("/why") == "she asked");
    const auto changed = c.g.everything();
    CHECK(c.emil.post(c.annas("/account"), account).status == 303); // once more, by a double click
    CHECK(c.g.everything() == changed);
    account[1].second = "emil@example.net";
    CHECK(c.emil.post(c.annas("/account"), account).says("E-mail: somebody else has it already."));

    const fields form{{"csrf", csrf}, {"once", new_key()}, {"reason", "it was seen by others"}};
    const auto made = c.emil.post(c.annas("/code"), form);
    const auto at = made.text.find("class=\"code\">");
    REQUIRE(at != std::string::npos);
    const auto code = made.text.substr(at + 13, 9);
    CHECK(c.b.sign_in("anna@example.com", "123456789").status == 422);
    CHECK(c.b.sign_in("anna@example.com", code).status == 303);
    CHECK(c.emil.post(c.annas("/code"), form).says(code)); // once more, by a double click: no other code
    CHECK(c.g.events("boom_code_rotated") == 1);
}

TEST_CASE("the site as a student sees it can be looked at, and that is written down")
{
    staffed c;
    CHECK(c.emil.get(c.annas("/site")).status == 405);
    const auto page = c.emil.post(c.annas("/site"), {{"csrf", c.emil.csrf()}});
    CHECK(page.status == 200);
    CHECK(page.says("You see the site as this student sees it:"));
    CHECK(has(about(page, 501), "data-state=\"open\""));
    CHECK_FALSE(page.says("/dashboard/check"));
    CHECK_FALSE(page.says("href=\"/lessons/"));
    CHECK_FALSE(page.says("moves.js"));
    CHECK(c.g.last_audit().at("/what") == "user.see_site");
    CHECK(c.g.last_audit().at("/target") == "user/" + c.anna);
}

TEST_CASE("an author sees the students of his courses, steers their lessons, and takes over nobody's account")
{
    staffed c;
    const auto csrf = c.clara.csrf();
    CHECK(c.clara.get("/admin/students").says("anna@example.org"));
    CHECK_FALSE(c.clara.get("/admin/students").says("emil@example.net"));
    CHECK(c.clara.get(c.annas()).says("name=\"lesson-504\""));
    CHECK_FALSE(c.clara.get(c.annas()).says("Make a new code"));
    const auto before = c.g.everything();
    CHECK(
        c.clara.post(c.annas("/code"), {{"csrf", csrf}, {"once", new_key()}, {"reason", "x"}}).status == 404);
    CHECK(c.clara
              .post(c.annas("/account"), {{"csrf", csrf}, {"email", "mine@example.org"}, {"first_name", ""},
                                             {"last_name", ""}, {"stepik_user_id", ""}, {"reason", "x"}})
              .status == 404);
    CHECK(c.g.everything() == before);
    CHECK(c.clara
              .post(c.annas("/lessons"), {{"csrf", csrf}, {"once", new_key()}, {"course", "5"},
                                             {"what", "open"}, {"lesson-504", "on"}, {"reason", "x"}})
              .status == 303);

    // What was done in another course is not hers to read.
    c.g.sql("INSERT INTO accounts.audit_log (who, what, target, why, request_id) VALUES ('admin-token', "
            "'grant.grant',"
            " 'user/" +
            c.anna + "/course/6/lesson/601', 'of course 6', 'x')");
    CHECK_FALSE(c.clara.get(c.annas()).says("of course 6"));
    CHECK(c.emil.get(c.annas()).says("of course 6"));

    // Whom she made herself is hers to mend, until he gets a role.
    CHECK(c.clara.post("/admin/students", new_student(c.clara, "boris@example.net", "777777777")).status ==
          303);
    const auto boris = c.g.one("SELECT id FROM accounts.users WHERE email = 'boris@example.net'");
    const auto his = "/admin/students/" + boris;
    CHECK(c.clara.get("/admin/students").says(his));
    CHECK(c.clara.get(his).says("Make a new code"));
    CHECK(
        c.clara.post(his + "/code", {{"csrf", csrf}, {"once", new_key()}, {"reason", "lost"}}).status == 200);
    REQUIRE(c.g.call("PUT", "/v1/users/" + boris + "/roles", R"({"role": "support"})").status == 200);
    CHECK(
        c.clara.post(his + "/code", {{"csrf", csrf}, {"once", new_key()}, {"reason", "lost"}}).status == 404);
}

TEST_CASE("another course's author sees nothing of a student")
{
    staffed c(6);
    const auto csrf = c.clara.csrf();
    CHECK_FALSE(c.clara.get("/admin/students?q=anna").says("anna@example.org"));
    CHECK(c.clara.get(c.annas()).status == 404);
    CHECK(c.clara.post(c.annas("/site"), {{"csrf", csrf}}).status == 404);
    const auto before = c.g.everything();
    for (const auto* course : {"5", "6"})
        CHECK(c.clara
                  .post(c.annas("/lessons"), {{"csrf", csrf}, {"once", new_key()}, {"course", course},
                                                 {"what", "open"}, {"all", "on"}, {"reason", "x"}})
                  .status == 404);
    CHECK(c.g.everything() == before);
}
