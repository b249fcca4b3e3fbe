#include "classroom.hpp"
#include "openapi.hpp"

#include "coursegate/metrics/metrics.hpp"

#include <regex>
#include <sstream>

using namespace coursegate;
using namespace coursegate::web_gateway;
using namespace coursegate::web_gateway::tests;

TEST_CASE("the dashboard says of every lesson where it stands, why, and what to do")
{
    classroom c;
    c.sign_in();
    const auto page = c.dashboard();
    CHECK(page.header("Cache-Control") == "no-store");
    CHECK(page.says("<html lang=\"en\">"));
    CHECK(page.says("<h2 id=\"course-5\">Course 5</h2>"));
    CHECK(page.says("Passed 2 of 3 lessons · 1 video open")); // of the course: "Theory" can't be passed
    CHECK(page.says("<progress max=\"3\" value=\"2\""));
    CHECK(page.says("Your results were read from Stepik 3 minutes ago."));
    CHECK(page.says("Passed 2 of 2 lessons · 1 video open")); // of module "Basics"
    CHECK(page.says("Passed 0 of 1 lesson · 0 videos open")); // of module "More"

    const auto hello = about(page, 501);
    CHECK(has(hello, "data-state=\"open\""));
    CHECK(has(hello, "The video of “Hello” is open."));
    CHECK(has(hello, "Opened within 40 seconds of your passing the lesson."));
    const auto loops = about(page, 502);
    CHECK(has(loops, "data-state=\"moving\""));
    CHECK(has(loops, "The video of “Loops” is being opened right now."));
    const auto theory = about(page, 503);
    CHECK(has(theory, "data-state=\"moving\""));
    CHECK(has(theory, "opens together with “Loops”"));
    CHECK_FALSE(has(theory, "Pass “Loops”")); // it is passed and on its way
    const auto tasks = about(page, 504);
    CHECK(has(tasks, "data-state=\"locked\""));
    CHECK(has(tasks, "The video opens when all tasks of “Tasks” are solved: 1 of 2 so far."));
    CHECK(has(tasks,
        "<a href=\"https://stepik.org/lesson/504/step/4\">Solve step 4 of this lesson on Stepik.</a>"));
    CHECK(page.says("data-moves=\"true\""));
}

TEST_CASE("modules with nothing for today are folded, and the next thing to do stands on top")
{
    classroom c;
    c.sign_in();
    const auto busy = c.dashboard();
    CHECK(busy.says("<details class=\"module\" id=\"module-5-50\" open>")); // "Loops" is on its way
    CHECK(busy.says("<details class=\"module\" id=\"module-5-51\" open>"));
    const auto to_do =
        "<p class=\"next\">Next: <a href=\"/lessons/504\">Tasks</a> – "
        "<a href=\"https://stepik.org/lesson/504/step/4\">Solve step 4 of this lesson on Stepik.</a></p>";
    CHECK(busy.says(to_do));
    CHECK(has(about(busy, 501), "href=\"/lessons/501\">Hello</a>"));

    c.grant(501, "confirmed", "now() - interval '2 days'");
    c.grant(502, "confirmed", "now() - interval '2 days'");
    const auto later = c.dashboard();
    CHECK(later.says("<details class=\"module\" id=\"module-5-50\">"));
    CHECK(later.says("<details class=\"module\" id=\"module-5-51\" open>")); // what to do next is in it
    c.grant(502, "confirmed", "now() - interval '1 hour'");
    CHECK(c.dashboard().says("<details class=\"module\" id=\"module-5-50\" open>")); // newly open

    c.grant(503, "confirmed", "now() - interval '2 days'");
    c.grant(504, "confirmed", "now() - interval '2 days'");
    const auto done = c.dashboard();
    CHECK(done.says("<details class=\"module\" id=\"module-5-51\">"));
    CHECK_FALSE(done.says("class=\"next\""));
}

TEST_CASE("the dashboard speaks the student's language, whatever the browser prefers")
{
    const auto language = GENERATE(std::string("ru"), std::string("uk"));
    classroom c(language);
    c.sign_in();
    const auto page = c.dashboard();
    if (language == "ru") {
        CHECK(page.says("<html lang=\"ru\">"));
        CHECK(page.says("<title>Мои курсы · Coursegate</title>"));
        CHECK(page.says("Пройдено 2 из 3 уроков · 1 видео открыто"));
        CHECK(page.says("Пройдено 0 из 1 урока · 0 видео открыто"));
        CHECK(page.says("Ваши результаты прочитаны со Stepik 3 минуты назад."));
        CHECK(
            has(about(page, 501), "Открылось не позже чем через 40 секунд после того, как вы прошли урок."));
        CHECK(has(about(page, 504), "пока 1 из 2"));
        CHECK(has(about(page, 504), "<span class=\"state\">закрыто</span>"));
    }
    else {
        CHECK(page.says("<html lang=\"uk\">"));
        CHECK(page.says("<title>Мої курси · Coursegate</title>"));
        CHECK(page.says("Пройдено 2 з 3 уроків · 1 відео відкрито"));
        CHECK(page.says("Ваші результати прочитано зі Stepik 3 хвилини тому."));
        CHECK(has(about(page, 502), "<span class=\"state\">відкривається</span>"));
    }
    // While "Loops" is not passed, that is what "Theory" waits for.
    c.g.sql("DELETE FROM fixture.v_grants WHERE lesson_id = 502; DELETE FROM fixture.v_lesson_state WHERE "
            "lesson_id = 502");
    const auto theory = about(c.dashboard(), 503);
    CHECK(has(theory, "data-state=\"locked\""));
    CHECK(has(
        theory, language == "ru" ? "Пройдите урок «Loops» на Stepik." : "Пройдіть урок «Loops» на Stepik."));
    // Nothing of it is in another language or left unfilled.
    CHECK_FALSE(page.says("lesson on Stepik"));
    CHECK_FALSE(page.says("{n}"));
    CHECK_FALSE(page.says("{{"));
}

TEST_CASE("a day is written as the reader writes it")
{
    classroom c("ru");
    REQUIRE(c.g.call("PUT", "/v1/courses/5/rules",
                   R"({"scope": "lesson", "scope_id": 504, "rule": "after_days", "days": 30})")
                .status == 200);
    c.g.sql("UPDATE fixture.v_enrolments SET date_joined = '2099-01-05 23:00+00'");
    c.sign_in();
    CHECK(has(about(c.dashboard(), 504), "откроется 4 февраля 2099 г."));
}

TEST_CASE("names of students, courses and lessons are text and not markup")
{
    classroom c;
    c.g.sql(
        "UPDATE accounts.users SET first_name = '<script>alert(1)</script>';"
        "UPDATE catalog.courses SET title = '<img src=x onerror=alert(2)>';"
        "UPDATE fixture.v_structure SET lesson_title = '</p><script>alert(3)</script>' WHERE lesson_id = 504;"
        "UPDATE fixture.v_structure SET module_title = '\"><b>' WHERE module_id = 51");
    c.sign_in();
    const auto page = c.dashboard();
    CHECK_FALSE(page.says("<script>alert"));
    CHECK_FALSE(page.says("<img"));
    CHECK_FALSE(page.says("<b>"));
    CHECK(page.says("&lt;script&gt;alert(1)&lt;/script&gt;"));
    CHECK(page.says("&lt;img src=x onerror=alert(2)&gt;"));
    CHECK(page.says("&lt;/p&gt;&lt;script&gt;alert(3)&lt;/script&gt;"));
}

TEST_CASE("the part that moves comes alone, and again only when it has changed")
{
    classroom c;
    c.g.sql("UPDATE fixture.v_enrolments SET last_read_at = '2026-01-06'");
    c.grant(501, "confirmed", "'2026-01-06'"); // too long ago for a word on how fast it was
    c.sign_in();
    const auto part = c.b.get("/dashboard/courses");
    CHECK(part.status == 200);
    CHECK_FALSE(part.says("<html"));
    CHECK(part.says("data-moves=\"true\""));
    REQUIRE(part.headers.has("ETag"));
    const header_list known{{"If-None-Match", part.header("ETag")}};
    CHECK(c.b.get("/dashboard/courses", known).status == 304);

    c.grant(502, "confirmed", "'2026-01-06'");
    c.g.sql("INSERT INTO fixture.v_lesson_decision VALUES ('" + c.anna + "', 5, 503, false, 'x', '', now())");
    c.g.call("PUT", "/v1/courses/5/rules", R"({"scope": "lesson", "scope_id": 503, "rule": "manual"})");
    const auto later = c.b.get("/dashboard/courses", known);
    CHECK(later.status == 200);
    CHECK(has(about(later, 502), "data-state=\"open\""));
    CHECK(later.says("data-moves=\"false\"")); // nothing is on its way any more
}

TEST_CASE("a student asks to be checked now, is told how long it takes, and how it went")
{
    classroom c;
    c.sign_in();
    const auto csrf = c.dashboard().hidden("csrf");
    const fields ask{{"csrf", csrf}, {"course", "5"}};
    const auto asked = c.b.post("/dashboard/check", ask);
    CHECK(asked.status == 303);
    CHECK(asked.header("Location") == "/dashboard#course-5");
    REQUIRE(c.g.events("sync_requested") == 1);
    const auto event = c.g.last_event("sync_requested");
    CHECK(event.at("/data/stepik_user_id") == "900");
    CHECK(event.at("/data/requested_by") == "user/" + c.anna);
    const auto row = c.g.last_audit();
    CHECK(row.at("/what") == "sync.request");
    CHECK(row.at("/who") == "user/" + c.anna);

    const auto waiting = c.dashboard();
    CHECK(waiting.says("Your results are being read. That takes about 2 seconds."));
    CHECK(waiting.says("data-moves=\"true\""));
    CHECK_FALSE(waiting.says("action=\"/dashboard/check\""));
    CHECK(c.b.post("/dashboard/check", ask).status == 303);
    CHECK(c.g.events("sync_requested") == 1); // asking twice is asking once

    const auto answered = [&](const std::string& outcome) {
        c.g.sql("DELETE FROM fixture.v_sync_requests; INSERT INTO fixture.v_sync_requests SELECT request_id, "
                "5, 900,"
                " requested_at, now(), '" +
                outcome + "', NULL FROM accounts.requests");
        return c.dashboard();
    };
    CHECK(answered("checked").says("Checked just now."));
    CHECK(answered("cooldown").says("You were checked only moments ago."));
    CHECK(answered("not_enrolled").says("Stepik does not list you"));
    const auto failed = answered("failed");
    CHECK(failed.says("Stepik could not be read"));
    CHECK(failed.says("action=\"/dashboard/check\""));
}

TEST_CASE("while Stepik can't be read nobody is promised a time")
{
    classroom c;
    c.g.sql("UPDATE fixture.v_course_health SET ok = false, problems = '{\"The Stepik secret is wrong.\"}'");
    c.sign_in();
    const auto page = c.dashboard();
    CHECK(page.says("Stepik can&apos;t be read at the moment; your results are those of 3 minutes ago."));
    CHECK_FALSE(page.says("secret is wrong")); // that is for the author
    c.b.post("/dashboard/check", {{"csrf", page.hidden("csrf")}, {"course", "5"}});
    CHECK(c.dashboard().says("nobody can say when that is"));
}

TEST_CASE("a check is asked for by the student's own form, in his own course")
{
    classroom c;
    c.g.add_course(6); // he is not in it
    c.sign_in();
    const auto csrf = c.dashboard().hidden("csrf");
    const auto before = c.g.everything();
    CHECK(c.b.post("/dashboard/check", {{"csrf", "guessed"}, {"course", "5"}}).status == 403);
    CHECK(c.b.post("/dashboard/check", {{"csrf", csrf}, {"course", "6"}}).status == 404);
    CHECK(c.b.post("/dashboard/check", {{"csrf", csrf}, {"course", "5x"}}).status == 400);
    CHECK(c.b.post("/dashboard/check", {{"csrf", csrf}, {"course", "5"}, {"user", "900"}}).status == 400);
    CHECK(c.g.everything() == before);
    browser stranger(c.g);
    CHECK(stranger.post("/dashboard/check", {{"csrf", csrf}, {"course", "5"}}).status == 303);
    CHECK(c.g.everything() == before);
}

TEST_CASE("a student sees his own courses and nobody else's")
{
    classroom c;
    const auto made = c.g.call("POST", "/v1/users",
        R"({"email": "boris@example.org", "boom_code": "223456789", "stepik_user_id": 901, "locale": "en"})");
    REQUIRE(made.status == 201);
    browser boris(c.g);
    REQUIRE(boris.sign_in("boris@example.org", "223456789").status == 303);
    const auto empty = boris.get("/dashboard");
    CHECK(empty.says("None of the courses here lists you among its students on Stepik."));
    CHECK_FALSE(empty.says("Course 5"));
    CHECK(empty.says("data-moves=\"false\""));

    REQUIRE(c.g.call("PATCH", "/v1/users/" + made.at("/id"), R"({"stepik_user_id": null})").status == 200);
    CHECK(boris.get("/dashboard").says("We do not know who you are on Stepik"));

    // What a person opened by hand shows a course, too.
    c.g.sql("UPDATE fixture.v_grants SET user_id = '" + made.at("/id") + "' WHERE lesson_id = 501");
    const auto given = boris.get("/dashboard");
    CHECK(given.says("Course 5"));
    CHECK(has(about(given, 501), "data-state=\"open\""));
    CHECK_FALSE(given.says("action=\"/dashboard/check\"")); // there is nobody on Stepik to be read
}

namespace {

// What the person's own program gets, held against the description.
nlohmann::json own_dashboard(browser& b)
{
    const auto got = b.get("/v1/me/dashboard");
    INFO(got.text);
    REQUIRE(got.status == 200);
    CHECK(got.header("Cache-Control") == "private, no-cache");
    const auto body = nlohmann::json::parse(got.text);
    CHECK(openapi::instance().fault_of("GET", "/v1/me/dashboard", got.status, body).empty());
    return body;
}

} // namespace

TEST_CASE("the dashboard in JSON says what the page says")
{
    const auto language = GENERATE(std::string("en"), std::string("uk"));
    classroom c(language);
    CHECK(c.b.get("/v1/me/dashboard").status == 401);
    c.sign_in();
    const auto got = own_dashboard(c.b);
    CHECK(got["language"] == language);
    CHECK(got["moves"] == true);
    REQUIRE(got["courses"].size() == 1);
    const auto& course = got["courses"][0];
    CHECK(course["passed"] == 2);
    CHECK(course["passable"] == 3); // "Theory" can't be passed
    CHECK(course["open"] == 1);
    CHECK(course["last_read_at"].is_string());
    REQUIRE(course["modules"].size() == 2);
    CHECK(course["modules"][0]["passed"] == 2);
    CHECK(course["modules"][1]["passable"] == 1);
    const auto& tasks = course["modules"][1]["lessons"].back();
    CHECK(tasks["lesson_id"] == 504);
    CHECK(tasks["state"] == "locked");
    CHECK(tasks["link"] == "https://stepik.org/lesson/504/step/4");
    CHECK(got["next"] == tasks);
    CHECK(course["modules"][0]["lessons"][0]["state"] == "open");
    CHECK(course["modules"][0]["lessons"][0]["link"].is_null());
    const auto page = c.dashboard();
    for (const auto& m : course["modules"]) {
        CHECK(page.says(m["progress"].get<std::string>()));
        for (const auto& l : m["lessons"])
            CHECK(page.says(l["sentence"].get<std::string>()));
    }
    if (language == "uk")
        CHECK(course["fresh"] == "Ваші результати прочитано зі Stepik 3 хвилини тому.");
    const auto wrong = c.b.get("/v1/me/dashboard?course=5");
    CHECK(wrong.status == 400);
    CHECK(wrong.says("\"field\":\"course\""));
}

TEST_CASE("the dashboard in JSON is of the person who asks, and of nobody else")
{
    classroom c;
    const auto made = c.g.call("POST", "/v1/users",
        R"({"email": "boris@example.org", "boom_code": "223456789", "stepik_user_id": 901, "locale": "en"})");
    REQUIRE(made.status == 201);
    browser boris(c.g);
    REQUIRE(boris.sign_in("boris@example.org", "223456789").status == 303);
    const auto empty = own_dashboard(boris);
    CHECK(empty["courses"].empty());
    CHECK(empty["next"].is_null());
    CHECK(empty["moves"] == false);
    CHECK(empty["sentence"] == "None of the courses here lists you among its students on Stepik.");
}

TEST_CASE("the dashboard in JSON comes again only when it has changed")
{
    classroom c;
    c.g.sql("UPDATE fixture.v_enrolments SET last_read_at = '2026-01-06'");
    c.grant(501, "confirmed", "'2026-01-06'"); // too long ago for a word on how fast it was
    c.sign_in();
    const auto tag = c.b.get("/v1/me/dashboard").header("ETag");
    REQUIRE(tag.size() == 34); // strong
    for (const auto& known : {tag, "\"other\", " + tag, "W/" + tag, std::string("*")}) {
        const header_list headers{{"If-None-Match", known}};
        const auto same = c.b.get("/v1/me/dashboard", headers);
        CHECK(same.status == 304);
        CHECK(same.text.empty());
        CHECK(same.header("ETag") == tag);
        CHECK(same.header("Cache-Control") == "private, no-cache");
    }
    c.grant(502, "confirmed", "'2026-01-06'");
    const header_list headers{{"If-None-Match", tag}};
    const auto later = c.b.get("/v1/me/dashboard", headers);
    CHECK(later.status == 200);
    CHECK(later.header("ETag") != tag);
}

TEST_CASE("a course that was never read, and a lesson that has left it")
{
    classroom c;
    c.g.sql("UPDATE fixture.v_structure SET vanished = true WHERE lesson_id IN (501, 504)");
    c.sign_in();
    const auto page = c.dashboard();
    CHECK(has(about(page, 501), "data-state=\"open\"")); // opened stays opened
    CHECK_FALSE(page.says("data-lesson=\"5-504\""));
    c.g.sql("DELETE FROM fixture.v_structure; UPDATE fixture.v_enrolments SET last_read_at = NULL");
    const auto unread = c.dashboard();
    CHECK(unread.says("The lessons of this course have not been read from Stepik yet."));
    CHECK(unread.says("Your results have not been read from Stepik yet."));
}

TEST_CASE("the start page, the assets and what is not there")
{
    classroom c;
    const auto home = c.b.get("/");
    CHECK(home.status == 200);
    CHECK(home.says("href=\"/login\""));
    CHECK(home.header("Content-Security-Policy").starts_with("default-src 'self'"));

    std::smatch found;
    REQUIRE(std::regex_search(home.text, found, std::regex("href=\"(/assets/[0-9a-f]{16}\\.site\\.css)\"")));
    const auto css = c.b.get(found[1]);
    CHECK(css.status == 200);
    CHECK(css.header("Content-Type") == "text/css; charset=utf-8");
    CHECK(css.header("Cache-Control") == "public, max-age=31536000, immutable");
    CHECK(c.b.get("/assets/0000000000000000.site.css").status == 404);

    const auto nowhere = c.b.get("/nowhere", {{"Accept-Language", "uk"}});
    CHECK(nowhere.status == 404);
    CHECK(nowhere.header("Content-Type") == "text/html; charset=utf-8");
    CHECK(nowhere.says("Тут нічого немає"));
    CHECK(c.b.post("/dashboard", {}).status == 405);
    CHECK(c.b.get("/v1/nowhere").header("Content-Type") == "application/json; charset=utf-8");

    CHECK(c.b.get("/me").header("Location") == "/login?next=%2Fme");
    c.sign_in();
    CHECK(c.b.get("/me").header("Location") == "/dashboard");
    CHECK(c.b.get("/").says("href=\"/dashboard\""));
}

TEST_CASE("a stranger chooses his language and stays on his page")
{
    classroom c;
    const auto done = c.b.post("/language", {{"lang", "uk"}, {"back", "/login"}});
    CHECK(done.status == 303);
    CHECK(done.header("Location") == "/login");
    CHECK(c.b.cookies["lang"] == "uk");
    CHECK(c.b.get("/login").says("<h1>Увійти</h1>")); // although the browser prefers English
    CHECK(c.b.post("/language", {{"lang", "en"}, {"back", "//evil.example"}}).header("Location") == "/");
    CHECK(c.b.post("/language", {{"lang", "xx"}, {"back", "/"}}).status == 404);
}

TEST_CASE("the dashboard takes the same number of statements for few lessons and for many")
{
    classroom c;
    c.sign_in();
    const auto statements = [&] {
        const auto count = [] {
            std::uint64_t out = 0;
            std::istringstream text(metrics::expose());
            for (std::string line; std::getline(text, line);)
                if (line.starts_with("coursegate_db_query_seconds_count"))
                    out += std::stoull(line.substr(line.rfind(' ') + 1));
            return out;
        };
        const auto before = count();
        c.dashboard();
        return count() - before;
    };
    const auto few = statements();
    REQUIRE(few > 0);
    c.g.sql("INSERT INTO fixture.v_structure (course_id, module_id, module_position, module_title, lesson_id,"
            " lesson_position, lesson_title, gradable_steps)"
            " SELECT 5, 60 + n / 10, 3 + n / 10, 'Module', 1000 + n, n, 'Lesson ' || n, 2 FROM "
            "generate_series(1, 200) n;"
            "INSERT INTO fixture.v_lesson_state SELECT 5, 900, 1000 + n, false, 1, 2, '{1}', NULL, NULL, "
            "NULL, false"
            " FROM generate_series(1, 200) n");
    CHECK(statements() == few);
}
