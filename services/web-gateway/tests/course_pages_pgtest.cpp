// The pages about courses; Stepik and Boomstream are played by one small server. Against the sandbox, in a
// browser: tests/e2e/course.
#include "classroom.hpp"

#include "handlers/course_checks.hpp"
#include "handlers/gateway.hpp"

#include "coursegate/base/encoding.hpp"
#include "coursegate/http/client.hpp"

#include <nlohmann/json.hpp>

using namespace coursegate;
using namespace coursegate::web_gateway;
using namespace coursegate::web_gateway::tests;

namespace {

class providers
{
public:
    explicit providers(running_gateway& g) : gateway_(g), server_(g.executor(), settings(), table())
    {
        gateway_.run([this]() -> async::task<void> { co_await server_.start(); });
        url = "http://127.0.0.1:" + std::to_string(server_.port());
    }
    ~providers()
    {
        gateway_.run([this]() -> async::task<void> { co_await server_.stop(); });
    }

    std::string url;
    bool sees_grades = true;
    bool sees_learners = true;
    bool is_down = false;
    std::vector<std::string> videos{"AAAAAAAA", "BBBBBBBB", "ZZZZZZZZ"}; // of the subscription GROUP1

private:
    static http::server_settings settings()
    {
        http::server_settings s;
        s.access_log = false;
        return s;
    }

    std::vector<http::route> table()
    {
        const auto by = [this](http::response (providers::*what)(http::request&)) -> http::handler {
            return [this, what](http::request& r) -> async::task<http::response> {
                co_return is_down ? http::response::text(500, "") : (this->*what)(r);
            };
        };
        return {{"POST", "/oauth2/token/", by(&providers::token)},
            {"GET", "/api/courses/{id}", by(&providers::course)},
            {"POST", "/api/ppv/{method}", by(&providers::boomstream)}};
    }

    http::response token(http::request& r)
    {
        if (r.headers.get("Authorization") != "Basic " + base::to_base64("right-id:right-secret"))
            return http::response::json(401, {{"error", "invalid_client"}});
        return http::response::json(200, {{"access_token", "of-stepik"}});
    }
    http::response course(http::request& r)
    {
        if (r.headers.get("Authorization") != "Bearer of-stepik" || r.path_parameters.at("id") == "9")
            return http::response::json(404, {{"detail", "not found"}});
        nlohmann::json course;
        course["id"] = std::stoi(r.path_parameters.at("id"));
        course["title"] = "Of <Stepik>";
        course["actions"]["view_grade_book"]["enabled"] = sees_grades;
        course["learners_group"] = sees_learners ? nlohmann::json(77) : nlohmann::json();
        nlohmann::json out;
        out["courses"] = nlohmann::json::array({course});
        return http::response::json(200, out);
    }
    http::response boomstream(http::request& r)
    {
        if (r.headers.get("Authorization") != "Bearer right-key")
            return http::response::json(200, {{"Status", "Failed"}, {"Message", "Wrong api key"}});
        const auto asked = nlohmann::json::parse(r.body);
        if (asked.contains("code") && asked["code"] != "GROUP1")
            return http::response::json(200, {{"Status", "Failed"}, {"Message", "Subscription not found"}});
        nlohmann::json out{{"Status", "Success"}};
        if (r.path_parameters.at("method") == "listmedia")
            for (const auto& code : videos)
                out["Medias"].push_back({{"Code", code}, {"Title", "Video " + code}});
        else
            out["Items"] = {{{"Type", "group"}}};
        return http::response::json(200, out);
    }

    running_gateway& gateway_;
    http::server server_;
};

// Anna, with whatever role a test gives her, in front of a site that asks these providers.
struct office : classroom
{
    providers elsewhere{g};
    http::client web{g.executor()};
    course_checks checks{web, elsewhere.url, elsewhere.url};
    second_gateway site{g, {{"GET", "/in-test", [this](gateway& wiring) {
                                 wiring.checks = &checks;
                                 return http::handler();
                             }}}};
    browser at{g, site.port()};
    std::string csrf;

    void as(const std::string& role)
    {
        REQUIRE(g.call("PUT", "/v1/users/" + anna + "/roles", role).status == 200);
        at.cookies.clear();
        REQUIRE(at.sign_in("anna@example.org", "123456789").status == 303);
        csrf = at.csrf();
    }

    seen_page connect(const std::string& course, const std::string& id, const std::string& secret,
        const std::string& key, const std::string& subscription, bool is_sure = false)
    {
        fields form{{"csrf", csrf}, {"course", course}, {"client_id", id}, {"client_secret", secret},
            {"api_key", key}, {"subscription", subscription}};
        if (is_sure)
            form.emplace_back("sure", "on");
        return at.post("/admin/courses/connect", form);
    }
    seen_page media_step(const std::string& step, const std::string& table, const std::string& mark = "")
    {
        return at.post(
            "/admin/courses/5/media", {{"csrf", csrf}, {"step", step}, {"table", table}, {"mark", mark}});
    }
    seen_page rule_step(const std::string& step, const std::string& place, const std::string& rule,
        const std::string& days = "", const std::string& reason = "")
    {
        return at.post("/admin/courses/5/rules", {{"csrf", csrf}, {"step", step}, {"place", place},
                                                     {"rule", rule}, {"days", days}, {"reason", reason}});
    }
};

} // namespace

TEST_CASE("an author connects a course from nothing, and each thing wrong has its sentence")
{
    office o;
    o.as(R"({"role": "author", "course_id": 7})"); // not connected yet: he connects it
    CHECK(o.at.get("/admin/courses").says("You are an author of course 7 on Stepik"));
    CHECK(o.at.get("/admin/courses/7").status == 404);
    CHECK(o.at.get("/admin/courses/connect?course=7").says("Connect course 7"));
    CHECK(o.at.get("/admin/courses/connect?course=8").status == 404); // another author's

    const auto before = o.g.everything();
    CHECK(o.connect("8", "right-id", "right-secret", "", "").status == 404);
    const auto wrong = o.connect("7", "right-id", "wrong-secret", "wrong-key", "GROUP1", true);
    CHECK(wrong.status == 422);
    CHECK(wrong.says("Stepik does not accept this client id and secret."));
    CHECK(wrong.says("Boomstream does not accept this API key."));
    CHECK(wrong.says("value=\"right-id\"")); // need not be typed again
    CHECK(wrong.says("value=\"GROUP1\""));
    CHECK_FALSE(wrong.says("wrong-secret")); // secrets are
    CHECK_FALSE(wrong.says("wrong-key"));
    CHECK(o.connect("7", "right-id", "", "", "").says("Type the client id and the client secret"));
    CHECK(o.connect("7", "right-id", "two words", "", "").says("A key is one word"));
    CHECK(o.connect("7", "right-id", "right-secret", "right-key", "OTHER")
              .says("The project of this API key has no subscription with this code."));
    o.elsewhere.sees_grades = false;
    CHECK(
        o.connect("7", "right-id", "right-secret", "", "").says("may not see this course&apos;s grade book"));
    o.elsewhere.sees_grades = true;
    o.elsewhere.is_down = true;
    const auto away = o.connect("7", "right-id", "right-secret", "right-key", "");
    CHECK(away.says("Stepik gave no usable answer."));
    CHECK(away.says("Boomstream gave no usable answer."));
    CHECK(away.says("name=\"sure\""));
    CHECK_FALSE(wrong.says("name=\"sure\"")); // being sure does not make a wrong key right
    CHECK(o.g.everything() == before);

    o.elsewhere.is_down = false;
    o.elsewhere.sees_learners = false; // works, and is said
    const auto done = o.connect("7", " right-id ", "right-secret", "right-key", "GROUP1");
    CHECK(done.header("Location") == "/admin/courses/7?done=connected_noted");
    const auto page = o.at.get(done.header("Location"));
    CHECK(page.says("The keys work and are saved."));
    CHECK(page.says("Make the owner a member of the course&apos;s staff."));
    CHECK(page.says("Of &lt;Stepik&gt;")); // its title there
    CHECK(page.says("The lessons have not been read from Stepik yet."));
    CHECK(o.g.events("course_connected") == 2); // and the classroom's
    CHECK(o.g.last_event("course_connected").at("/data/course_id") == "7");
    CHECK(o.g.count("accounts.audit_log WHERE target = 'course/7' AND who = 'user/" + o.anna + "'") == 1);
    CHECK(o.g.one("SELECT kind FROM catalog.subscriptions WHERE course_id = 7") == "group");
    CHECK(o.g.one("SELECT string_agg(a::text, '') FROM accounts.audit_log a").find("right-secret") ==
          std::string::npos);

    // Other keys later: what is left empty stays, and is tried with the rest.
    const auto keys = o.at.get("/admin/courses/connect?course=7");
    CHECK(keys.says("Left empty it stays as it is."));
    CHECK(keys.says("Given on"));
    CHECK_FALSE(keys.says("right-secret"));
    CHECK(o.connect("7", "right-id", "", "", "GROUP1").status == 303);
    CHECK(o.connect("7", "other-id", "", "", "").says("Type the client id and the client secret"));
    o.elsewhere.is_down = true;
    CHECK(o.connect("7", "right-id", "", "", "GROUP1", true).status == 303);
}

TEST_CASE("a pasted table is shown as a difference and saved as it was shown")
{
    office o;
    o.as(R"({"role": "admin"})");
    REQUIRE(o.connect("5", "right-id", "right-secret", "right-key", "GROUP1").status == 303);
    CHECK(o.at.get("/admin/courses/5/media").says("SAAAAAAAA")); // a lesson's own subscription

    const std::string good = "lesson\tpart\tcode\r\n501\t1\tAAAAAAAA\r\n501;2;MMMMMMMM;;A second <part>\r\n"
                             "502,,BBBBBBBB\r\n503\t1\tCCCCCCCC\tSCCCCCCCC\r\n";
    const auto before = o.g.everything();
    const auto bad = o.media_step("look", good + "999\t1\tEEEEEEEE\n504\t1\tshort\n502\t2\tAAAAAAAA\n");
    CHECK(bad.status == 422);
    CHECK(bad.says("3 rows can&apos;t be saved."));
    CHECK(bad.says("Line 6: The course has no such lesson on Stepik."));
    CHECK(bad.says("Line 7: The third column is the video&apos;s code"));
    CHECK(bad.says("Line 8: This video is given twice."));
    CHECK(bad.says("504\t1\tshort")); // to be put right
    CHECK_FALSE(bad.says("value=\"save\""));

    const auto shown = o.media_step("look", good);
    CHECK(shown.status == 200);
    CHECK(shown.says("AAAAAAAA · SAAAAAAAA"));
    CHECK(shown.says("AAAAAAAA · GROUP1"));
    CHECK(shown.says("A second &lt;part&gt;"));
    CHECK(shown.says("added"));
    CHECK(shown.says("changed"));
    CHECK(shown.says("taken away")); // 504
    CHECK(shown.says("1 row stays as it is."));
    CHECK(shown.says("Boomstream has no such video in this subscription.")); // MMMMMMMM
    const auto mark = shown.hidden("mark");

    // Not what was looked at, or not looked at: nothing is saved.
    CHECK(o.media_step("save", good).status == 422);
    CHECK(o.g.everything() == before);
    o.media(502, "KKKKKKKK");
    const auto moved = o.media_step("save", good, mark);
    CHECK(moved.status == 422);
    CHECK(moved.says("Somebody changed the media map meanwhile."));
    o.media(502, "BBBBBBBB");

    const auto saved = o.media_step("save", good, o.media_step("look", good).hidden("mark"));
    CHECK(saved.header("Location") == "/admin/courses/5/media?done=saved");
    CHECK(o.g.one("SELECT string_agg(lesson_id || '.' || part || boom_media, ' ' ORDER BY lesson_id, part) "
                  "FROM catalog.lesson_media WHERE course_id = 5") ==
          "501.1AAAAAAAA 501.2MMMMMMMM 502.1BBBBBBBB 503.1CCCCCCCC");
    CHECK(o.g.last_audit().at("/who") == "user/" + o.anna);
    CHECK(o.g.last_event("lesson_media_changed").at("/data/course_id") == "5");

    const auto page = o.at.get("/admin/courses/5/media?done=saved");
    CHECK(page.says("Lessons without a video"));
    CHECK(page.says("Tasks"));
    CHECK(page.says("of 2 lessons only our own player keeps those closed")); // GROUP1 holds 501 and 502
    o.g.sql("UPDATE fixture.v_structure SET vanished = true WHERE lesson_id = 503");
    CHECK(o.at.get("/admin/courses/5/media").says("Videos without a lesson"));
    const auto same = o.media_step("look", "501,1,AAAAAAAA\n501,2,MMMMMMMM,,A second <part>\n"
                                           "502,1,BBBBBBBB\n503,1,CCCCCCCC,SCCCCCCCC\n");
    CHECK(same.says("The table is what the map says already.")); // a lesson that is gone keeps its row

    const auto codes = o.at.post("/admin/courses/5/media/codes", {{"csrf", o.csrf}});
    CHECK(codes.says("found"));
    CHECK(codes.says("Boomstream has no such video in this subscription."));
    CHECK(codes.says("Videos at Boomstream that belong to no lesson"));
    CHECK(codes.says("ZZZZZZZZ"));
    o.elsewhere.is_down = true;
    CHECK(o.at.post("/admin/courses/5/media/codes", {{"csrf", o.csrf}})
              .says("Boomstream gave no usable answer."));
}

TEST_CASE("who would gain by a rule is seen before it is saved")
{
    office o;
    o.as(R"({"role": "author", "course_id": 5})");
    // Boris is enrolled and has passed nothing; Clara has nothing to do with the course.
    for (const auto& [name, code, stepik] :
        {std::tuple("boris", "222222222", 901), std::tuple("clara", "333333333", 902)})
        REQUIRE(o.g.call("POST", "/v1/users",
                       R"({"email": ")" + std::string(name) + R"(@example.net", "boom_code": ")" + code +
                           R"(", "stepik_user_id": )" + std::to_string(stepik) + "}")
                    .status == 201);
    o.g.sql("INSERT INTO fixture.v_enrolments VALUES (5, 901, now() - interval '1 day', NULL, now(), now(), "
            "false)");

    const auto before = o.g.everything();
    const auto enrolled = o.rule_step("look", "lesson:504", "on_enrolment");
    CHECK(enrolled.status == 200);
    CHECK(enrolled.says("Tasks: open to everybody enrolled"));
    CHECK(enrolled.says("2 people would gain something at once."));
    CHECK(enrolled.says("anna@example.org"));
    CHECK(enrolled.says("boris@example.net"));
    CHECK_FALSE(enrolled.says("not enrolled in this course."));

    const auto always = o.rule_step("look", "course", "always");
    CHECK(always.says("3 people would gain something at once."));
    CHECK(always.says("1 of them is not enrolled in this course."));
    CHECK(always.says("boris@example.net"));
    CHECK_FALSE(always.says("clara@example.net")); // none of his students
    CHECK(o.rule_step("look", "module:51", "after_days", "2").says("1 person would gain something at once."));
    CHECK(o.rule_step("look", "lesson:504", "manual").says("Nobody would gain anything at once."));
    CHECK(o.rule_step("look", "course", "after_days").says("Type the number of days"));
    CHECK(o.rule_step("save", "lesson:999", "always").says("There is no such module or lesson"));
    CHECK(o.rule_step("save", "lesson:504", "default").says("There is no rule of its own to take away."));
    CHECK(o.g.everything() == before);

    const auto saved = o.rule_step("save", "lesson:504", "on_enrolment", "", "a gift");
    CHECK(saved.header("Location") == "/admin/courses/5/rules?done=saved");
    CHECK(o.g.last_event("access_rule_changed").at("/data/course_id") == "5");
    CHECK(o.g.last_audit().at("/why") == "a gift");
    const auto page = o.at.get("/admin/courses/5/rules?done=saved");
    CHECK(page.says("The rule is saved."));
    CHECK(page.says("open to everybody enrolled"));
    CHECK(o.rule_step("save", "lesson:504", "default").status == 303);
    CHECK(o.at.get("/admin/courses/5/rules").says("No rule is set."));

    o.as(R"({"role": "support"})"); // sees everybody, and may still change as the author
    CHECK(o.rule_step("look", "course", "always").says("clara@example.net"));
}

TEST_CASE("a course's page shows its lessons, how fresh they are and what they cost, and takes settings")
{
    office o;
    o.as(R"({"role": "support"})");
    o.g.sql(
        "UPDATE fixture.v_course_health SET ok = false, problems = '{The token is refused.}', students = "
        "1200;"
        "UPDATE fixture.v_provider_health SET circuit = 'open', waiting_fresh = 3, waiting_backfill = 40");
    CHECK(o.at.get("/admin/courses").says("something is wrong"));
    const auto page = o.at.get("/admin/courses/5");
    CHECK(page.status == 200);
    CHECK(page.says("Stepik: The token is refused."));
    CHECK(page.says("progress was last read whole"));
    CHECK(page.says("1,200 students"));
    CHECK(page.says("Sweep: page 1 of 1; a sweep at the service&apos;s own pace"));
    CHECK(page.says("5 calls a second to Boomstream at most"));
    CHECK(page.says("Waiting: 3 new, 40 older"));
    CHECK(page.says("Calls are held back after failures"));
    CHECK(page.says("Basics"));
    CHECK(page.says("with the lesson before it"));                         // Theory has no tasks
    CHECK_FALSE(page.says("method=\"post\" action=\"/admin/courses/5\"")); // support looks
    CHECK_FALSE(o.at.get("/admin/courses/5/media").says("<textarea"));
    CHECK_FALSE(o.at.get("/admin/courses/5/rules").says("<select"));
    CHECK(o.at.get("/admin/courses/connect?course=5").status == 403);

    o.as(R"({"role": "author", "course_id": 5})");
    const auto settings = [&](const std::string& seconds, const std::string& until) {
        return o.at.post(
            "/admin/courses/5", {{"csrf", o.csrf}, {"title", "New name"}, {"sweep_seconds", seconds},
                                    {"access_until", until}, {"paused", "on"}});
    };
    const auto before = o.g.everything();
    CHECK(settings("5", "").status == 400);
    CHECK(settings("", "2030-13-01").status == 400);
    CHECK(o.g.everything() == before);
    CHECK(settings("30", "2030-06-30").header("Location") == "/admin/courses/5?done=settings");
    const auto after = o.at.get("/admin/courses/5?done=settings");
    CHECK(after.says("New name"));
    CHECK(after.says("a sweep every 30 seconds"));
    CHECK(after.says("value=\"2030-06-30\""));
    CHECK(after.says("The course is paused"));
    CHECK(o.g.last_event("course_connected").at("/data/course_id") == "5");
}
