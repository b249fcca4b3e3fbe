#include "classroom.hpp"

using namespace coursegate;
using namespace coursegate::web_gateway;
using namespace coursegate::web_gateway::tests;

TEST_CASE("a person changes how he is called, his language and his time zone")
{
    classroom c;
    c.sign_in();
    const auto page = c.b.get("/profile");
    CHECK(page.status == 200);
    CHECK(page.says("value=\"Anna\""));
    CHECK(page.says("<option selected>UTC</option>"));
    CHECK(page.says("<option>Europe/Kyiv</option>"));
    const auto csrf = page.hidden("csrf");
    const fields wish{{"csrf", csrf}, {"first_name", "Ганна"}, {"last_name", "K."}, {"language", "uk"},
        {"time_zone", "Europe/Kyiv"}};
    CHECK(c.b.post("/profile", wish).header("Location") == "/profile?saved=1");
    CHECK(c.g.one("SELECT first_name || last_name || locale || time_zone FROM accounts.users WHERE id = '" +
                  c.anna + "'") == "ГаннаK.ukEurope/Kyiv");
    const auto row = c.g.last_audit();
    CHECK(row.at("/what") == "user.change");
    CHECK(row.at("/who") == "user/" + c.anna);
    CHECK(row.at("/before/first_name") == "Anna");
    CHECK(c.b.get("/profile?saved=1").says("Збережено."));

    const auto before = c.g.everything();
    CHECK(c.b.post("/profile", wish).status == 303); // the same again is no change
    for (const auto& [field, value] : fields{{"time_zone", "../../etc/passwd"}, {"time_zone", "Nowhere/Land"},
             {"language", "fr"}, {"first_name", std::string(101, 'a')}})
    {
        auto wrong = wish;
        for (auto& [name, given] : wrong)
            if (name == field)
                given = value;
        const auto refused = c.b.post("/profile", wrong);
        CHECK(refused.status == 422);
        CHECK(refused.says("role=\"alert\""));
    }
    CHECK(c.b.post("/profile", {{"csrf", "guessed"}}).status == 403);
    CHECK(c.g.everything() == before);
}

TEST_CASE("a person says how and when he hears from us, and other slices read it")
{
    classroom c;
    c.sign_in();
    const auto csrf = c.b.csrf();
    const auto published = [&] {
        return c.g.one("SELECT concat_ws(' ', by_telegram, by_email, quiet_from, quiet_to, time_zone) FROM "
                       "accounts.v_notice_settings WHERE user_id = '" +
                       c.anna + "'");
    };
    CHECK(published() == "t t UTC");
    const fields quiet{{"csrf", csrf}, {"by_email", "on"}, {"quiet_from", "22:00"}, {"quiet_to", "07:30"}};
    CHECK(c.b.post("/profile/notices", quiet).status == 303);
    CHECK(published() == "f t 22:00:00 07:30:00 UTC");
    CHECK(c.g.last_audit().at("/what") == "user.notices");
    CHECK(c.g.last_audit().at("/after/quiet") == "22:00-07:30");
    const auto page = c.b.get("/profile");
    CHECK(page.says("name=\"by_email\" checked"));
    CHECK_FALSE(page.says("name=\"by_telegram\" checked"));
    CHECK(page.says("value=\"22:00\""));

    const auto before = c.g.everything();
    for (const auto& [from, to] : fields{{"22:00", ""}, {"", "07:00"}, {"24:00", "07:00"}, {"22:60", "07:00"},
             {"2200", "07:00"}, {"07:00", "07:00"}})
        CHECK(c.b.post("/profile/notices", {{"csrf", csrf}, {"quiet_from", from}, {"quiet_to", to}}).status ==
              422);
    CHECK(c.g.everything() == before);
    CHECK(c.b.post("/profile/notices", {{"csrf", csrf}, {"quiet_from", ""}, {"quiet_to", ""}}).status == 303);
    CHECK(published() == "f f UTC");
}

TEST_CASE("a person sees where he is signed in, and ends that")
{
    classroom c;
    c.sign_in();
    browser phone(c.g);
    REQUIRE(phone.sign_in("anna@example.org", "123456789").status == 303);
    const auto page = c.b.get("/profile");
    CHECK(page.says("<strong>This device</strong> Signed in with e-mail and code, last seen just now"));
    const auto others = c.g.one("SELECT session_id FROM accounts.sessions ORDER BY created_at DESC LIMIT 1");
    CHECK(page.says("name=\"session\" value=\"" + others + "\""));
    CHECK(c.b.post("/profile/sessions/end", {{"csrf", page.hidden("csrf")}, {"session", others}})
              .header("Location") == "/profile");
    CHECK(phone.get("/profile").status == 302);
    CHECK_FALSE(c.b.get("/profile").says(others));
}

TEST_CASE("a person downloads all that is known of him, and no secret")
{
    classroom c;
    c.sign_in();
    REQUIRE(
        c.g.call("POST", "/v1/users", R"({"email": "boris@example.org", "stepik_user_id": 901})").status ==
        201);
    REQUIRE(c.g.call("PUT", "/v1/users/" + c.anna + "/roles", R"({"role": "support"})").status == 200);
    REQUIRE(c.g.call("POST", "/v1/grants",
                   R"({"user": ")" + c.anna + R"(", "course": 5, "lesson": 504, "reason": "ill"})")
                .status == 202);
    const auto file = c.b.get("/profile/data");
    CHECK(file.status == 200);
    CHECK(file.header("Content-Disposition") == "attachment; filename=\"coursegate-about-me.json\"");
    CHECK(file.header("Cache-Control") == "no-store");
    document all;
    all.text = file.text;
    CHECK(all.at("/user/email") == "anna@example.org");
    CHECK(all.at("/user/has_boomstream_code") == "true");
    CHECK(all.all("/roles", "role") == std::vector<std::string>{"support"});
    CHECK(all.size("/sessions") == 1);
    CHECK(all.size("/progress") == 3);
    CHECK(all.size("/grants") == 2);
    CHECK(all.size("/requests") == 1);
    CHECK(all.at("/notices/by_email") == "true");
    CHECK(all.all("/audit", "what") ==
          std::vector<std::string>{"user.create", "session.start", "role.give", "grant.grant"});
    CHECK(all.all("/audit", "by_yourself") == std::vector<std::string>{"false", "true", "false", "false"});
    CHECK_FALSE(file.says("123456789"));
    CHECK_FALSE(file.says("boris"));
    CHECK_FALSE(file.says("hmac"));
    CHECK_FALSE(file.says("_box"));
    CHECK_FALSE(file.says("token"));
    browser stranger(c.g);
    CHECK(stranger.get("/profile/data").status == 302);
}

TEST_CASE("a person who leaves takes everything of himself along")
{
    classroom c;
    c.sign_in();
    REQUIRE(c.g.call("PUT", "/v1/users/" + c.anna + "/roles", R"({"role": "support"})").status == 200);
    c.g.sql(
        "UPDATE accounts.users SET google_sub = 'g', google_email = 'anna@example.net', telegram_username = "
        "'anna'");
    REQUIRE(c.g.call("POST", "/v1/sign-in-links", R"({"user": ")" + c.anna + "\"}").status == 201);
    CHECK(c.b.get("/profile/data").says("anna@example.net"));
    const auto csrf = c.b.csrf();
    const auto before = c.g.everything();
    const auto refused = c.b.post("/profile/delete", {{"csrf", csrf}, {"email", "anna@example.com"}});
    CHECK(refused.status == 422);
    CHECK(refused.says("Nothing was deleted"));
    CHECK(c.b.post("/profile/delete", {{"csrf", "guessed"}, {"email", "anna@example.org"}}).status == 403);
    CHECK(c.g.everything() == before);

    // The last admin would leave nobody who could make another one.
    const auto roles = "/v1/users/" + c.anna + "/roles";
    REQUIRE(c.g.call("PUT", roles, R"({"role": "admin"})").status == 200);
    CHECK(c.b.post("/profile/delete", {{"csrf", csrf}, {"email", "anna@example.org"}})
              .says("you are the only admin"));
    const auto other = c.g.add_user("boris@example.org");
    REQUIRE(c.g.call("PUT", "/v1/users/" + other + "/roles", R"({"role": "admin"})").status == 200);

    // As somebody whom Google's word had created: from where the person sat then goes, too.
    c.g.sql("UPDATE accounts.audit_log SET who = 'sign-in/google', address = '192.0.2.7' WHERE what = "
            "'user.create'");
    const auto done = c.b.post("/profile/delete", {{"csrf", csrf}, {"email", "Anna@Example.org "}});
    CHECK(done.status == 200);
    CHECK(done.says("Your account is deleted"));
    CHECK(c.b.token().empty());
    CHECK(c.g.count("accounts.sessions") == 0);
    CHECK(c.g.count("accounts.user_roles WHERE user_id = '" + c.anna + "'") == 0);
    CHECK(c.g.count("accounts.sign_in_links") == 0);
    CHECK(c.g.call("POST", "/v1/sign-in-links", R"({"user": ")" + c.anna + "\"}").status == 404);
    CHECK(c.b.sign_in("anna@example.org", "123456789").status == 422);

    // Nothing that would name him is left, in the account or in the log of what was done.
    CHECK(c.g.one("SELECT email FROM accounts.users WHERE id = '" + c.anna + "'") ==
          "deleted-" + c.anna + "@deleted.invalid");
    CHECK(c.g.one("SELECT concat(first_name, last_name, boom_code_box, boom_code_hmac, stepik_user_id, "
                  "telegram_id, "
                  "google_sub, google_email, telegram_username) FROM accounts.users WHERE id = '" +
                  c.anna + "'")
              .empty());
    CHECK(c.g.count("accounts.v_notice_settings WHERE user_id = '" + c.anna + "'") == 0);
    const auto log =
        c.g.one("SELECT string_agg(a::text, ' ') FROM accounts.audit_log a WHERE target = 'user/" + c.anna +
                "' OR who = 'user/" + c.anna + "'");
    for (const auto* personal : {"anna@", "Anna"})
        CHECK_FALSE(has(log, personal));
    CHECK(c.g.count("accounts.audit_log WHERE address IS NOT NULL AND who = 'user/" + c.anna + "'") == 0);
    CHECK(
        c.g.count("accounts.audit_log WHERE address = '192.0.2.7' AND target = 'user/" + c.anna + "'") == 0);
    const auto row = c.g.last_audit();
    CHECK(row.at("/what") == "user.delete");
    CHECK(row.at("/who") == "user/" + c.anna);
    CHECK(row.at("/why") == "The account was deleted by its owner.");
    CHECK(row.at("/after/lessons_closed") == "2");

    // What was opened for him is ordered to be closed, and he is nobody on Stepik any more.
    CHECK(c.g.events("grant_revoke_requested") == 2);
    const auto revoke = c.g.last_event("grant_revoke_requested");
    CHECK(revoke.at("/data/user_id") == c.anna);
    CHECK(revoke.at("/data/lesson_id") == "502");
    CHECK(revoke.at("/data/actor") == "user/" + c.anna);
    CHECK(revoke.at("/data/reason") == "The account was deleted by its owner.");
    CHECK(c.g.events("account_linked") == 3); // at the beginning, boris's, and at the end
    CHECK(c.g.last_event("account_linked").at("/data/stepik_user_id") != "900");
    CHECK(c.g.call("POST", "/v1/users", R"({"email": "anna@example.org", "stepik_user_id": 900})").status ==
          201);
}
