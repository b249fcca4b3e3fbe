// The Mini App: signing in by Telegram's word, what a session of it opens, its pages and its videos.
#include "classroom.hpp"

#include "handlers/purge.hpp"
#include "handlers/ways.hpp"
#include "pages/pages.hpp"
#include "routes.hpp"

#include "coursegate/base/encoding.hpp"
#include "coursegate/http/client.hpp"

#include <algorithm>

using namespace coursegate;
using namespace coursegate::web_gateway;
using namespace coursegate::web_gateway::tests;

namespace {

constexpr const char* main_bot = "7654321:AAtest-token-of-the-main-bot";
constexpr const char* video_bot = "7654322:AAtest-token-of-the-video-bot";
constexpr std::int64_t annas_telegram = 424242;
const header_list in_a_frame{{"Sec-Fetch-Dest", "iframe"}};

struct launch
{
    std::string bot = main_bot;
    std::chrono::seconds age{5};
    std::string start{};
    std::string user = R"({"id":424242,"first_name":"Anna","language_code":"uk"})";
};

// As Telegram makes it; each call another one.
std::string init_data(const launch& l = {})
{
    static int launches = 0;
    const auto at = std::chrono::duration_cast<std::chrono::seconds>(base::now().time_since_epoch()) - l.age;
    std::vector<std::pair<std::string, std::string>> all{{"auth_date", std::to_string(at.count())},
        {"query_id", "AAH" + std::to_string(++launches)}, {"signature", "c2lnbmF0dXJl"}};
    if (!l.start.empty())
        all.emplace_back("start_param", l.start);
    all.emplace_back("user", l.user);
    std::sort(all.begin(), all.end());
    std::string lines;
    std::string out;
    for (const auto& [name, value] : all) {
        lines += (lines.empty() ? "" : "\n") + name + "=" + value;
        out += name + "=" + base::percent_encode(value) + "&";
    }
    return out + "hash=" + base::to_hex(base::hmac_sha256(base::hmac_sha256("WebAppData", l.bot), lines));
}

// The classroom with a Mini App; Anna's Telegram is linked.
class app_classroom : public classroom
{
public:
    way_settings settings = two_bots();
    http::client web{g.executor(), http::client_settings{}};
    sign_in_ways ways{web, settings};
    second_gateway site{g, {{"GET", "/in-test", [this](gateway& wiring) {
                                 wiring.ways = &ways;
                                 return http::handler();
                             }}}};
    browser telegram{g, site.port()};

    app_classroom() { g.sql("UPDATE accounts.users SET telegram_id = 424242 WHERE id = '" + anna + "'"); }

    seen_page start(const std::string& data) { return telegram.post("/app/session", {{"init_data", data}}); }
    std::string token_for(const std::string& data)
    {
        const auto page = start(data);
        INFO(page.text);
        REQUIRE(page.status == 200);
        return token_in(page);
    }
    static std::string token_in(const seen_page& page)
    {
        document d;
        d.text = page.text;
        return d.at("/token");
    }

    seen_page get(const std::string& token, const std::string& path, header_list more = {})
    {
        more.emplace_back("Authorization", "Bearer " + token);
        return telegram.get(path, more);
    }
    seen_page post(const std::string& token, const std::string& path, const fields& form = {})
    {
        return telegram.post(path, form, {{"Authorization", "Bearer " + token}});
    }

private:
    static way_settings two_bots()
    {
        way_settings out;
        out.site = "https://watch.example.org";
        out.telegram_bot_token = base::secret(main_bot);
        out.telegram_video_token = base::secret(video_bot);
        out.telegram_bot_username = "coursegate_bot";
        return out;
    }
};

int sessions(app_classroom& c)
{
    return c.g.count("accounts.sessions WHERE signed_in_by = 'mini_app'");
}

} // namespace

TEST_CASE("without a bot's token there is no Mini App")
{
    running_gateway g;
    browser b(g);
    const pages site;
    gateway wiring{g.db(), g.keys(), g.feed(), site, base::secret(token)};
    int tried = 0;
    for (const auto& r : routes(wiring)) {
        if (!r.pattern.starts_with("/app"))
            continue;
        auto path = r.pattern;
        for (auto at = path.find('{'); at != path.npos; at = path.find('{'))
            path.replace(at, path.find('}') - at + 1, "5");
        INFO(r.method << " " << path);
        const auto answer = r.method == "GET" ? b.get(path) : b.post(path, {{"init_data", init_data()}});
        CHECK(answer.status == 404);
        ++tried;
    }
    CHECK(tried == 14);
}

TEST_CASE("the shell may stand in Telegram's frame, runs no script of others, and says what to do elsewhere")
{
    app_classroom c;
    for (const auto* path : {"/app", "/app/lessons/501", "/app/watch/501/1", "/app/profile"}) {
        const auto page = c.telegram.get(path);
        CHECK(page.status == 200);
        CHECK(
            page.header("Content-Security-Policy") ==
            "default-src 'self'; object-src 'none'; base-uri 'none'; "
            "frame-ancestors 'self' https://web.telegram.org; frame-src 'self' https://play.boomstream.com");
        CHECK(page.header("X-Frame-Options").empty());
        CHECK(page.says("href=\"https://t.me/coursegate_bot\""));
        CHECK(page.says("href=\"https://watch.example.org/dashboard\""));
        CHECK(page.cookies().empty());
    }
    // All others stay out of every frame.
    for (const auto* path : {"/", "/login"})
        CHECK(has(c.telegram.get(path).header("Content-Security-Policy"), "frame-ancestors 'none'"));
}

TEST_CASE("Telegram's word signs in, once more while the session lives, and never after it")
{
    app_classroom c;
    const auto data = init_data({.start = "lesson_501"});
    const auto began = c.start(data);
    REQUIRE(began.status == 200);
    CHECK(began.header("Cache-Control") == "no-store");
    CHECK(began.cookies().empty());
    document answer;
    answer.text = began.text;
    CHECK(answer.at("/language") == "en"); // the account's, not Telegram's
    CHECK(answer.at("/start") == "/lessons/501");
    const auto token = answer.at("/token");
    CHECK(c.get(token, "/app/parts/dashboard").says("data-lesson=\"5-501\""));
    CHECK(c.g.last_audit().at("/what") == "session.start");
    CHECK(c.g.last_audit().at("/after/signed_in_by") == "mini_app");
    CHECK(c.g.everything().find(token) == std::string::npos);
    CHECK(c.g.one("SELECT round(extract(epoch FROM expires_at - now()) / 3600) FROM accounts.sessions") ==
          "12");

    // Loaded again, or the answer was lost: the same session goes on.
    const auto before = c.g.everything();
    CHECK(c.token_for(data) == token);
    CHECK(c.g.everything() == before);
    // Another launch is another session.
    const auto second = c.token_for(init_data());
    CHECK(second != token);
    CHECK(sessions(c) == 2);

    // After signing out Telegram's word of that launch is worth nothing; the other session goes on.
    const auto out = c.post(token, "/app/session/end");
    CHECK(out.status == 200);
    CHECK(out.says("You are signed out"));
    CHECK(c.get(token, "/app/parts/dashboard").status == 401);
    const auto replayed = c.start(data);
    CHECK(replayed.status == 403);
    CHECK_FALSE(replayed.says("\"token\""));
    CHECK(c.get(token, "/app/parts/dashboard").status == 401);
    CHECK(sessions(c) == 1);
    CHECK(c.get(second, "/app/parts/dashboard").status == 200);

    // It is forgotten only when it is too old anyway.
    c.g.run([&]() -> async::task<void> { co_await purge(c.g.db()); });
    CHECK(c.start(data).status == 403);
    CHECK(c.g.count("accounts.mini_app_sign_ins WHERE forget_at > now() + interval '61 minutes'") == 2);
    c.g.sql("UPDATE accounts.mini_app_sign_ins SET forget_at = now() - interval '1 s'");
    c.g.run([&]() -> async::task<void> { co_await purge(c.g.db()); });
    CHECK(c.g.count("accounts.mini_app_sign_ins") == 0);
}

TEST_CASE("one launch that comes several times at once begins one session")
{
    app_classroom c;
    const auto statuses = c.telegram.post_together("/app/session", {{"init_data", init_data()}}, 6);
    CHECK(statuses == std::vector<int>(6, 200));
    CHECK(sessions(c) == 1);
    CHECK(c.g.count("accounts.audit_log WHERE what = 'session.start'") == 1);
}

TEST_CASE("what Telegram has not said about somebody we know signs nobody in")
{
    app_classroom c;
    const auto before = c.g.everything();
    const auto is_refused = [&](const std::string& data) {
        const auto page = c.start(data);
        INFO(page.text);
        CHECK(page.status == 403);
        CHECK(page.says("Close this page and open it from the bot again."));
        CHECK(page.header("Cache-Control") == "no-store");
    };
    is_refused(init_data({.bot = "7654323:AAtest-token-of-somebody-elses-bot"}));
    is_refused(init_data({.age = std::chrono::minutes(61)}));
    is_refused(init_data({.age = std::chrono::minutes(-5)}));
    auto flipped = init_data();
    flipped.back() = flipped.back() == '0' ? '1' : '0';
    is_refused(flipped);
    is_refused("");
    for (const auto* user : {"{}", R"({"id":"424242"})", R"({"id":-424242})", R"({"id":4.5})", "[]", "x",
             R"({"id":18446744073709551615})"})
        is_refused(init_data({.user = user}));
    CHECK(c.telegram.post("/app/session", {}).status == 403);
    CHECK(c.telegram.post("/app/session", {{"init_data", init_data()}, {"more", "1"}}).status == 403);
    CHECK(c.telegram.send("POST", "/app/session", "init_data=x", {{"Content-Type", "text/plain"}}).status ==
          403);

    // Somebody whom nobody has linked is told how that is done, in Telegram's language.
    const auto stranger = c.start(init_data({.user = R"({"id":99,"language_code":"uk"})"}));
    CHECK(stranger.status == 403);
    CHECK(stranger.header("Content-Language") == "uk");
    CHECK(stranger.says("Ми вас ще не знаємо"));
    CHECK(stranger.says("href=\"https://watch.example.org/profile/identities\""));
    CHECK(c.g.everything() == before);

    // The second bot's people come in as well.
    CHECK(c.start(init_data({.bot = video_bot})).status == 200);
}

TEST_CASE("a session of the Mini App and one of the site open each its own")
{
    app_classroom c;
    const auto token = c.token_for(init_data());
    browser site(c.g);
    site.cookies["__Host-session"] = token;
    CHECK(site.get("/dashboard").status == 302); // scripts can read it, so it is no cookie
    CHECK(site.get("/profile").status == 302);
    c.sign_in();
    CHECK(c.get(c.b.token(), "/app/parts/dashboard").status == 401);
    browser with_cookie(c.g, c.site.port());
    with_cookie.cookies = c.b.cookies;
    CHECK(with_cookie.get("/app/parts/dashboard").status == 401);
    CHECK(with_cookie.post("/app/session/end", {}).status == 401);

    // Starting it in a browser that is signed in on the site ends nothing there.
    CHECK(with_cookie.post("/app/session", {{"init_data", init_data()}}).status == 200);
    CHECK(c.b.get("/dashboard").status == 200);

    // It shows in the list, and lives as long as it is used.
    CHECK(c.b.get("/profile").says("Signed in with Telegram"));
    c.g.sql("UPDATE accounts.sessions SET last_seen_at = now() - interval '2 hours', expires_at = now() + "
            "interval"
            " '1 hour' WHERE signed_in_by = 'mini_app'");
    const auto page = c.get(token, "/app/parts/dashboard");
    CHECK(page.status == 200);
    CHECK(page.cookies().empty());
    CHECK(c.g.one(
              "SELECT round(extract(epoch FROM max(expires_at) - now()) / 3600) FROM accounts.sessions WHERE "
              "signed_in_by = 'mini_app'") == "12");
    c.g.sql("UPDATE accounts.sessions SET expires_at = now() WHERE signed_in_by = 'mini_app'");
    CHECK(c.get(token, "/app/parts/dashboard").status == 401);
    CHECK(c.get("guessed", "/app/parts/dashboard").status == 401);

    // Unlinking Telegram ends what began by it.
    const auto other = c.token_for(init_data());
    browser linked(c.g, c.site.port());
    linked.cookies = c.b.cookies;
    CHECK(linked.post("/profile/identities/telegram/unlink", {{"csrf", c.b.csrf()}}).status == 303);
    CHECK(c.get(other, "/app/parts/dashboard").status == 401);
}

TEST_CASE("the Mini App shows the student's pages, and its forms do what the site's do")
{
    app_classroom c;
    const auto token = c.token_for(init_data());
    const auto courses = c.get(token, "/app/parts/dashboard");
    CHECK(courses.status == 200);
    CHECK(courses.header("Cache-Control") == "no-store");
    CHECK(about(courses, 504).find("1 of 2") != std::string::npos);
    CHECK(courses.says("data-moves=\"true\""));
    CHECK(courses.says("action=\"/dashboard/check\""));
    CHECK(c.get(token, "/app/parts/dashboard", {{"If-None-Match", courses.header("ETag")}}).status == 304);

    const auto open = c.get(token, "/app/parts/lessons/501?course=5");
    CHECK(open.says("action=\"/lessons/501/watch\""));
    CHECK(open.says("<a rel=\"next\" href=\"/lessons/502?course=5\">"));
    CHECK_FALSE(open.says("<html")); // a part
    const auto locked = c.get(token, "/app/parts/lessons/504");
    CHECK_FALSE(locked.says("/watch\""));
    CHECK(locked.says("<dt>Tasks solved on Stepik</dt><dd>1 of 2</dd>"));
    CHECK(locked.says("<a href=\"https://stepik.org/lesson/504/step/4\">"));

    CHECK(c.post(token, "/app/dashboard/check", {{"csrf", ""}, {"course", "5"}}).status == 204);
    CHECK(c.g.events("sync_requested") == 1);
    CHECK(c.g.last_audit().at("/who") == "user/" + c.anna);

    CHECK(c.get(token, "/app/parts/profile")
              .says("<option value=\"en\" lang=\"en\" selected>English</option>"));
    CHECK(c.post(token, "/app/profile", {{"language", "uk"}}).status == 204);
    CHECK(c.g.last_audit().at("/after/locale") == "uk");
    CHECK(c.get(token, "/app/parts/profile").says("Мова"));
    const auto before = c.g.everything();
    CHECK(c.post(token, "/app/profile", {{"language", "uk"}}).status == 204);
    CHECK(c.post(token, "/app/profile", {{"language", "fr"}}).status == 403);
    CHECK(c.g.everything() == before);

    // A lesson of two courses asks which one is meant.
    c.g.add_course(6);
    c.g.sql("INSERT INTO fixture.v_enrolments VALUES (6, 900, now(), NULL, now(), now(), false)");
    CHECK(c.get(token, "/app/parts/lessons/501").says("href=\"/lessons/501?course=6\""));
}

TEST_CASE("a video is played in the Mini App by a link that works once, without a cookie")
{
    app_classroom c;
    const auto token = c.token_for(init_data());
    const fields watching{{"csrf", ""}, {"course", "5"}, {"part", "1"}};
    const auto ask = [&] {
        document answer;
        answer.text = c.post(token, "/app/lessons/501/watch", watching).text;
        return answer.at("/frame");
    };
    const auto frame = ask();
    REQUIRE(frame.starts_with("/app/play/"));
    CHECK(c.g.last_audit().at("/what") == "video.watch");
    CHECK(c.g.everything().find(frame.substr(10)) == std::string::npos);

    // The site's address is for the site's sessions.
    CHECK(c.telegram.get("/play/" + frame.substr(10), in_a_frame).status == 410);
    CHECK(c.telegram.get(frame, {{"Sec-Fetch-Dest", "document"}}).status == 403);
    const auto played = c.telegram.get(frame, in_a_frame);
    CHECK(played.status == 302);
    CHECK(played.header("Location") == "https://play.boomstream.com/AAAAAAAA?id_recovery=123456789");
    CHECK(played.header("Cache-Control") == "no-store");
    CHECK(has(played.header("Content-Security-Policy"), "frame-ancestors 'self' https://web.telegram.org"));
    const auto again = c.telegram.get(frame, in_a_frame);
    CHECK(again.status == 410);
    CHECK(again.says("has been used, or is too old"));
    CHECK_FALSE(again.says("_top")); // nothing in it leads out of Telegram's frame
    CHECK(has(again.header("Content-Security-Policy"), "frame-ancestors 'self' https://web.telegram.org"));
    CHECK(c.telegram.get("/app/play/none", in_a_frame).status == 410);

    // A link of the site's session is none of the Mini App's.
    c.sign_in();
    c.b.post("/lessons/501/watch", {{"csrf", c.b.csrf()}, {"course", "5"}, {"part", "1"}});
    const auto page = c.b.get("/lessons/501");
    const auto at = page.text.find("src=\"/play/");
    REQUIRE(at != std::string::npos);
    CHECK(c.telegram.get("/app" + page.text.substr(at + 5, 70), in_a_frame).status == 410);

    // Closed in the minute between, and after signing out.
    const auto late = ask();
    c.g.sql("UPDATE fixture.v_grants SET state = 'revoked', revoked_at = now(), revoked_by = 'author',"
            " revoke_reason = 'refund' WHERE lesson_id = 501");
    CHECK(c.telegram.get(late, in_a_frame).status == 403);
    CHECK(ask().empty());
    c.grant(501, "confirmed", "now()");
    const auto orphaned = ask();
    c.post(token, "/app/session/end");
    CHECK(c.telegram.get(orphaned, in_a_frame).status == 410);
}

TEST_CASE("nobody sees or changes in the Mini App what is another's")
{
    app_classroom c;
    const auto boris = c.g.add_user("boris@example.net");
    c.g.sql("UPDATE accounts.users SET telegram_id = 99, locale = 'en' WHERE id = '" + boris + "'");
    const auto token = c.token_for(init_data({.user = R"({"id":99})"}));
    c.token_for(init_data());
    const auto before = c.g.everything();
    CHECK_FALSE(c.get(token, "/app/parts/dashboard").says("5-501"));
    CHECK_FALSE(c.get(token, "/app/parts/profile").says("anna@example.org"));
    for (const auto* path : {"/app/parts/lessons/501", "/app/parts/lessons/501?course=5",
             "/app/parts/lessons/x", "/app/parts/lessons/501?course=x"})
    {
        const auto page = c.get(token, path);
        CHECK(page.status == 404);
        CHECK(page.says("There is nothing here"));
        CHECK_FALSE(page.says("<html"));
    }
    CHECK(c.post(token, "/app/lessons/501/watch", {{"csrf", ""}, {"course", "5"}, {"part", "1"}}).status ==
          404);
    CHECK(c.post(token, "/app/dashboard/check", {{"csrf", ""}, {"course", "5"}}).status == 404);
    CHECK(c.post(token, "/app/lessons/501/watch", {{"csrf", ""}, {"course", "5"}}).status == 403);
    // Without a session nothing is there at all.
    for (const auto* path :
        {"/app/parts/dashboard", "/app/parts/lessons/501", "/app/parts/profile", "/app/moves"})
        CHECK(c.telegram.get(path).status == 401);
    for (const auto* path :
        {"/app/lessons/501/watch", "/app/dashboard/check", "/app/profile", "/app/session/end"})
        CHECK(c.telegram.post(path, {{"course", "5"}, {"part", "1"}, {"language", "ru"}}).status == 401);
    CHECK(c.g.everything() == before);

    // Whoever leaves is not let in by an old launch.
    const auto data = init_data();
    c.token_for(data);
    c.sign_in();
    REQUIRE(c.b.post("/profile/delete", {{"csrf", c.b.csrf()}, {"email", "anna@example.org"}}).status == 200);
    CHECK(c.start(data).says("Ми вас ще не знаємо"));
    CHECK(c.g.count("accounts.mini_app_sign_ins WHERE user_id = '" + c.anna + "'") == 0);
}

TEST_CASE("while the database is away the Mini App says so and loses nothing")
{
    app_classroom c;
    const auto token = c.token_for(init_data());
    const auto data = init_data();
    c.g.cut_connections(true);
    const auto page = c.get(token, "/app/parts/dashboard");
    CHECK(page.status == 503);
    CHECK(page.header("Retry-After") == "5");
    CHECK(page.says("Not available right now"));
    CHECK(c.start(data).status == 503);
    CHECK(c.telegram.get("/app/play/" + std::string(64, 'a'), in_a_frame).status == 503);
    CHECK(c.telegram.get("/app").status == 200);
    c.g.let_in();
    CHECK(c.start(data).status == 200);
    CHECK(c.get(token, "/app/parts/dashboard").status == 200);
}
