// Signing in with somebody else's word, linking and unlinking, and one-time links; Google, Telegram and
// Stepik are played by one small server. Against the real ones' like: tests/e2e/identities.
#include "browser.hpp"
#include "token_signer.hpp"

#include "domain/telegram_widget.hpp"
#include "handlers/purge.hpp"
#include "handlers/ways.hpp"

#include "coursegate/base/encoding.hpp"
#include "coursegate/http/client.hpp"
#include "coursegate/log/log.hpp"

using namespace coursegate;
using namespace coursegate::web_gateway;
using namespace coursegate::web_gateway::tests;

namespace {

const std::string bot_token = "123456:test-token";

const token_signer& signer(int number)
{
    static const token_signer first("key-1", false);
    static const token_signer second("key-2", true);
    return number == 1 ? first : second;
}

// What a provider that checks PKCE takes (RFC 7636 §4.1).
bool has_verifier(std::string_view text)
{
    return text.size() >= 43 && text.size() <= 128 &&
           text.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~") ==
               std::string_view::npos;
}

// Everybody who can be asked who somebody is. `code` in a callback is what the person is there: for Stepik
// his id, else the name of an entry of `people`.
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
    std::map<std::string, nlohmann::json> people; // claims beyond those of every token
    std::string nonce;                            // of the sign-in under way
    int key = 1;
    int keys_read = 0;
    bool is_down = false;

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
                co_return is_down ? http::response::text(503, "") : (this->*what)(r);
            };
        };
        return {{"GET", "/.well-known/openid-configuration", by(&providers::discovery)},
            {"GET", "/keys", by(&providers::key_list)}, {"POST", "/token", by(&providers::token)},
            {"POST", "/oauth2/token/", by(&providers::stepik_token)},
            {"GET", "/api/stepics/1", by(&providers::stepics)}};
    }

    http::response discovery(http::request&)
    {
        return http::response::json(
            200, {{"issuer", url}, {"authorization_endpoint", url + "/auth"},
                     {"token_endpoint", url + "/token"}, {"jwks_uri", url + "/keys"}});
    }
    http::response key_list(http::request&)
    {
        ++keys_read;
        return http::response::json(200, {{"keys", {signer(key).jwk()}}});
    }
    http::response token(http::request& r)
    {
        const auto form = http::query::parse(r.body);
        const auto who = people.find(form.get("code").value_or(""));
        if (who == people.end() || !has_verifier(form.get("code_verifier").value_or("")))
            return http::response::json(400, {{"error", "invalid_grant"}});
        const auto now = std::chrono::duration_cast<std::chrono::seconds>(base::now().time_since_epoch());
        nlohmann::json claims{{"iss", url}, {"aud", form.get("client_id").value_or("")}, {"nonce", nonce},
            {"iat", now.count()}, {"exp", now.count() + 600}};
        claims.update(who->second);
        return http::response::json(200, {{"id_token", signer(key).token(claims)}});
    }
    http::response stepik_token(http::request& r)
    {
        const auto form = http::query::parse(r.body);
        if (r.headers.get("Authorization") != "Basic " + base::to_base64("stepik-client:stepik-secret") ||
            form.get("code") == "bad")
            return http::response::json(400, {{"error", "invalid_grant"}});
        return http::response::json(200, {{"access_token", "of-" + form.get("code").value_or("")}});
    }
    http::response stepics(http::request& r)
    {
        const auto id = std::stoll(r.headers.get("Authorization").value_or("").substr(10));
        return http::response::json(
            200, {{"users", {{{"id", id}}}}, {"profiles", {{{"id", id}, {"is_guest", id == 13}}}}});
    }

    running_gateway& gateway_;
    http::server server_;
};

http::client_settings patient()
{
    http::client_settings s;
    s.circuit_after = 1000;
    return s;
}

// A gateway where all ways are on.
class world
{
public:
    running_gateway g;
    providers elsewhere{g};
    http::client web{g.executor(), patient()};
    way_settings settings = all_on();
    sign_in_ways ways{web, settings};
    second_gateway site{g, {{"GET", "/in-test", [this](gateway& wiring) {
                                 wiring.ways = &ways;
                                 return http::handler();
                             }}}};

    browser visitor() { return browser(g, site.port()); }

    std::string make(const std::string& email, const std::string& code)
    {
        const auto made = g.call("POST", "/v1/users",
            R"({"locale": "en", "email": ")" + email + R"(", "boom_code": ")" + code + "\"}");
        REQUIRE(made.status == 201);
        return made.at("/id");
    }

    // Sends the browser away and back, as whom `code` says.
    seen_page come_back(const std::string& way, const seen_page& away, browser& b, const std::string& code)
    {
        REQUIRE(away.status == 303);
        const auto location = away.header("Location");
        const auto sent = http::query::parse(location.substr(location.find('?') + 1));
        elsewhere.nonce = sent.get("nonce").value_or("");
        last_callback =
            "/login/" + way + "/callback?state=" + sent.get("state").value_or("") + "&code=" + code;
        return b.get(last_callback);
    }
    seen_page sign_in(const std::string& way, browser& b, const std::string& code)
    {
        return come_back(way, b.get("/login/" + way), b, code);
    }
    seen_page link(const std::string& way, browser& b, const std::string& code)
    {
        const auto csrf = b.csrf();
        return come_back(way, b.post("/profile/identities/" + way + "/link", {{"csrf", csrf}}), b, code);
    }
    seen_page unlink(const std::string& way, browser& b)
    {
        return b.post("/profile/identities/" + way + "/unlink", {{"csrf", b.csrf()}});
    }

    std::string last_callback;

private:
    way_settings all_on()
    {
        way_settings out;
        out.site = "https://watch.example.org";
        oidc_settings google;
        google.issuer = elsewhere.url;
        google.client_id = "google-client";
        google.client_secret = base::secret("google-secret");
        out.google = google;
        google.client_id = "telegram-client";
        google.secret_in_header = true;
        out.telegram = google;
        stepik_login_settings stepik;
        stepik.url = elsewhere.url;
        stepik.client_id = "stepik-client";
        stepik.client_secret = base::secret("stepik-secret");
        out.stepik = stepik;
        out.telegram_bot_token = base::secret(bot_token);
        return out;
    }
};

bool is_signed_in(browser& b)
{
    return b.get("/dashboard").status == 200;
}

std::string widget_address(std::int64_t telegram_id, std::chrono::seconds age)
{
    const auto at = std::chrono::duration_cast<std::chrono::seconds>(base::now().time_since_epoch()) - age;
    const auto date = std::to_string(at.count());
    const auto id = std::to_string(telegram_id);
    const auto hash =
        base::to_hex(base::hmac_sha256(base::sha256(bot_token), "auth_date=" + date + "\nid=" + id));
    return "/login/telegram/callback?id=" + id + "&auth_date=" + date + "&hash=" + hash;
}

std::string logged;

} // namespace

TEST_CASE("a way that is not set up is invisible")
{
    running_gateway g;
    browser b(g);
    CHECK_FALSE(b.get("/login").says("Sign in with"));
    for (const auto* path : {"/login/google", "/login/telegram", "/login/stepik", "/login/google/callback",
             "/login/telegram/callback?hash=1", "/login/stepik/callback"})
        CHECK(b.get(path).status == 404);
    g.call("POST", "/v1/users", R"({"email": "anna@example.org", "boom_code": "123456789", "locale": "en"})");
    b.sign_in("anna@example.org", "123456789");
    CHECK(b.get("/profile/identities").says("nothing to link"));
    CHECK(b.post("/profile/identities/google/link", {{"csrf", b.csrf()}}).status == 404);
    CHECK(b.post("/profile/identities/nobody/link", {{"csrf", b.csrf()}}).status == 404);
}

TEST_CASE("the sign-in page leads to each way, and each way out carries what must come back")
{
    world w;
    auto b = w.visitor();
    const auto page = b.get("/login?next=%2Fme");
    for (const auto* way : {"google", "telegram", "stepik"})
        CHECK(page.says(std::string("href=\"/login/") + way + "?next=%2Fme\""));
    const auto google = b.get("/login/google");
    const auto location = google.header("Location");
    CHECK(location.starts_with(w.elsewhere.url + "/auth?response_type=code&client_id=google-client&"));
    CHECK(location.find("redirect_uri=https%3A%2F%2Fwatch.example.org%2Flogin%2Fgoogle%2Fcallback&") !=
          std::string::npos);
    CHECK(location.find("&code_challenge_method=S256") != std::string::npos);
    const auto sent = http::query::parse(location.substr(location.find('?') + 1));
    for (const auto* name : {"state", "nonce", "code_challenge"})
        CHECK(sent.get(name).value_or("").size() == 43);
    REQUIRE(google.cookies().size() == 1);
    CHECK(google.cookies()[0] == "__Host-attempt=" + b.cookies["__Host-attempt"] +
                                     "; Path=/; Max-Age=600; HttpOnly; Secure; SameSite=Lax");
    CHECK(
        b.get("/login/stepik")
            .header("Location")
            .starts_with(w.elsewhere.url + "/oauth2/authorize/?response_type=code&client_id=stepik-client&"));
    w.elsewhere.is_down = true;
    CHECK(w.visitor().get("/login/google").status == 303); // the addresses are known
}

TEST_CASE(
    "Stepik is linked by somebody who is both, signs him in from then on, and tells that grants may open")
{
    world w;
    const auto id = w.make("anna@example.org", "123456789");
    auto b = w.visitor();
    const auto unknown = w.sign_in("stepik", b, "777");
    CHECK(unknown.status == 403);
    CHECK(unknown.says("No account here is linked to this Stepik account"));
    CHECK_FALSE(is_signed_in(b));

    b.sign_in("anna@example.org", "123456789");
    const auto events = w.g.events("account_linked");
    const auto linked = w.link("stepik", b, "777");
    CHECK(linked.status == 303);
    CHECK(linked.header("Location") == "/profile/identities");
    CHECK(b.get("/profile/identities").says("777"));
    CHECK(w.g.one("SELECT stepik_user_id FROM accounts.users") == "777");
    CHECK(w.g.events("account_linked") == events + 1);
    CHECK(w.g.last_event("account_linked").at("/data/stepik_user_id") == "777");
    CHECK(w.g.last_audit().at("/what") == "identity.link");
    CHECK(w.g.last_audit().at("/who") == "user/" + id);
    CHECK(w.g.last_audit().at("/after/subject") == "777");
    // Once more changes nothing.
    CHECK(w.link("stepik", b, "777").status == 303);
    CHECK(w.g.events("account_linked") == events + 1);

    auto phone = w.visitor();
    CHECK(w.sign_in("stepik", phone, "777").header("Location") == "/dashboard");
    CHECK(is_signed_in(phone));
    CHECK(w.g.last_audit().at("/after/signed_in_by") == "stepik");

    CHECK(w.unlink("stepik", b).status == 303);
    CHECK(w.g.events("account_linked") == events + 2);
    CHECK(w.g.last_audit().at("/what") == "identity.unlink");
    CHECK(w.g.last_audit().at("/before/subject") == "777");
    CHECK(w.g.last_audit().at("/after/sessions_ended") == "1");
    CHECK_FALSE(is_signed_in(phone)); // it began by what is gone
    CHECK(is_signed_in(b));
    CHECK(w.unlink("stepik", b).status == 303);
    CHECK(w.g.events("account_linked") == events + 2);
    CHECK(w.sign_in("stepik", phone, "777").status == 403);
}

TEST_CASE("a sign-in that was begun comes back once, to the same browser, within ten minutes")
{
    world w;
    w.make("anna@example.org", "123456789");
    w.g.sql("UPDATE accounts.users SET stepik_user_id = 777");
    auto b = w.visitor();
    const auto away = b.get("/login/stepik?next=%2Fme");
    auto copy = b;
    auto stranger = w.visitor();
    CHECK(w.come_back("stepik", away, stranger, "777").status == 403); // no cookie
    stranger.get("/login/stepik");
    CHECK(w.come_back("stepik", away, stranger, "777").status == 403); // another's cookie
    CHECK(b.get("/login/stepik/callback?code=777").status == 403);     // no state
    CHECK(b.cookies.count("__Host-attempt") == 0);
    b.cookies = copy.cookies;
    const auto state = w.last_callback.substr(w.last_callback.find('?'));
    CHECK(b.get("/login/google/callback" + state).status == 403); // another way
    b.cookies = copy.cookies;
    CHECK(w.come_back("stepik", away, b, "777").header("Location") == "/me");
    CHECK(is_signed_in(b));
    CHECK(w.come_back("stepik", away, copy, "777").status == 403); // once
    CHECK_FALSE(is_signed_in(copy));

    const auto late = copy.get("/login/stepik");
    w.g.sql("UPDATE accounts.sign_in_attempts SET expires_at = now()");
    CHECK(w.come_back("stepik", late, copy, "777").status == 403);
    w.g.run([&]() -> async::task<void> { co_await purge(w.g.db()); });
    CHECK(w.g.count("accounts.sign_in_attempts") == 0);

    // Whoever says no, or is a guest there, or whose code is no good, comes back to a page that says so.
    const auto begin = [&] {
        const auto location = copy.get("/login/stepik").header("Location");
        return "/login/stepik/callback?state=" +
               http::query::parse(location.substr(location.find('?') + 1)).get("state").value_or("");
    };
    auto no = copy.get(begin() + "&error=access_denied");
    CHECK(no.status == 403);
    CHECK(no.says("You did not agree at Stepik"));
    CHECK(copy.get(begin() + "&code=bad").status == 502);
    CHECK(copy.get(begin() + "&code=13").status == 502);
    CHECK(copy.get(begin()).status == 502);
    const auto target = begin();
    w.elsewhere.is_down = true;
    no = copy.get(target + "&code=777");
    CHECK(no.status == 502);
    CHECK(no.says("Stepik does not answer"));
    CHECK_FALSE(is_signed_in(copy));
}

TEST_CASE("what belongs to somebody else is not linked, and nothing changes")
{
    world w;
    w.make("anna@example.org", "123456789");
    w.make("boris@example.org", "223456789");
    w.g.sql("UPDATE accounts.users SET stepik_user_id = 777 WHERE email LIKE 'boris%'");
    auto b = w.visitor();
    b.sign_in("anna@example.org", "123456789");
    auto before = w.g.everything();
    const auto no = w.link("stepik", b, "777");
    CHECK(no.status == 409);
    CHECK(no.says("linked to another person"));
    CHECK(w.g.everything() == before);

    CHECK(w.link("stepik", b, "778").status == 303);
    before = w.g.everything();
    CHECK(w.link("stepik", b, "779").status == 409); // one at a time
    CHECK(w.g.everything() == before);

    // The session that began must be the one that ends: not another person's, and not one that is over.
    w.elsewhere.people["anna"] = {{"sub", "g-anna"}};
    const auto away = b.post("/profile/identities/google/link", {{"csrf", b.csrf()}});
    auto other = b;
    other.cookies.erase("__Host-session");
    other.sign_in("boris@example.org", "223456789");
    before = w.g.everything();
    CHECK(w.come_back("google", away, other, "anna").status == 403);
    CHECK(w.g.everything() == before);
    const auto again = b.post("/profile/identities/google/link", {{"csrf", b.csrf()}});
    auto gone = b;
    gone.post("/logout", {{"csrf", gone.csrf()}});
    CHECK(w.g.count("accounts.sign_in_attempts") == 0); // the wish ended with the session
    CHECK(w.come_back("google", again, gone, "anna").status == 403);
    CHECK(w.g.count("accounts.users WHERE google_sub IS NOT NULL") == 0);
}

TEST_CASE("the last way in is not taken away")
{
    world w;
    w.make("anna@example.org", "123456789");
    auto b = w.visitor();
    b.sign_in("anna@example.org", "123456789");
    w.link("stepik", b, "777");
    w.g.sql("UPDATE accounts.users SET boom_code_box = NULL, boom_code_hmac = NULL");
    const auto before = w.g.everything();
    const auto no = w.unlink("stepik", b);
    CHECK(no.status == 409);
    CHECK(no.says("Stepik is your last way in"));
    CHECK(w.g.everything() == before);
    // Another account lets him in, where its way is on.
    w.g.sql("UPDATE accounts.users SET google_sub = 'g-anna'");
    const auto google = std::move(w.ways.google);
    CHECK(w.unlink("stepik", b).status == 409);
    w.ways.google = std::make_unique<oidc_client>(w.web, *w.settings.google);
    CHECK(w.unlink("stepik", b).status == 303);
    CHECK(w.unlink("google", b).status == 409);
}

TEST_CASE(
    "Google: whom we know comes in, whose e-mail we know is told how, and whom nobody knows is new here")
{
    world w;
    w.make("anna@example.org", "123456789");
    w.elsewhere.people["anna"] = {{"sub", "g-anna"}, {"email", "Anna@Example.org"}, {"email_verified", true}};
    w.elsewhere.people["vera"] = {{"sub", "g-vera"}, {"email", "vera@example.org"}, {"email_verified", true},
        {"given_name", "Vera"}, {"family_name", "Petrova"}};
    w.elsewhere.people["mallory"] = {
        {"sub", "g-mallory"}, {"email", "new@example.org"}, {"email_verified", false}};
    auto b = w.visitor();
    auto before = w.g.everything();
    const auto known = w.sign_in("google", b, "anna");
    CHECK(known.status == 403);
    CHECK(known.says("Somebody here has the e-mail of this Google account"));
    CHECK(w.sign_in("google", b, "mallory").status == 403);
    CHECK(w.g.everything() == before);

    const auto is_new = w.sign_in("google", b, "vera");
    CHECK(is_new.header("Location") == "/dashboard");
    CHECK(is_signed_in(b));
    CHECK(
        w.g.one("SELECT email || ' ' || first_name || ' ' || last_name || ' ' || google_sub || ' ' || locale"
                " FROM accounts.users WHERE google_sub IS NOT NULL") ==
        "vera@example.org Vera Petrova g-vera en");
    CHECK(w.g.count("accounts.audit_log WHERE who = 'sign-in/google' AND what IN ('user.create', "
                    "'identity.link')") == 2);
    // By the account there, whatever its e-mail is now.
    w.elsewhere.people["vera"]["email"] = "anna@example.org";
    auto phone = w.visitor();
    CHECK(w.sign_in("google", phone, "vera").status == 303);
    CHECK(w.g.count("accounts.users") == 2);

    // Anna proves both sides; from then on Google is hers.
    auto desk = w.visitor();
    desk.sign_in("anna@example.org", "123456789");
    CHECK(w.link("google", desk, "anna").status == 303);
    CHECK(desk.get("/profile/identities").says("Anna@Example.org"));
    CHECK(w.sign_in("google", b, "anna").status == 303);
    CHECK(w.g.last_audit().at("/after/replaces") != "(nothing)");
}

TEST_CASE("a token of another sign-in is refused, and a new key is read once")
{
    world w;
    w.elsewhere.people["vera"] = {{"sub", "g-vera"}, {"email", "vera@example.org"}, {"email_verified", true}};
    auto b = w.visitor();
    CHECK(w.sign_in("google", b, "vera").status == 303);
    CHECK(w.elsewhere.keys_read == 1);
    CHECK(w.sign_in("google", b, "vera").status == 303);
    CHECK(w.elsewhere.keys_read == 1);
    w.elsewhere.key = 2;
    CHECK(w.sign_in("google", b, "vera").status == 303);
    CHECK(w.elsewhere.keys_read == 2);

    auto stranger = w.visitor();
    for (const auto& change : {nlohmann::json{{"nonce", "other"}}, nlohmann::json{{"aud", "other"}},
             nlohmann::json{{"iss", "https://evil.example.org"}}, nlohmann::json{{"exp", 1}},
             nlohmann::json{{"sub", ""}}})
    {
        w.elsewhere.people["vera"].update(change);
        CHECK(w.sign_in("google", stranger, "vera").status == 502);
        w.elsewhere.people["vera"] = {{"sub", "g-vera"}};
    }
    CHECK(w.sign_in("google", stranger, "vera&iss=https%3A%2F%2Fevil.example.org").status == 502);
    CHECK_FALSE(is_signed_in(stranger));
    CHECK(w.sign_in("google", stranger, "vera").status == 303);
}

TEST_CASE("Telegram knows a person by his number there, and not by the token's subject")
{
    world w;
    w.make("anna@example.org", "123456789");
    w.elsewhere.people["anna"] = {{"sub", "1"}, {"id", 424242}, {"preferred_username", "anna_tg"}};
    w.elsewhere.people["none"] = {{"sub", "424242"}};
    auto b = w.visitor();
    CHECK(w.sign_in("telegram", b, "anna").status == 403);
    CHECK(w.g.count("accounts.users") == 1);
    b.sign_in("anna@example.org", "123456789");
    CHECK(w.link("telegram", b, "anna").status == 303);
    CHECK(b.get("/profile/identities").says("anna_tg"));
    CHECK(w.g.one("SELECT telegram_id FROM accounts.users") == "424242");
    auto phone = w.visitor();
    CHECK(w.sign_in("telegram", phone, "none").status == 502);
    CHECK(w.sign_in("telegram", phone, "anna").status == 303);
    CHECK(w.g.last_audit().at("/after/signed_in_by") == "telegram");
}

TEST_CASE("the widget's word becomes a link whose button signs in, once for each consent")
{
    world w;
    w.make("anna@example.org", "123456789");
    auto b = w.visitor();
    const auto fresh = widget_address(424242, std::chrono::minutes(1));
    CHECK(b.get(fresh).says("No account here is linked to this Telegram account"));
    w.g.sql("UPDATE accounts.users SET telegram_id = 424242");
    CHECK(b.get(widget_address(424242, std::chrono::minutes(61))).status == 403);
    CHECK(b.get(fresh + "&username=boris").status == 403);
    CHECK(b.get(fresh + "&id=424242").status == 403);
    CHECK(w.g.count("accounts.sign_in_links") == 0);

    const auto on = b.get(fresh);
    REQUIRE(on.status == 303);
    CHECK(b.get(fresh).status == 403); // the same consent again
    const auto page = b.get(on.header("Location"));
    CHECK_FALSE(is_signed_in(b));
    CHECK(b.post("/login/link", {{"csrf", page.hidden("csrf")}, {"token", page.hidden("token")}}).status ==
          303);
    CHECK(is_signed_in(b));
    CHECK(w.g.last_audit().at("/after/signed_in_by") == "telegram");
    CHECK(b.get(fresh).status == 403);
}

TEST_CASE("a link of the bot shows a button to whoever looks, and signs in once")
{
    logged.clear();
    const auto before_sink = log::set_sink([](std::string_view line) { logged += line; });
    std::string token;
    {
        world w;
        const auto id = w.make("anna@example.org", "123456789");
        CHECK(w.g.call("POST", "/v1/sign-in-links", R"({"user": "nobody@example.org"})").status == 404);
        CHECK(w.g.call("POST", "/v1/sign-in-links", "{}").status == 400);
        CHECK(w.g.call("POST", "/v1/sign-in-links", R"({"user": "x"})", {}, false).status == 401);
        const auto made = w.g.call(
            "POST", "/v1/sign-in-links", R"({"user": "anna@example.org"})", {{"X-Actor", "telegram/424242"}});
        REQUIRE(made.status == 201);
        CHECK(w.g.last_audit().at("/what") == "sign_in_link.create");
        CHECK(w.g.last_audit().at("/on_behalf_of") == "telegram/424242");
        CHECK(w.g.last_audit().at("/target") == "user/" + id);
        CHECK(made.at("/url") == "null"); // this gateway was not told its address
        const auto path = made.at("/path");
        token = path.substr(path.find('=') + 1);
        CHECK(token.size() == 64);
        CHECK(w.g.everything().find(token) == std::string::npos);

        auto preview = w.visitor();
        for (int i = 0; i < 3; ++i)
            CHECK(preview.get(path).status == 200);
        auto b = w.visitor();
        const auto page = b.get(path);
        const fields form{{"csrf", page.hidden("csrf")}, {"token", token}};
        CHECK(preview.post("/login/link", form).status == 403); // another browser's form
        CHECK(w.visitor().post("/login/link", form).status == 403);
        CHECK(b.post("/login/link", {{"token", token}}).status == 403);
        auto statuses = b.post_together("/login/link", form, 4);
        std::sort(statuses.begin(), statuses.end());
        CHECK(statuses == std::vector<int>{303, 404, 404, 404});
        CHECK(w.g.count("accounts.sessions WHERE signed_in_by = 'bot_link'") == 1);
        CHECK(w.g.last_audit().at("/after/signed_in_by") == "bot_link");
        CHECK(b.get(path).status == 404);

        const auto late = w.g.call("POST", "/v1/sign-in-links", R"({"user": ")" + id + "\"}").at("/path");
        w.g.sql("UPDATE accounts.sign_in_links SET expires_at = now(), forget_at = now()");
        const auto gone = b.get(late);
        CHECK(gone.status == 404);
        CHECK(gone.says("older than ten minutes"));
        CHECK(b.get("/login/link?token=x").status == 404);
        w.g.run([&]() -> async::task<void> { co_await purge(w.g.db()); });
        CHECK(w.g.count("accounts.sign_in_links") == 0);
    }
    log::flush();
    log::set_sink(before_sink);
    CHECK(logged.find("/login/link") != std::string::npos);
    CHECK(logged.find(token) == std::string::npos);
}
