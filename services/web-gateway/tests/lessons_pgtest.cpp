#include "classroom.hpp"

#include "handlers/purge.hpp"

#include "coursegate/log/log.hpp"

#include <regex>

using namespace coursegate;
using namespace coursegate::web_gateway;
using namespace coursegate::web_gateway::tests;

namespace {

const header_list in_a_frame{{"Sec-Fetch-Dest", "iframe"}};

// "/play/<id>" of the frame on a page; empty where it shows none.
std::string frame_of(const seen_page& page)
{
    std::smatch found;
    return std::regex_search(page.text, found, std::regex("<iframe[^>]* src=\"(/play/[0-9a-f]{64})\""))
               ? found[1].str()
               : std::string();
}

fields watching(browser& b, int part = 1, int course = 5)
{
    return {{"csrf", b.csrf()}, {"course", std::to_string(course)}, {"part", std::to_string(part)}};
}

// Presses "Watch" and looks at the page that follows; the frame's address.
std::string ask(browser& b, int lesson = 501)
{
    const auto path = "/lessons/" + std::to_string(lesson);
    const auto asked = b.post(path + "/watch", watching(b));
    CHECK(asked.status == 303);
    REQUIRE(asked.header("Location") == path + "?course=5#part-1");
    const auto frame = frame_of(b.get(path + "?course=5"));
    REQUIRE_FALSE(frame.empty());
    return frame;
}

} // namespace

TEST_CASE("an open lesson offers its parts in order, the lesson on Stepik and its neighbours")
{
    classroom c;
    REQUIRE(c.g.call("PUT", "/v1/courses/5/lessons/502/media",
                   R"({"parts": [{"part": 2, "boom_media": "BBBBBBB2", "subscription_code": "SBBBBBBBB"},
                        {"part": 1, "boom_media": "BBBBBBBB", "title": "Begin", "subscription_code": "SBBBBBBBB"}]})")
                .status == 200);
    c.g.sql("UPDATE fixture.v_grants SET state = 'confirmed', confirmed_at = now() WHERE lesson_id = 502");
    c.sign_in();
    const auto page = c.b.get("/lessons/502");
    CHECK(page.status == 200);
    CHECK(page.header("Cache-Control") == "no-store");
    CHECK(page.says("<title>Loops · Coursegate</title>"));
    CHECK(page.says("<span class=\"state\">open</span>"));
    CHECK(page.says("href=\"https://stepik.org/lesson/502\">The lesson on Stepik</a>"));
    CHECK(page.says("<a rel=\"prev\" href=\"/lessons/501?course=5\">"));
    CHECK(page.says("<a rel=\"next\" href=\"/lessons/503?course=5\">"));
    const auto first = page.text.find("<h2>Begin</h2>");
    const auto second = page.text.find("<h2>Part 2</h2>");
    CHECK(first < second);
    CHECK(second != std::string::npos);
    CHECK(frame_of(page).empty()); // no link before somebody asks for it
    CHECK_FALSE(c.b.get("/lessons/501").says("rel=\"prev\""));

    // Boomstream may be framed here, and on no other page.
    CHECK(page.header("Content-Security-Policy") ==
          "default-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'; "
          "frame-src 'self' https://play.boomstream.com");
    CHECK(page.header("Referrer-Policy") == "strict-origin");
    CHECK(c.dashboard().header("Content-Security-Policy").find("boomstream") == std::string::npos);

    CHECK(c.b.post("/lessons/502/watch", watching(c.b, 2)).header("Location") ==
          "/lessons/502?course=5#part-2");
    CHECK(c.b.get(frame_of(c.b.get("/lessons/502")), in_a_frame).header("Location") ==
          "https://play.boomstream.com/BBBBBBB2?id_recovery=123456789");
}

TEST_CASE("a video is played through a link that works once and is kept nowhere")
{
    classroom c;
    c.sign_in();
    const auto link = ask(c.b);
    CHECK(c.g.last_audit().at("/what") == "video.watch");
    CHECK(c.g.last_audit().at("/who") == "user/" + c.anna);
    CHECK(c.g.everything().find(link.substr(6)) == std::string::npos);
    CHECK_FALSE(c.b.get("/lessons/501").says("123456789"));

    const auto played = c.b.get(link, in_a_frame);
    CHECK(played.status == 302);
    CHECK(played.header("Location") == "https://play.boomstream.com/AAAAAAAA?id_recovery=123456789");
    CHECK(played.header("Cache-Control") == "no-store");
    CHECK(played.header("Referrer-Policy") == "strict-origin");
    CHECK(has(played.header("Content-Security-Policy"), "frame-ancestors 'self'"));
    CHECK(played.text.empty());

    const auto again = c.b.get(link, in_a_frame);
    CHECK(again.status == 410);
    CHECK(again.header("Cache-Control") == "no-store");
    CHECK(again.says("has been used, or is too old"));
    CHECK(again.says("action=\"/lessons/501/watch\" target=\"_top\""));
    CHECK(has(again.header("Content-Security-Policy"), "frame-ancestors 'self'"));
    CHECK(frame_of(c.b.get("/lessons/501")).empty()); // a reload offers the button again
    CHECK(c.b.post("/lessons/501/watch", {{"csrf", again.hidden("csrf")}, {"course", again.hidden("course")},
                                             {"part", again.hidden("part")}})
              .status == 303);
    CHECK(frame_of(c.b.get("/lessons/501")) != link);
}

TEST_CASE("a link is for a frame, for a minute, and for the session that asked")
{
    classroom c;
    c.sign_in();
    const auto link = ask(c.b);
    CHECK(c.b.get(link, {{"Sec-Fetch-Dest", "document"}}).status == 403);
    CHECK(c.b.send("HEAD", link, "", in_a_frame).status == 403);

    browser other(c.g); // her phone
    REQUIRE(other.sign_in("anna@example.org", "123456789").status == 303);
    const auto elsewhere = other.get(link, in_a_frame);
    CHECK(elsewhere.status == 410);
    CHECK_FALSE(elsewhere.says("/watch\"")); // it is not told which lesson that was
    browser stranger(c.g);
    CHECK(stranger.get(link, in_a_frame).status == 410);
    CHECK(stranger.get("/play/short").status == 410);
    CHECK(c.g.count("accounts.play_links WHERE used_at IS NULL") == 1);

    SECTION("an older browser does not say where it shows a page")
    {
        CHECK(c.b.get(link).status == 302);
    }
    SECTION("after its minute")
    {
        CHECK(c.g.one("SELECT round(extract(epoch FROM expires_at - created_at)) FROM accounts.play_links") ==
              "60");
        c.g.sql("UPDATE accounts.play_links SET expires_at = now()");
        CHECK(frame_of(c.b.get("/lessons/501")).empty());
        const auto old = c.b.get(link, in_a_frame);
        CHECK(old.status == 410);
        CHECK(old.says("action=\"/lessons/501/watch\""));
    }
    SECTION("after signing out")
    {
        c.b.post("/logout", {{"csrf", c.b.csrf()}});
        CHECK(c.g.count("accounts.play_links") == 0);
    }
    SECTION("pressed twice, the second link counts")
    {
        const auto second = ask(c.b);
        CHECK(second != link);
        CHECK(c.b.get(link, in_a_frame).status == 410);
        CHECK(c.b.get(second, in_a_frame).status == 302);
    }
}

TEST_CASE("nothing is played that is not open")
{
    classroom c;
    c.sign_in();
    const auto csrf = c.b.csrf();
    const auto before = c.g.everything();
    const auto refused = c.b.post("/lessons/504/watch", {{"csrf", csrf}, {"course", "5"}, {"part", "1"}});
    CHECK(refused.status == 303);
    CHECK(refused.header("Location") == "/lessons/504?course=5"); // where it says why
    c.b.post(
        "/lessons/502/watch", {{"csrf", csrf}, {"course", "5"}, {"part", "1"}}); // asked for, not confirmed
    c.b.post("/lessons/501/watch", {{"csrf", csrf}, {"course", "5"}, {"part", "7"}});
    CHECK(
        c.b.post("/lessons/501/watch", {{"csrf", "guessed"}, {"course", "5"}, {"part", "1"}}).status == 403);
    CHECK(c.b.post("/lessons/999/watch", {{"csrf", csrf}, {"course", "5"}, {"part", "1"}}).status == 404);
    CHECK(c.b.post("/lessons/501/watch", {{"csrf", csrf}, {"course", "6"}, {"part", "1"}}).status == 404);
    CHECK(c.g.everything() == before);

    // One part's grant is another subscription's.
    c.g.sql("UPDATE fixture.v_grants SET subscription_code = 'OTHER' WHERE lesson_id = 501");
    c.b.post("/lessons/501/watch", {{"csrf", csrf}, {"course", "5"}, {"part", "1"}});
    CHECK(c.g.everything() == before);
    c.g.sql("UPDATE fixture.v_grants SET subscription_code = 'SAAAAAAAA' WHERE lesson_id = 501");

    // Closed in the minute between.
    const auto link = ask(c.b);
    c.g.sql("UPDATE fixture.v_grants SET state = 'revoked', revoked_at = now(), revoked_by = 'author',"
            " revoke_reason = 'refund' WHERE lesson_id = 501");
    const auto closed = c.b.get(link, in_a_frame);
    CHECK(closed.status == 403);
    CHECK(closed.says("not open for you any more"));
    CHECK_FALSE(closed.headers.has("Location"));

    // Somebody else's lesson is not there for him.
    REQUIRE(
        c.g.call("POST", "/v1/users", R"({"email": "boris@example.org", "boom_code": "223456789"})").status ==
        201);
    browser boris(c.g);
    REQUIRE(boris.sign_in("boris@example.org", "223456789").status == 303);
    CHECK(boris.get("/lessons/501").status == 404);
    CHECK(boris.get("/lessons/x").status == 404);
}

TEST_CASE("a new code is what the next link leads with")
{
    classroom c;
    const auto rotated = c.g.call("POST", "/v1/users/" + c.anna + "/rotate-code", "{}");
    REQUIRE(rotated.status == 200);
    const auto code = rotated.at("/boom_code");
    REQUIRE(c.b.sign_in("anna@example.org", code).status == 303);
    CHECK(c.b.get(ask(c.b), in_a_frame).header("Location") ==
          "https://play.boomstream.com/AAAAAAAA?id_recovery=" + code);
}

TEST_CASE("a locked lesson says why in the words of GET /v1/why")
{
    classroom c;
    c.sign_in();
    CHECK(c.b.get("/lessons/502").says("data-moves=\"true\"")); // the page waits with the reader
    CHECK(c.b.get("/lessons/504").says("data-moves=\"false\""));
    for (const int lesson : {502, 504}) {
        const auto id = std::to_string(lesson);
        const auto why = c.g.call("GET", "/v1/why?user=" + c.anna + "&course=5&lang=en&lesson=" + id);
        const auto page = c.b.get("/lessons/" + id);
        CHECK(page.says(why.at("/student/sentence")));
        CHECK(page.says(why.at("/student/action")));
        CHECK_FALSE(page.says("/watch\""));
    }
    const auto tasks = c.b.get("/lessons/504");
    CHECK(tasks.says("<a href=\"https://stepik.org/lesson/504/step/4\">"));
    CHECK(tasks.says("<dt>Tasks solved on Stepik</dt><dd>1 of 2</dd>"));
    CHECK(tasks.says("<dt>Results read from Stepik</dt><dd>3 minutes ago</dd>"));
}

TEST_CASE("a lesson of several courses asks which one is meant")
{
    classroom c;
    c.g.add_course(6);
    c.g.sql("INSERT INTO fixture.v_enrolments VALUES (6, 900, now(), NULL, now(), now(), false)");
    c.sign_in();
    const auto asked = c.b.get("/lessons/501");
    CHECK(asked.status == 200);
    CHECK(asked.says("In which one do you want to see it?"));
    CHECK(asked.says("<a href=\"/lessons/501?course=5\">Course 5</a>"));
    CHECK(asked.says("<a href=\"/lessons/501?course=6\">Course 6</a>"));
    CHECK(c.b.get("/lessons/501?course=5").says("/lessons/501/watch"));
    CHECK_FALSE(c.b.get("/lessons/501?course=6").says("/lessons/501/watch"));
    CHECK(c.b.get("/lessons/501?course=7").status == 404);
    CHECK(c.b.get("/lessons/501?course=x").status == 404);
    CHECK(c.dashboard().says("href=\"/lessons/501?course=6\""));
}

TEST_CASE("no log has a link to a video or a code")
{
    classroom c;
    second_gateway logged(c.g); // with an access log
    std::vector<std::string> lines;
    static std::vector<std::string>* into = nullptr;
    into = &lines;
    const auto before = log::set_sink([](std::string_view line) { into->emplace_back(line); });
    browser b(c.g, logged.port());
    CHECK(b.sign_in("anna@example.org", "123456789").status == 303);
    const auto link = ask(b);
    const auto played = b.get(link, in_a_frame).status;
    log::flush();
    log::set_sink(before);
    CHECK(played == 302);
    bool shows_pattern = false;
    for (const auto& line : lines) {
        INFO(line);
        CHECK_FALSE(has(line, link.substr(6)));
        CHECK_FALSE(has(line, "123456789"));
        shows_pattern = shows_pattern || has(line, "/play/{secret_id}");
    }
    CHECK(shows_pattern);
}

TEST_CASE("links are forgotten an hour after their end")
{
    classroom c;
    c.sign_in();
    ask(c.b);
    c.g.run([&]() -> async::task<void> { co_await purge(c.g.db()); });
    CHECK(c.g.count("accounts.play_links") == 1);
    c.g.sql("UPDATE accounts.play_links SET expires_at = now() - interval '61 minutes'");
    c.g.run([&]() -> async::task<void> { co_await purge(c.g.db()); });
    CHECK(c.g.count("accounts.play_links") == 0);
}
