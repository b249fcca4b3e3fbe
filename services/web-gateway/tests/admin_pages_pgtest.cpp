// Grants live, numbers, the audit log: what they show, and to whom.
#include "classroom.hpp"
#include "sse_client.hpp"

#include "domain/csv_writer.hpp"
#include "handlers/on_event.hpp"
#include "pages/days.hpp"

#include "coursegate/events/grant_issued.hpp"
#include "coursegate/events/lesson_passed.hpp"

#include <set>

using namespace coursegate;
using namespace coursegate::web_gateway;
using namespace coursegate::web_gateway::tests;
using namespace std::chrono_literals;

namespace {

// Anna's course 5, and course 6 with Boris in it. Clara writes course 6, Dora is support.
struct admin_area : classroom
{
    std::string boris =
        member("boris@example.net", "222222222", R"(, "first_name": "Boris", "stepik_user_id": 901)");
    std::string clara = member("clara@example.net", "333333333");
    std::string dora = member("dora@example.net", "444444444");
    browser author{g};
    browser support{g};

    admin_area()
    {
        g.add_course(6);
        give(clara, R"({"role": "author", "course_id": 6})");
        give(dora, R"({"role": "support"})");
        g.sql("DELETE FROM fixture.v_grants");
        REQUIRE(author.sign_in("clara@example.net", "333333333").status == 303);
        REQUIRE(support.sign_in("dora@example.net", "444444444").status == 303);
    }

    std::string member(const std::string& email, const std::string& code, const std::string& more = "")
    {
        const auto made = g.call("POST", "/v1/users",
            R"({"email": ")" + email + R"(", "boom_code": ")" + code + R"(", "locale": "en")" + more + "}");
        REQUIRE(made.status == 201);
        return made.at("/id");
    }

    void give(const std::string& user, const std::string& role)
    {
        REQUIRE(g.call("PUT", "/v1/users/" + user + "/roles", role).status == 200);
    }

    // Passed at most 30 s before it was seen, asked for 8 ms later and confirmed after 1.2 s more; `ago`
    // before now. Returns its id.
    std::string grant_of(const std::string& user, int course, int lesson,
        const std::string& state = "confirmed", const std::string& ago = "2 seconds")
    {
        const auto id = base::to_string(base::new_uuid());
        g.sql("INSERT INTO fixture.v_grants (grant_id, user_id, course_id, lesson_id, subscription_code, "
              "state, cause,"
              " lane, attempts, passed_after, passed_before, seen_at, wanted_at, asked_at, confirmed_at, "
              "changed_at)"
              " SELECT '" +
              id + "', '" + user + "', " + std::to_string(course) + ", " + std::to_string(lesson) +
              ", coalesce((SELECT min(subscription_code) FROM catalog.lesson_media WHERE course_id = " +
              std::to_string(course) + " AND lesson_id = " + std::to_string(lesson) + "), 'S'), '" + state +
              "', 'on_pass', 'fresh', 1, t - interval '30 s', t, t, t, t + interval '8 ms',"
              " CASE WHEN '" +
              state +
              "' = 'confirmed' THEN t + interval '1.208 s' END, t + interval '1.208 s'"
              " FROM (SELECT now() - interval '" +
              ago + "' AS t) clock");
        return id;
    }

    async::task<void> append(events::envelope e)
    {
        std::vector<feed_record> records;
        records.push_back(record_of(e));
        auto body = [&](db::transaction& tx) { append_to_feed(tx, records); };
        co_await g.db().transact(body);
    }

    static events::envelope issued(
        const std::string& grant, const std::string& user, int course, base::duration took = 31s)
    {
        events::grant_issued e;
        e.grant_id = base::parse_uuid(grant).value();
        e.user_id = base::parse_uuid(user).value();
        e.course_id = course;
        e.lesson_id = 501;
        e.subscription_code = "S";
        e.cause = "on_pass";
        e.lane = "fresh";
        e.wanted_at = e.confirmed_at = base::now();
        e.passed_after = e.confirmed_at - took;
        return events::wrap("boomstream-grant", e);
    }
};

std::string row_of(const seen_page& page, const std::string& grant)
{
    const auto from = page.text.find("id=\"grant-" + grant + "\"");
    INFO(page.text);
    REQUIRE(from != std::string::npos);
    return page.text.substr(from, page.text.find("</tr>", from) - from);
}

std::string link_to(const seen_page& page, const std::string& words)
{
    const auto end = page.text.find("\">" + words + "</a>");
    if (end == std::string::npos)
        return {};
    const auto from = page.text.rfind("href=\"", end) + 6;
    auto out = page.text.substr(from, end - from);
    for (auto at = out.find("&amp;"); at != out.npos; at = out.find("&amp;"))
        out.erase(at + 1, 4);
    return out;
}

std::string stream_of(const seen_page& page)
{
    const auto from = page.text.find("data-stream=\"");
    REQUIRE(from != std::string::npos);
    auto out = page.text.substr(from + 13, page.text.find('"', from + 13) - from - 13);
    for (auto at = out.find("&amp;"); at != out.npos; at = out.find("&amp;"))
        out.erase(at + 1, 4);
    return out;
}

std::string cookie_of(const browser& b)
{
    return "Cookie: __Host-session=" + b.token() + "\r\n";
}

document data_of(const std::optional<http::sse_event>& e)
{
    document out;
    out.text = e ? e->data : "";
    return out;
}

} // namespace

TEST_CASE("the list of grants has every clock, filters, pages, and for an author only his courses")
{
    admin_area s;
    const auto annas = s.grant_of(s.anna, 5, 501);
    const auto failed = s.grant_of(s.anna, 5, 502, "failed");
    s.g.sql("UPDATE fixture.v_grants SET provider_reason = 'user <not> found', cause = 'manual' WHERE state "
            "= 'failed'");
    const auto boriss = s.grant_of(s.boris, 6, 501, "confirmed", "3 days");
    const auto all = s.support.get("/admin/grants");
    REQUIRE(all.status == 200);
    const auto row = row_of(all, annas);
    CHECK(has(row, "Anna"));
    CHECK(has(row, "anna@example.org"));
    CHECK(has(row, "Hello"));
    CHECK(has(row, "Course 5"));
    CHECK(has(row, "<span class=\"state\">open</span>"));
    CHECK(has(row, "lesson passed"));
    CHECK(has(row, "≤ 30 s<"));
    CHECK(has(row, ">8 ms<"));
    CHECK(has(row, ">1.2 s<"));
    CHECK(has(row, "≤ 31 s<"));
    CHECK(has(row_of(all, failed), "user &lt;not&gt; found"));
    const auto before = [&](const std::string& a, const std::string& b) {
        return all.text.find("grant-" + a) < all.text.find("grant-" + b);
    };
    CHECK(before(boriss, failed) == (boriss > failed)); // the newest first: ids are ordered by time
    CHECK(before(failed, annas) == (failed > annas));
    CHECK(all.says("data-new=\"Show what is new: {n}\""));
    CHECK(all.says("aria-current=\"page\">Grants live</a>"));

    const auto shows = [&](browser& b, const std::string& query) {
        const auto page = b.get("/admin/grants?" + query);
        INFO(query << "\n" << page.text);
        REQUIRE(page.status == 200);
        std::string out;
        for (const auto& [id, letter] : {std::pair(annas, "a"), {failed, "f"}, {boriss, "b"}})
            if (page.says(id))
                out += letter;
        return out;
    };
    CHECK(shows(s.support, "course=6") == "b");
    CHECK(shows(s.support, "student=ANNA%40") == "af");
    CHECK(shows(s.support, "student=boris") == "b");
    CHECK(shows(s.support, "student=901") == "b");
    CHECK(shows(s.support, "student=90") == ""); // an id is meant whole
    CHECK(shows(s.support, "state=failed") == "f");
    CHECK(shows(s.support, "cause=on_pass") == "ab");
    CHECK(shows(s.support, "lesson=502") == "f");
    const auto then = s.g.one("SELECT to_char((now() - interval '3 days') AT TIME ZONE 'UTC', 'YYYY-MM-DD')");
    CHECK(shows(s.support, "day=" + then) == "b");
    CHECK(shows(s.support, "course=5&state=confirmed&student=") == "a");
    for (const auto* bad :
        {"state=x", "cause=x", "day=26.11.2026", "day=2026-13-01", "course=x", "else=1", "cursor=x"})
        CHECK(s.support.get(std::string("/admin/grants?") + bad).status == 400);

    CHECK(shows(s.author, "") == "b");
    CHECK(shows(s.author, "student=anna") == "");
    CHECK(s.author.get("/admin/grants?course=5").status == 404);
    CHECK_FALSE(s.author.get("/admin/grants").says("Course 5")); // nor among the choices
    s.sign_in();
    CHECK(s.b.get("/admin/grants").status == 403);

    s.g.sql("INSERT INTO fixture.v_grants (grant_id, user_id, course_id, lesson_id, subscription_code, "
            "state, cause,"
            " lane) SELECT ('ffffffff-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid, user_id, 6, 504, "
            "'S', 'wanted', 'on_pass',"
            " 'fresh' FROM fixture.v_grants, generate_series(1, 58) n WHERE grant_id = '" +
            boriss + "'");
    const auto first = s.support.get("/admin/grants?student=boris");
    const auto second = s.support.get(link_to(first, "Older"));
    REQUIRE(second.status == 200);
    CHECK(second.says(boriss));
    CHECK_FALSE(second.says(annas));         // the filter goes along
    CHECK_FALSE(second.says("data-stream")); // what is older does not move
    std::set<std::string> seen;
    for (const auto* page : {&first, &second})
        for (auto at = page->text.find("id=\"grant-"); at != std::string::npos;
             at = page->text.find("id=\"grant-", at + 1))
            seen.insert(page->text.substr(at, 46));
    CHECK(seen.size() == 59);
    CHECK(link_to(second, "Older").empty());
}

TEST_CASE("how long it took today is told in percentiles and by hour, to an author of his courses")
{
    admin_area s;
    CHECK(s.support.get("/admin/grants").says("No video of a lesson that was passed today has opened yet."));
    auto fill = [&]() -> async::task<void> {
        for (int i = 1; i <= 100; ++i) {
            const auto e = s.issued(base::to_string(base::new_uuid()), s.anna, 5, i * 1s);
            co_await s.append(e);
        }
        const auto hers = s.issued(base::to_string(base::new_uuid()), s.boris, 6, 500s);
        co_await s.append(hers);
    };
    s.g.run(fill);
    const auto page = s.support.get("/admin/grants?course=5");
    CHECK(page.says("<strong>50 s</strong>"));
    CHECK(page.says("<strong>95 s</strong>"));
    CHECK(page.says("<strong>99 s</strong>"));
    CHECK(page.says("<strong>100 videos</strong>"));
    CHECK(page.says("<svg class=\"chart\" viewBox=\"0 0 240 60\""));
    CHECK(page.says("<td class=\"number\">100</td><td class=\"number\">50 s</td>"));
    const auto hers = s.author.get("/admin/grants");
    CHECK(hers.says("<strong>8 min</strong>"));
    CHECK(hers.says("<strong>1 video</strong>"));
    s.g.sql("UPDATE accounts.feed SET event = jsonb_set(event, '{data,lane}', '\"backfill\"') WHERE "
            "course_id = 6");
    CHECK(s.author.get("/admin/grants").says("No video of a lesson that was passed today has opened yet."));
}

TEST_CASE("a stream goes on where its page was read, shows what its reader may see, and resumes")
{
    admin_area s;
    const auto page = s.author.get("/admin/grants");
    auto watch = [&]() -> async::task<void> {
        // Between the page and its stream.
        const auto first = s.grant_of(s.boris, 6, 501);
        const auto first_event = s.issued(first, s.boris, 6);
        co_await s.append(first_event);
        sse_client stream(s.g.executor(), s.g.port());
        const auto target = stream_of(page);
        const auto status = co_await stream.open(target, cookie_of(s.author));
        CHECK(status == "HTTP/1.1 200 OK");
        auto seen = co_await stream.next(20s);
        REQUIRE(seen);
        CHECK(seen->event == "grants");
        CHECK(has(data_of(seen).at("/html"), "id=\"grant-" + first + "\""));
        CHECK(has(data_of(seen).at("/html"), "boris@example.net"));

        // Anna's is another author's course; a pass leads to the grant that waits for it.
        const auto annas = s.grant_of(s.anna, 5, 501);
        const auto annas_event = s.issued(annas, s.anna, 5);
        co_await s.append(annas_event);
        const auto waiting = s.grant_of(s.boris, 6, 504, "wanted");
        events::lesson_passed pass;
        pass.course_id = 6;
        pass.stepik_user_id = 901;
        pass.lesson_id = 504;
        pass.passed_before = pass.seen_at = base::now();
        const auto pass_event = events::wrap("stepik-sync", pass);
        co_await s.append(pass_event);
        seen = co_await stream.next(20s);
        REQUIRE(seen);
        CHECK(has(data_of(seen).at("/html"), waiting));
        CHECK_FALSE(has(seen->data, annas));
        CHECK_FALSE(has(seen->data, "anna@"));
        const auto place = seen->id;
        stream.close();

        // What came while nobody listened, in one piece.
        std::vector<std::string> missed;
        for (int i = 0; i < 3; ++i) {
            missed.push_back(s.grant_of(s.boris, 6, 502));
            const auto e = s.issued(missed.back(), s.boris, 6);
            co_await s.append(e);
        }
        sse_client again(s.g.executor(), s.g.port());
        co_await again.open(target, cookie_of(s.author) + "Last-Event-ID: " + place + "\r\n");
        seen = co_await again.next(20s);
        REQUIRE(seen);
        for (const auto& id : missed)
            CHECK(has(seen->data, id));
        CHECK_FALSE(has(seen->data, first)); // told before

        // Who has signed out meanwhile is told no more.
        s.author.post("/logout", {{"csrf", s.author.csrf()}});
        const auto late_event = s.issued(missed.back(), s.boris, 6);
        co_await s.append(late_event);
        const auto nothing = co_await again.next(20s);
        CHECK_FALSE(nothing);
        CHECK(again.ended());
    };
    s.g.run(watch);
}

TEST_CASE("a stream keeps to its filter, tells what left it, and puts together what comes at once")
{
    admin_area s;
    const auto page = s.support.get("/admin/grants?state=wanted&course=6");
    auto watch = [&]() -> async::task<void> {
        sse_client stream(s.g.executor(), s.g.port());
        const auto target = stream_of(page);
        co_await stream.open(target, cookie_of(s.support));
        const bool follows =
            co_await testkit::eventually_async(20s, [&] { return s.g.feed().followers() == 1; });
        CHECK(follows);
        const auto open = s.grant_of(s.boris, 6, 501);
        const auto first = s.issued(open, s.boris, 6);
        co_await s.append(first);
        auto seen = co_await stream.next(20s);
        REQUIRE(seen);
        CHECK(data_of(seen).at("/gone/0") == open); // it may stand on the page as waiting
        CHECK_FALSE(has(data_of(seen).at("/html"), "<tr"));

        std::vector<feed_record> records;
        for (int i = 0; i < 200; ++i)
            records.push_back(record_of(s.issued(base::to_string(base::new_uuid()), s.boris, 6)));
        for (auto at = records.begin(); at != records.end(); at += 20) {
            const std::vector<feed_record> some(at, at + 20);
            auto body = [&](db::transaction& tx) { append_to_feed(tx, some); };
            co_await s.g.db().transact(body);
        }
        std::size_t gone = 0;
        int pieces = 0;
        while (gone < 200) {
            seen = co_await stream.next(20s);
            REQUIRE(seen);
            gone += data_of(seen).size("/gone");
            ++pieces;
        }
        CHECK(gone == 200);
        CHECK(pieces < 20);
        stream.close();
        sse_client stranger(s.g.executor(), s.g.port());
        const std::string nothing;
        const auto refused = co_await stranger.open("/admin/grants/stream", nothing);
        CHECK(refused == "HTTP/1.1 302 Found");
        sse_client other(s.g.executor(), s.g.port());
        const auto not_hers = co_await other.open("/admin/grants/stream?course=5", cookie_of(s.author));
        CHECK(not_hers == "HTTP/1.1 404 Not Found");
        sse_client bad(s.g.executor(), s.g.port());
        const auto no_place = co_await bad.open("/admin/grants/stream?from=7", cookie_of(s.author));
        CHECK(no_place == "HTTP/1.1 400 Bad Request");
    };
    s.g.run(watch);
}

TEST_CASE("numbers: who takes a course, how far people come, and what nobody watched")
{
    admin_area s;
    s.grant_of(s.anna, 5, 501);
    s.grant_of(s.boris, 5, 501);
    s.grant_of(s.boris, 5, 502, "confirmed", "2 days");
    s.grant_of(s.boris, 5, 504, "failed");
    s.g.sql("INSERT INTO fixture.v_enrolments VALUES (5, 901, now() - interval '9 days', now() - interval '1 "
            "day', now(),"
            " now(), false), (6, 901, now(), now() - interval '8 days', now(), now(), false);"
            "INSERT INTO fixture.v_lesson_state VALUES (5, 901, 501, true, 3, 3, '{}', now(), now(), now(), "
            "false)");
    s.sign_in();
    const auto page = s.support.get("/admin/numbers?course=5");
    REQUIRE(page.status == 200);
    CHECK(page.says("show=enrolled\">2</a>"));
    CHECK(page.says("show=active\">1</a>"));
    CHECK(page.says("state=confirmed\">3</a>"));
    CHECK(page.says("<a href=\"#lessons\">2</a>")); // 501 and 502
    CHECK(page.says("show=passed&amp;lesson=501\">2</a><progress max=\"2\" value=\"2\""));
    CHECK(page.says("open for 2 people, nobody watched"));
    CHECK(page.says("no tasks to pass"));
    const auto today = s.g.one("SELECT to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD')");
    CHECK(page.says("/admin/grants?course=5&amp;day=" + today + "\">2</a>"));

    // Anna watches it, twice; asking alone is not watching.
    for (int i = 0; i < 2; ++i) {
        const auto lesson = s.b.get("/lessons/501?course=5");
        REQUIRE(
            s.b.post("/lessons/501/watch", {{"csrf", s.b.csrf()}, {"course", "5"}, {"part", "1"}}).status ==
            303);
        const auto asked = s.b.get("/lessons/501?course=5");
        CHECK(s.g.count("accounts.watched") == (i == 0 ? 0 : 1));
        const auto from = asked.text.find("/play/");
        REQUIRE(from != std::string::npos);
        CHECK(s.b.get(asked.text.substr(from, 70), {{"Sec-Fetch-Dest", "iframe"}}).status == 302);
    }
    CHECK(s.g.one("SELECT plays FROM accounts.watched WHERE user_id = '" + s.anna + "'") == "2");
    CHECK(s.b.get("/profile/data").says("\"plays\": 2"));
    const auto after = s.support.get("/admin/numbers?course=5");
    CHECK_FALSE(after.says("open for 2 people, nobody watched"));
    CHECK(after.says("open for 1 person, nobody watched")); // 502

    const auto numbers = s.g.call("GET", "/v1/courses/5/numbers");
    REQUIRE(numbers.status == 200);
    CHECK(numbers.at("/enrolled") == "2");
    CHECK(numbers.at("/active") == "1");
    CHECK(numbers.all("/lessons", "lesson_id") == std::vector<std::string>{"501", "502", "503", "504"});
    CHECK(numbers.all("/lessons", "passed") == std::vector<std::string>{"2", "1", "0", "0"});
    CHECK(numbers.all("/lessons", "opened") == std::vector<std::string>{"2", "1", "0", "0"});
    CHECK(numbers.all("/lessons", "watched") == std::vector<std::string>{"1", "0", "0", "0"});
    CHECK(numbers.size("/days") == 30);
    CHECK(numbers.at("/days/29/day") == today);
    CHECK(numbers.at("/days/29/grants") == "2");
    CHECK(numbers.at("/days/27/grants") == "1");
    CHECK(s.g.call("GET", "/v1/courses/7/numbers").refusal() == "404 course_not_found course_id");

    // Who leaves takes along what he watched.
    REQUIRE(s.b.post("/profile/delete", {{"csrf", s.b.csrf()}, {"email", "anna@example.org"}}).status == 200);
    CHECK(s.g.count("accounts.watched") == 0);
}

TEST_CASE("the people behind a number, and everything as a file that no spreadsheet takes for a formula")
{
    admin_area s;
    s.g.sql("DELETE FROM fixture.v_enrolments; INSERT INTO fixture.v_enrolments SELECT 5, 900 + n, now() - "
            "interval"
            " '9 days', now() - (n || ' days')::interval, now(), now(), false FROM generate_series(0, 119) n;"
            "UPDATE accounts.users SET first_name = '=HYPERLINK(\"x\")' WHERE stepik_user_id = 901;"
            "UPDATE fixture.v_structure SET lesson_title = '@Hello, world' WHERE lesson_id = 501");
    const auto first = s.support.get("/admin/numbers/students?course=5&show=enrolled");
    CHECK(first.says("<td>900</td>"));
    CHECK(first.says("anna@example.org"));
    CHECK(first.says("no account here"));
    CHECK_FALSE(first.says("<td>1000</td>"));
    const auto second = s.support.get(link_to(first, "Further"));
    CHECK(second.says("<td>1000</td>"));
    CHECK(second.says("<td>1019</td>"));
    CHECK(link_to(second, "Further").empty());
    const auto active = s.support.get("/admin/numbers/students?course=5&show=active");
    CHECK(active.says("<td>906</td>"));
    CHECK_FALSE(active.says("<td>907</td>"));
    const auto passed = s.support.get("/admin/numbers/students?course=5&show=passed&lesson=501");
    CHECK(passed.says("Passed “@Hello, world”"));
    CHECK(passed.says("<td>900</td>"));
    CHECK_FALSE(passed.says("<td>901</td>"));
    for (const auto* bad : {"?course=5", "?course=5&show=all", "?course=5&show=passed", "?show=enrolled"})
        CHECK(s.support.get(std::string("/admin/numbers/students") + bad).status == 400);

    const auto csv = s.support.get("/admin/numbers/students/csv?course=5&show=enrolled");
    CHECK(csv.header("Content-Type") == "text/csv; charset=utf-8");
    CHECK(csv.header("Content-Disposition") == "attachment; filename=\"course-5-enrolled.csv\"");
    CHECK(csv.text.starts_with(
        "\xef\xbb\xbfStepik id,E-mail,Name,Joined,Last seen on Stepik\r\n900,anna@example.org,Anna,"));
    CHECK(csv.says("\r\n901,boris@example.net,\"'=HYPERLINK(\"\"x\"\")\","));
    CHECK(std::count(csv.text.begin(), csv.text.end(), '\n') == 121);
    const auto lessons = s.support.get("/admin/numbers/csv?course=5&table=lessons");
    CHECK(lessons.says("\r\nBasics,\"'@Hello, world\",1,0,0,\r\n"));
    const auto days = s.support.get("/admin/numbers/csv?course=5&table=days");
    CHECK(std::count(days.text.begin(), days.text.end(), '\n') == 31);
    CHECK(s.support.get("/admin/numbers/csv?course=5&table=all").status == 400);

    // Clara's is course 6.
    CHECK(s.author.get("/admin/numbers").says("Course 6"));
    CHECK_FALSE(s.author.get("/admin/numbers").says("Course 5"));
    for (const auto* page : {"/admin/numbers?course=5", "/admin/numbers/csv?course=5&table=days",
             "/admin/numbers/students?course=5&show=active",
             "/admin/numbers/students/csv?course=5&show=enrolled"})
        CHECK(s.author.get(page).status == 404);
}

TEST_CASE("the audit log tells who, what, when, why and from where; an author of what is his")
{
    admin_area s;
    const auto order = [&](const std::string& user, int course, const std::string& reason) {
        REQUIRE(s.g.call("POST", "/v1/grants",
                       R"({"user": ")" + user + R"(", "course": )" + std::to_string(course) +
                           R"(, "lesson": 501, "reason": ")" + reason + "\"}",
                       {{"X-Actor", "olga@example.org"}})
                    .status == 202);
    };
    order("anna@example.org", 5, "solved it <on> paper");
    order("boris@example.net", 6, "he asked");
    const auto shows = [&](browser& b, const std::string& query) {
        const auto page = b.get("/admin/audit-log?" + query);
        INFO(query << "\n" << page.text);
        REQUIRE(page.status == 200);
        return page;
    };
    const auto all = shows(s.support, "what=grant");
    CHECK(all.says("admin-token (olga@example.org)"));
    CHECK(all.says("grant.grant"));
    CHECK(all.says("anna@example.org/course/5/lesson/501"));
    CHECK(all.says("solved it &lt;on&gt; paper"));
    CHECK(all.says("127.0.0.1"));
    CHECK(all.says("&quot;request_id&quot;"));
    CHECK(all.text.find("he asked") < all.text.find("solved it")); // the newest first
    CHECK_FALSE(all.says("<td>course.connect</td>"));
    CHECK(shows(s.support, "person=OLGA").says("he asked"));
    CHECK(shows(s.support, "person=clara").says("session.start"));
    CHECK_FALSE(shows(s.support, "person=clara").says("he asked"));
    CHECK(shows(s.support, "target=boris%40example.net").says("he asked"));
    CHECK_FALSE(shows(s.support, "target=boris%40example.net").says("solved it"));
    CHECK(shows(s.support, "target=course/6").says("course.connect"));
    CHECK_FALSE(shows(s.support, "target=course/6").says("he asked")); // that was about Boris
    CHECK(shows(s.support, "course=6").says("he asked"));
    CHECK_FALSE(shows(s.support, "course=6").says("solved it"));
    s.g.sql("UPDATE accounts.audit_log SET at = '2026-01-02 12:00+00' WHERE why = 'he asked'");
    CHECK(shows(s.support, "from=2026-01-02&to=2026-01-02").says("he asked"));
    CHECK_FALSE(shows(s.support, "from=2026-01-02&to=2026-01-02").says("solved it"));
    CHECK(shows(s.support, "to=2026-01-01").says("Nothing of the kind was done."));
    for (const auto* bad : {"from=x", "before=x", "course=x", "else=1"})
        CHECK(s.support.get(std::string("/admin/audit-log?") + bad).status == 400);

    const auto hers = shows(s.author, "");
    CHECK(hers.says("he asked"));
    CHECK(hers.says("session.start")); // her own
    CHECK_FALSE(hers.says("solved it"));
    CHECK_FALSE(hers.says("anna@"));
    CHECK_FALSE(hers.says("dora@"));
    CHECK_FALSE(hers.says("user.create"));
    const auto ordered = shows(s.author, "what=grant");
    CHECK_FALSE(ordered.says("127.0.0.1")); // from where others acted is not hers to know
    CHECK(shows(s.author, "what=session").says("127.0.0.1"));
    CHECK_FALSE(shows(s.author, "person=dora").says("session.start"));
    CHECK(s.author.get("/admin/audit-log?course=5").status == 404);
    const auto csv = s.author.get("/admin/audit-log/csv");
    CHECK(csv.text.starts_with("\xef\xbb\xbfWhen,Who,What,About,Why,From where,Before,After,Request\r\n"));
    CHECK(csv.says(",grant.grant,boris@example.net/course/6/lesson/501,he asked,,"));
    CHECK_FALSE(csv.says("anna@"));
    CHECK(s.support.get("/admin/audit-log/csv?what=grant").says("127.0.0.1"));

    s.g.sql("INSERT INTO accounts.audit_log (who, what, target, request_id) SELECT 'environment', 'many.' || "
            "n, 'course/6',"
            " 'r' FROM generate_series(1, 1100) n");
    const auto first = shows(s.author, "what=many");
    CHECK(first.says(">many.1100<"));
    CHECK(first.says(">many.1051<"));
    CHECK_FALSE(first.says(">many.1050<"));
    const auto second = s.author.get(link_to(first, "Older"));
    CHECK(second.says(">many.1050<"));
    CHECK_FALSE(second.says("he asked"));
    const auto file = s.author.get("/admin/audit-log/csv?what=many"); // in several pieces
    CHECK(std::count(file.text.begin(), file.text.end(), '\n') == 1101);

    auto reply = s.g.call("GET", "/v1/audit-log?what=many&limit=2");
    CHECK(reply.all("/rows", "what") == std::vector<std::string>{"many.1100", "many.1099"});
    reply = s.g.call("GET", "/v1/audit-log?what=many&limit=2&cursor=" + reply.at("/next_cursor"));
    CHECK(reply.all("/rows", "what") == std::vector<std::string>{"many.1098", "many.1097"});
    reply = s.g.call("GET", "/v1/audit-log?course=5&what=grant");
    CHECK(reply.size("/rows") == 1);
    CHECK(reply.at("/rows/0/why") == "solved it <on> paper");
    CHECK(reply.at("/rows/0/on_behalf_of") == "olga@example.org");
    CHECK(reply.at("/rows/0/address") == "127.0.0.1");
    CHECK(reply.at("/next_cursor") == "null");
    CHECK(s.g.call("GET", "/v1/audit-log?from=yesterday").refusal() == "400 invalid_value from");
    CHECK(s.g.call("GET", "/v1/audit-log?cursor=x").refusal() == "400 invalid_value cursor");
    CHECK(s.g.call("GET", "/v1/audit-log?course=7").refusal() == "404 course_not_found course");
}

TEST_CASE("days are those of the reader, and cells are only ever text")
{
    reader kyiv;
    kyiv.language = "en";
    kyiv.time_zone = "Europe/Kyiv";
    const auto noon = base::parse_iso8601("2026-03-29T12:00:00Z").value(); // clocks go forward
    CHECK(hours_of_today(noon, kyiv).size() == 24);
    const auto days = last_days(noon, 2, kyiv);
    REQUIRE(days.size() == 3);
    CHECK(base::to_iso8601(days[0]) == "2026-03-27T22:00:00.000000Z");
    CHECK(base::to_iso8601(days[1]) == "2026-03-28T22:00:00.000000Z");
    CHECK(base::to_iso8601(days[2]) == "2026-03-29T21:00:00.000000Z");
    CHECK(date_of(days[1], kyiv) == "2026-03-29");
    const auto day = day_named("2026-03-29", kyiv);
    REQUIRE(day);
    CHECK(day->from == days[1]);
    CHECK(day->to == days[2]);
    for (const auto* bad : {"", "2026-3-29", "2026-02-30", "29.03.2026", "2026-03-29T", "--------01"})
        CHECK_FALSE(day_named(bad, kyiv));

    const pages words;
    const auto told = [&](base::duration d) { return how_long(d, words, kyiv); };
    CHECK(told(-5ms) == "0 ms");
    CHECK(told(999ms) == "999 ms");
    CHECK(told(1s) == "1.0 s");
    CHECK(told(12'400ms) == "12 s");
    CHECK(told(5min) == "5 min");
    CHECK(told(3h) == "3 h");

    const csv_writer csv("en");
    for (const auto* formula : {"=1", "+1", "-1", "@x"})
        CHECK(csv.row({formula}) == "'" + std::string(formula) + "\r\n");
    CHECK(csv.row({"\t=1", "a,b", "a;b", "say \"x\"", "", "1-1"}) ==
          "\"'\t=1\",\"a,b\",\"a;b\",\"say \"\"x\"\"\",,1-1\r\n");
    CHECK(csv_writer("ru").row({"a", "b"}) == "a;b\r\n"); // as Excel expects it there
}
