#include "browser.hpp"

#include "handlers/purge.hpp"
#include "handlers/visitor.hpp"

#include "coursegate/base/encoding.hpp"
#include "coursegate/db/transaction.hpp"
#include "coursegate/log/log.hpp"

#include <algorithm>
#include <thread>

using namespace coursegate;
using namespace coursegate::web_gateway;
using namespace coursegate::web_gateway::tests;

namespace {

const std::string sentence = "do not belong together";

std::string make(running_gateway& g, const std::string& email, const std::string& code)
{
    const auto made =
        g.call("POST", "/v1/users", R"({"email": ")" + email + R"(", "boom_code": ")" + code + "\"}");
    REQUIRE(made.status == 201);
    return made.at("/id");
}

// The page without what differs from one showing to the next: what was typed, and the form's number.
std::string same_for_all(const seen_page& page, const std::string& email)
{
    auto out = page.text;
    for (const auto& gone : {email, page.hidden("csrf")})
        if (const auto at = out.find(gone); at != out.npos)
            out.erase(at, gone.size());
    return out;
}

bool is_signed_in(browser& b)
{
    return b.get("/dashboard").status == 200;
}

std::string logged;

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

} // namespace

TEST_CASE("who knows his e-mail and code is signed in and led to where he wanted")
{
    running_gateway g;
    const auto id = make(g, "anna@example.org", "123456789");
    browser b(g);
    const auto stranger = b.get("/dashboard?course=5");
    CHECK(stranger.status == 302);
    CHECK(stranger.header("Location") == "/login?next=%2Fdashboard%3Fcourse%3D5");
    CHECK(stranger.header("Cache-Control") == "no-store");

    const auto done = b.sign_in(" Anna@Example.org ", "123-456 789", "/dashboard?course=5");
    CHECK(done.status == 303);
    CHECK(done.header("Location") == "/dashboard?course=5");
    CHECK(done.header("Cache-Control") == "no-store");
    CHECK(is_signed_in(b));
    CHECK(b.get("/login").header("Location") == "/dashboard");

    const auto row = g.last_audit();
    CHECK(row.at("/what") == "session.start");
    CHECK(row.at("/who") == "user/" + id);
    CHECK(row.at("/target") == "user/" + id);
    CHECK(row.at("/after/signed_in_by") == "code");
    CHECK(row.at("/address") == "127.0.0.1");
}

TEST_CASE("the session's cookie is for HTTP, this host, https and no other site's forms")
{
    running_gateway g;
    make(g, "anna@example.org", "123456789");
    browser b(g);
    const auto page = b.get("/login");
    REQUIRE(page.cookies().size() == 1);
    CHECK(page.cookies()[0] == "__Host-login=" + b.cookies["__Host-login"] +
                                   "; Path=/; Max-Age=86400; HttpOnly; Secure; SameSite=Lax");
    const auto done = b.sign_in("anna@example.org", "123456789");
    REQUIRE(done.cookies().size() == 2);
    CHECK(done.cookies()[0] ==
          "__Host-session=" + b.token() + "; Path=/; Max-Age=2592000; HttpOnly; Secure; SameSite=Lax");
    CHECK(done.cookies()[1] == "__Host-login=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Lax");
    CHECK(b.token().size() == 64);
}

TEST_CASE("a wrong code, an unknown e-mail, one without a code and one that is none get the same answer")
{
    running_gateway g;
    make(g, "anna@example.org", "123456789");
    make(g, "boris@example.org", "223456789");
    make(g, "vera@example.org", "323456789");
    g.sql("UPDATE accounts.users SET boom_code_box = NULL, boom_code_hmac = NULL WHERE email LIKE 'vera%'");
    browser b(g);
    const auto wrong = b.sign_in("anna@example.org", "987654321");
    CHECK(wrong.status == 422);
    CHECK(wrong.says(sentence));
    CHECK_FALSE(wrong.headers.has("Set-Cookie"));
    const std::vector<std::pair<std::string, std::string>> others{
        {"nobody@example.org", "123456789"}, // unknown
        {"vera@example.org", "323456789"},   // has no code
        {"anna@example.org", "223456789"},   // somebody else's code
        {"anna@example.org", "12345678"}, {"anna@example.org", "x"}, {"anna@example.org", ""},
        {"no address", "123456789"}, {"", ""}};
    for (const auto& [email, code] : others) {
        INFO(email << " " << code);
        const auto same = b.sign_in(email, code);
        CHECK(same.status == 422);
        CHECK(same_for_all(same, email) == same_for_all(wrong, "anna@example.org"));
    }
    CHECK(b.token().empty());
    CHECK(g.count("accounts.sessions") == 0);
    CHECK(g.count("accounts.sign_in_failures") == 9);
    CHECK(g.count("accounts.audit_log WHERE what LIKE 'session%'") == 0);
}

TEST_CASE("what was typed is shown again as text and not as markup")
{
    running_gateway g;
    browser b(g);
    const auto page = b.sign_in("\"><script>alert(1)</script>", "1", "/\"><script>");
    CHECK(page.status == 422);
    CHECK_FALSE(page.says("<script>alert"));
    CHECK_FALSE(page.says("\"><script>"));
}

TEST_CASE("after 10 failures an account takes no code for the rest of the hour, not even the right one")
{
    running_gateway g;
    make(g, "anna@example.org", "123456789");
    make(g, "boris@example.org", "223456789");
    browser b(g);
    for (int i = 0; i < 10; ++i)
        CHECK(b.sign_in("anna@example.org", "00000000" + std::to_string(i)).status == 422);
    const auto before = g.everything();
    const auto blocked = b.sign_in("ANNA@example.org ", "123456789");
    CHECK(blocked.status == 429);
    CHECK(blocked.says("Too many tries"));
    const auto wait = std::stoi(blocked.header("Retry-After"));
    CHECK(wait > 3500);
    CHECK(wait <= 3600);
    CHECK(g.everything() == before); // a try that was not allowed is no failure: the wait does not grow
    CHECK(b.token().empty());

    SECTION("somebody else at the same address still gets in")
    {
        CHECK(b.sign_in("boris@example.org", "223456789").status == 303);
    }
    SECTION("when the oldest failure is an hour old there is one more try")
    {
        g.sql("UPDATE accounts.sign_in_failures SET at = at - interval '59 minutes'"
              " WHERE failure_id = (SELECT min(failure_id) FROM accounts.sign_in_failures)");
        const auto soon = b.sign_in("anna@example.org", "123456789");
        CHECK(soon.status == 429);
        CHECK(std::stoi(soon.header("Retry-After")) <= 60);
        g.sql("UPDATE accounts.sign_in_failures SET at = at - interval '1 minute'"
              " WHERE failure_id = (SELECT min(failure_id) FROM accounts.sign_in_failures)");
        CHECK(b.sign_in("anna@example.org", "000000000").status == 422);
        CHECK(b.sign_in("anna@example.org", "123456789").status == 429);
    }
    SECTION("an e-mail that nobody has is limited in the same way")
    {
        for (int i = 0; i < 10; ++i)
            CHECK(b.sign_in("nobody@example.org", "123456789").status == 422);
        CHECK(b.sign_in("nobody@example.org", "123456789").status == 429);
    }
}

TEST_CASE("after 50 failures an address gets nobody in for the rest of the hour")
{
    running_gateway g;
    make(g, "anna@example.org", "123456789");
    browser b(g);
    for (int i = 0; i < 50; ++i)
        CHECK(b.sign_in("student" + std::to_string(i) + "@example.org", "123456789").status == 422);
    const auto blocked = b.sign_in("anna@example.org", "123456789");
    CHECK(blocked.status == 429);
    CHECK(std::stoi(blocked.header("Retry-After")) > 3000);
    g.sql("UPDATE accounts.sign_in_failures SET at = at - interval '1 hour' WHERE failure_id ="
          " (SELECT min(failure_id) FROM accounts.sign_in_failures)");
    CHECK(b.sign_in("anna@example.org", "123456789").status == 303);
}

TEST_CASE("behind a proxy each person is an address, and a whole IPv6 network is one")
{
    running_gateway g;
    make(g, "anna@example.org", "123456789");
    http::server_settings trusting;
    trusting.trusted_proxies = {"127.0.0.1"};
    const second_gateway behind_proxy(g, {}, trusting);
    browser b(g, behind_proxy.port());
    const auto csrf = b.get("/login").hidden("csrf");
    const auto attempt = [&](const std::string& from, const std::string& email) {
        browser once(b);
        return once
            .post("/login", {{"csrf", csrf}, {"email", email}, {"code", "123456789"}},
                {{"X-Forwarded-For", from}})
            .status;
    };
    for (int i = 0; i < 50; ++i)
        CHECK(attempt("2001:db8:0:7::" + std::to_string(i), "nobody" + std::to_string(i) + "@example.org") ==
              422);
    CHECK(attempt("2001:db8:0:7:ffff::1", "anna@example.org") == 429);
    CHECK(attempt("2001:db8:0:8::1", "anna@example.org") == 303);
    CHECK(g.last_audit().at("/address") == "2001:db8:0:8::1");
    CHECK(attempt("192.0.2.7", "nobody@example.org") == 422);
    CHECK(attempt("::ffff:192.0.2.7", "nobody@example.org") == 422);
    CHECK(g.one("SELECT max(n) FROM (SELECT count(*) n FROM accounts.sign_in_failures"
                " GROUP BY address_hmac HAVING count(*) < 50) f") == "2");
}

TEST_CASE("failures name nobody, and are forgotten after their hour; sessions when they have expired")
{
    running_gateway g;
    make(g, "anna@example.org", "123456789");
    browser b(g);
    b.sign_in("secret.address@example.org", "123456789");
    b.sign_in("anna@example.org", "123456789");
    const auto kept = g.one("SELECT string_agg(f::text, ' ') || string_agg(encode(account_hmac, 'escape') ||"
                            " encode(address_hmac, 'escape'), ' ') FROM accounts.sign_in_failures f");
    CHECK(kept.find("secret") == std::string::npos);
    CHECK(kept.find("127.0.0.1") == std::string::npos);

    g.run([&]() -> async::task<void> { co_await purge(g.db()); });
    CHECK(g.count("accounts.sign_in_failures") == 1);
    CHECK(g.count("accounts.sessions") == 1);
    g.sql("UPDATE accounts.sign_in_failures SET at = at - interval '61 minutes';"
          "UPDATE accounts.sessions SET expires_at = now() - interval '1 second'");
    CHECK_FALSE(is_signed_in(b));
    g.run([&]() -> async::task<void> { co_await purge(g.db()); });
    CHECK(g.count("accounts.sign_in_failures") == 0);
    CHECK(g.count("accounts.sessions") == 0);
}

TEST_CASE("many guesses at the same moment count one by one")
{
    running_gateway g;
    make(g, "anna@example.org", "123456789");
    browser b(g);
    const auto csrf = b.get("/login").hidden("csrf");
    const auto statuses =
        b.post_together("/login", {{"csrf", csrf}, {"email", "anna@example.org"}, {"code", "000000000"}}, 20);
    CHECK(std::count(statuses.begin(), statuses.end(), 422) == 10);
    CHECK(std::count(statuses.begin(), statuses.end(), 429) == 10);
    CHECK(g.count("accounts.sign_in_failures") == 10);
}

TEST_CASE("a sign-in form that was not shown to this browser signs nobody in")
{
    running_gateway g;
    make(g, "anna@example.org", "123456789");
    browser b(g);
    browser other(g);
    const auto csrf = b.get("/login").hidden("csrf");
    const auto others = other.get("/login").hidden("csrf");
    const auto before = g.everything();
    const fields good{{"email", "anna@example.org"}, {"code", "123456789"}};
    const auto with_csrf = [&](const std::string& value) {
        auto out = good;
        out.emplace_back("csrf", value);
        return out;
    };
    for (const auto& form :
        {good, with_csrf(""), with_csrf(others), with_csrf(csrf + "0"), with_csrf(b.cookies["__Host-login"])})
    {
        const auto refused = b.post("/login", form);
        CHECK(refused.status == 403);
        CHECK(refused.says("open for too long"));
        CHECK(b.token().empty());
    }
    browser no_cookies(g);
    const auto refused = no_cookies.post("/login", with_csrf(csrf));
    CHECK(refused.status == 403);
    CHECK(refused.says("kept no cookie"));
    CHECK(g.everything() == before);
    // A second tab does not spoil the first one's form.
    CHECK(b.get("/login").hidden("csrf") == csrf);
    CHECK(b.post("/login", with_csrf(csrf)).status == 303);
}

TEST_CASE("a body that is no form of ours is refused and nothing is tried")
{
    running_gateway g;
    make(g, "anna@example.org", "123456789");
    browser b(g);
    const auto csrf = b.get("/login").hidden("csrf");
    const auto before = g.everything();
    const auto good = "csrf=" + csrf + "&email=anna%40example.org&code=123456789";
    const header_list as_form{{"Content-Type", "application/x-www-form-urlencoded"}};
    for (const auto& body : {good + "&code=123456780", good + "&role=admin", good + "&next=%",
             good + "&next=%00", "csrf=" + csrf + "&email=anna%40example.org",
             good + "&next=" + std::string(20'000, 'a'), std::string("{}"), std::string()})
    {
        CHECK(b.send("POST", "/login", body, as_form).status == 403);
    }
    CHECK(b.send("POST", "/login", good, {{"Content-Type", "text/plain"}}).status == 403);
    CHECK(
        b.send("POST", "/login", good, {{"Content-Type", "multipart/form-data; boundary=x"}}).status == 403);
    CHECK(g.everything() == before);
    CHECK(b.send("POST", "/login", good, as_form).status == 303);
}

TEST_CASE("a sign-in never leads to another site")
{
    running_gateway g;
    make(g, "anna@example.org", "123456789");
    for (const auto* next : {"//evil.org", "/\\evil.org", "https://evil.org/", "/\t/evil.org",
             "javascript:alert(1)", "/a\r\nSet-Cookie: x=y"})
    {
        INFO(next);
        browser b(g);
        const auto page = b.get("/login?next=" + base::percent_encode(next));
        CHECK_FALSE(page.says("evil.org"));
        const auto done = b.post("/login", {{"csrf", page.hidden("csrf")}, {"email", "anna@example.org"},
                                               {"code", "123456789"}, {"next", next}});
        CHECK(done.status == 303);
        CHECK(done.header("Location") == "/dashboard");
        CHECK_FALSE(done.headers.has("x"));
        // Signed in already: the page itself leads on.
        CHECK(b.get("/login?next=" + base::percent_encode(next)).header("Location") == "/dashboard");
    }
}

TEST_CASE("each sign-in has a token of its own and ends the session the browser had before")
{
    running_gateway g;
    make(g, "anna@example.org", "123456789");
    const auto boris = make(g, "boris@example.org", "223456789");
    browser b(g);
    const auto csrf = b.get("/login").hidden("csrf");
    const auto number = b.cookies["__Host-login"];
    // A token somebody planted is not taken over.
    b.cookies["__Host-session"] = std::string(64, 'a');
    CHECK(b.post("/login", {{"csrf", csrf}, {"email", "anna@example.org"}, {"code", "123456789"}}).status ==
          303);
    const auto first = b.token();
    CHECK(first != std::string(64, 'a'));

    // The same browser signs in as somebody else, by a form from before.
    b.cookies["__Host-login"] = number;
    CHECK(b.post("/login", {{"csrf", csrf}, {"email", "boris@example.org"}, {"code", "223456789"}}).status ==
          303);
    CHECK(b.token() != first);
    CHECK(g.count("accounts.sessions") == 1);
    CHECK(g.last_audit().has("/after/replaces"));
    CHECK(g.last_audit().at("/target") == "user/" + boris);
    browser thief(g);
    thief.cookies["__Host-session"] = first;
    CHECK_FALSE(is_signed_in(thief));
}

TEST_CASE("no token, code or number of a form is in the database or the log")
{
    const captured_log log;
    running_gateway g;
    make(g, "anna@example.org", "123456789");
    const second_gateway logging(g); // with an access log
    browser b(g, logging.port());
    b.sign_in("anna@example.org", "987654321");
    const auto number = b.cookies["__Host-login"];
    b.sign_in("anna@example.org", "123456789");
    const auto csrf = b.csrf();
    b.post("/profile/sessions/end", {{"csrf", "wrong"}, {"session", "x"}});
    const auto kept = g.everything();
    log::flush();
    CHECK(logged.find("/profile/sessions/end") != std::string::npos);
    const std::vector<std::string> secrets{b.token(), number, csrf, "987654321", "123456789"};
    for (const auto& secret : secrets) {
        REQUIRE(secret.size() >= 9);
        CHECK(kept.find(secret) == std::string::npos);
        CHECK(logged.find(secret) == std::string::npos);
    }
    CHECK(g.one("SELECT encode(token_hash, 'hex') FROM accounts.sessions") ==
          base::to_hex(base::sha256(b.token())));
    // What a thief of the database has is no token.
    browser thief(g);
    thief.cookies["__Host-session"] = base::to_hex(base::sha256(b.token()));
    CHECK_FALSE(is_signed_in(thief));
}

TEST_CASE("a session lasts 30 days from its last use, and is written at most once an hour")
{
    running_gateway g;
    make(g, "anna@example.org", "123456789");
    browser b(g);
    b.sign_in("anna@example.org", "123456789");
    const auto age = [&](const std::string& by) {
        g.sql("UPDATE accounts.sessions SET last_seen_at = last_seen_at - interval '" + by +
              "', expires_at = expires_at - interval '" + by + "'");
    };
    const auto lasts = [&] {
        return g.one("SELECT round(extract(epoch FROM expires_at - now()) / 3600) FROM accounts.sessions");
    };
    CHECK(lasts() == "720");
    age("59 minutes");
    auto page = b.get("/dashboard");
    CHECK(page.status == 200);
    CHECK_FALSE(page.headers.has("Set-Cookie"));
    CHECK(lasts() == "719");
    age("1 minute");
    page = b.get("/dashboard");
    REQUIRE(page.cookies().size() == 1);
    CHECK(page.cookies()[0] ==
          "__Host-session=" + b.token() + "; Path=/; Max-Age=2592000; HttpOnly; Secure; SameSite=Lax");
    CHECK(lasts() == "720");
    CHECK_FALSE(b.get("/dashboard").headers.has("Set-Cookie"));
    age("29 days 23 hours");
    CHECK(is_signed_in(b));
    CHECK(lasts() == "720");
    age("30 days");
    CHECK_FALSE(is_signed_in(b));
    CHECK(b.get("/login").status == 200);
}

TEST_CASE("a form without this session's csrf field changes nothing")
{
    running_gateway g;
    make(g, "anna@example.org", "123456789");
    make(g, "boris@example.org", "223456789");
    browser b(g);
    b.sign_in("anna@example.org", "123456789");
    const auto csrf = b.csrf();
    browser other(g);
    other.sign_in("boris@example.org", "223456789");
    browser same_person(g);
    same_person.sign_in("anna@example.org", "123456789");
    const auto before = g.everything();
    for (const auto* path : {"/logout", "/profile/sessions/end", "/profile/sessions/end-all"}) {
        INFO(path);
        for (const auto& form : std::vector<fields>{{}, {{"csrf", ""}}, {{"csrf", other.csrf()}},
                 {{"csrf", same_person.csrf()}}, {{"csrf", csrf + "0"}}, {{"csrf", b.token()}}})
            CHECK(b.post(path, form).status == 403);
        // In the query, in a header, twice, or in a body that a page could send without asking.
        CHECK(b.send("POST", std::string(path) + "?csrf=" + csrf, "").status == 403);
        CHECK(b.post(path, {}, {{"X-CSRF-Token", csrf}}).status == 403);
        CHECK(b.post(path, {{"csrf", csrf}, {"csrf", csrf}}).status == 403);
        CHECK(b.send("POST", path, "csrf=" + csrf, {{"Content-Type", "text/plain"}}).status == 403);
    }
    CHECK(g.everything() == before);
    CHECK(is_signed_in(b));
}

TEST_CASE("signing out ends this session and no other")
{
    running_gateway g;
    const auto id = make(g, "anna@example.org", "123456789");
    browser phone(g);
    browser desk(g);
    phone.sign_in("anna@example.org", "123456789");
    desk.sign_in("anna@example.org", "123456789");
    const auto token = phone.token();
    const auto done = phone.post("/logout", {{"csrf", phone.csrf()}});
    CHECK(done.status == 303);
    CHECK(done.header("Location") == "/login");
    CHECK(done.cookies() ==
          std::vector<std::string>{"__Host-session=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Lax"});
    CHECK(phone.token().empty());
    phone.cookies["__Host-session"] = token;
    CHECK_FALSE(is_signed_in(phone));
    CHECK(is_signed_in(desk));
    CHECK(g.last_audit().at("/what") == "session.end");
    CHECK(g.last_audit().at("/who") == "user/" + id);
    // Once more, by somebody who is a stranger now.
    CHECK(phone.post("/logout", {{"csrf", "x"}}).header("Location") == "/login");
}

TEST_CASE("one ends one's own sessions, one or all, and nobody else's")
{
    running_gateway g;
    make(g, "anna@example.org", "123456789");
    make(g, "boris@example.org", "223456789");
    browser phone(g);
    browser desk(g);
    browser other(g);
    phone.sign_in("anna@example.org", "123456789");
    const auto phones = g.one("SELECT session_id FROM accounts.sessions");
    desk.sign_in("anna@example.org", "123456789");
    other.sign_in("boris@example.org", "223456789");
    const auto others =
        g.one("SELECT s.session_id FROM accounts.sessions s JOIN accounts.users u ON u.id = s.user_id"
              " WHERE u.email LIKE 'boris%'");
    const auto csrf = desk.csrf();

    const auto before = g.everything();
    CHECK(desk.post("/profile/sessions/end", {{"csrf", csrf}, {"session", others}}).header("Location") ==
          "/profile");
    CHECK(desk.post("/profile/sessions/end", {{"csrf", csrf}, {"session", "5"}}).status == 400);
    CHECK(desk.post("/profile/sessions/end", {{"csrf", csrf}}).status == 400);
    CHECK(g.everything() == before);

    CHECK(desk.post("/profile/sessions/end", {{"csrf", csrf}, {"session", phones}}).header("Location") ==
          "/profile");
    CHECK_FALSE(is_signed_in(phone));
    CHECK(is_signed_in(desk));
    CHECK(is_signed_in(other));
    CHECK(g.last_audit().at("/what") == "session.end");
    CHECK(g.last_audit().at("/before/session_id") == phones);

    phone.sign_in("anna@example.org", "123456789");
    const auto all = desk.post("/profile/sessions/end-all", {{"csrf", csrf}});
    CHECK(all.header("Location") == "/login");
    CHECK(desk.token().empty());
    CHECK_FALSE(is_signed_in(phone));
    CHECK(is_signed_in(other));
    CHECK(g.last_audit().at("/what") == "session.end_all");
    CHECK(g.last_audit().at("/before/sessions") == "2");
}

TEST_CASE("a new code ends the sessions of the old one")
{
    running_gateway g;
    const auto id = make(g, "anna@example.org", "123456789");
    browser b(g);
    b.sign_in("anna@example.org", "123456789");
    const auto rotated = g.call("POST", "/v1/users/" + id + "/rotate-code");
    CHECK(rotated.status == 200);
    CHECK(g.last_audit().at("/after/sessions_ended") == "1");
    CHECK_FALSE(is_signed_in(b));
    CHECK(b.sign_in("anna@example.org", "123456789").status == 422);
    CHECK(b.sign_in("anna@example.org", rotated.at("/boom_code")).status == 303);
}

TEST_CASE("a sign-in that meets the change of the code at the same moment does not outlive it")
{
    running_gateway g;
    make(g, "anna@example.org", "123456789");
    browser b(g);
    const auto csrf = b.get("/login").hidden("csrf");
    // The change is written, and committed once the sign-in waits for it.
    std::thread change([&] {
        g.sql("UPDATE accounts.users SET boom_code_hmac = sha256('another');"
              "DO $$ BEGIN FOR i IN 1..1000 LOOP"
              " EXIT WHEN EXISTS (SELECT FROM pg_locks WHERE NOT granted AND pid <> pg_backend_pid()"
              "   AND transactionid = pg_current_xact_id()::xid);"
              " PERFORM pg_sleep(0.01); END LOOP; END $$");
    });
    static constexpr db::statement being_changed{"test.being_changed",
        "SELECT count(*) AS n FROM pg_locks WHERE relation = "
        "'accounts.users'::regclass AND mode = 'RowExclusiveLock'"};
    const auto begun = testkit::eventually(std::chrono::seconds(5), [&] {
        int n = 0;
        g.run([&]() -> async::task<void> {
            auto body = [](db::transaction& tx) { return db::get<int>(tx.exec(being_changed)[0], "n"); };
            n = co_await g.db().transact(body);
        });
        return n > 0;
    });
    const auto answer =
        b.post("/login", {{"csrf", csrf}, {"email", "anna@example.org"}, {"code", "123456789"}});
    change.join();
    CHECK(begun);
    CHECK(answer.status == 422);
    CHECK(g.count("accounts.sessions") == 0);
}

TEST_CASE("gateways side by side share sessions, limits and ends")
{
    running_gateway g;
    make(g, "anna@example.org", "123456789");
    second_gateway another(g);
    browser here(g);
    here.sign_in("anna@example.org", "123456789");
    browser there(g, another.port());
    there.cookies = here.cookies;
    CHECK(is_signed_in(there));
    CHECK(there.post("/logout", {{"csrf", here.csrf()}}).status == 303); // the form of one, sent to the other
    CHECK_FALSE(is_signed_in(here));

    const auto csrf = here.get("/login").hidden("csrf");
    there.cookies = here.cookies;
    for (int i = 0; i < 5; ++i)
        for (auto* b : {&here, &there})
            CHECK(b->post("/login", {{"csrf", csrf}, {"email", "anna@example.org"}, {"code", "1"}}).status ==
                  422);
    for (auto* b : {&here, &there})
        CHECK(b->post("/login", {{"csrf", csrf}, {"email", "anna@example.org"}, {"code", "123456789"}})
                  .status == 429);
}

TEST_CASE("while the database is away nobody is signed in or out, and it recovers by itself")
{
    running_gateway g;
    make(g, "anna@example.org", "123456789");
    browser b(g);
    b.sign_in("anna@example.org", "123456789");
    const auto token = b.token();
    browser stranger(g);
    const auto csrf = stranger.get("/login").hidden("csrf");
    g.cut_connections(true);
    auto away = b.get("/dashboard");
    CHECK(away.status == 503);
    CHECK(away.header("Retry-After") == "5");
    CHECK(b.token() == token);
    away = stranger.post("/login", {{"csrf", csrf}, {"email", "anna@example.org"}, {"code", "123456789"}});
    CHECK(away.status == 503);
    CHECK(away.header("Retry-After") == "5");
    CHECK(stranger.get("/login").status == 200);
    g.let_in();
    CHECK(testkit::eventually(std::chrono::seconds(5), [&] { return is_signed_in(b); }));
}

TEST_CASE("a page for given roles is shown to those who have one, from the next request on")
{
    running_gateway g;
    const auto id = make(g, "anna@example.org", "123456789");
    g.add_course(5);
    const auto seen = [](gateway&, http::request& r, const visitor& who) -> async::task<http::response> {
        std::string said = who.email + (who.has_role("student") ? " student" : "");
        for (const auto course : who.authors_of)
            said += " author of " + std::to_string(course);
        co_return http::response::text(200, said + " acting as " + who.acting(r).who);
    };
    second_gateway staff(g, {{"GET", "/for-some", [&](gateway& wiring) {
                                  return for_roles(wiring, {"author", "admin"}, seen);
                              }}});
    browser b(g, staff.port());
    CHECK(b.get("/for-some").header("Location") == "/login?next=%2Ffor-some");
    b.sign_in("anna@example.org", "123456789");
    CHECK(b.get("/for-some").status == 403);
    const auto roles = "/v1/users/" + id + "/roles";
    g.call("PUT", roles, R"({"role": "author", "course_id": 5})");
    const auto page = b.get("/for-some");
    CHECK(page.status == 200);
    CHECK(page.text == "anna@example.org student author of 5 acting as user/" + id);
    g.call("DELETE", roles + "?role=author&course_id=5");
    CHECK(b.get("/for-some").status == 403);
    g.call("PUT", roles, R"({"role": "support"})");
    CHECK(b.get("/for-some").status == 403);
    g.call("PUT", roles, R"({"role": "admin"})");
    CHECK(b.get("/for-some").status == 200);
}
