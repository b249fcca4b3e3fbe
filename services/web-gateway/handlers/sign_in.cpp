#include "handlers/sign_in.hpp"

#include "domain/form.hpp"
#include "domain/input.hpp"
#include "domain/refused.hpp"
#include "domain/sign_in.hpp"
#include "handlers/ways.hpp"
#include "pages/pages.hpp"
#include "storage/sessions.hpp"
#include "storage/sign_in.hpp"

#include "coursegate/base/encoding.hpp"
#include "coursegate/metrics/metrics.hpp"

#include <boost/asio/ip/address.hpp>
#include <nlohmann/json.hpp>

#include <algorithm>

namespace coursegate::web_gateway {
namespace {

constexpr std::size_t longest_email = 254;

// One sentence for a wrong code, an e-mail nobody has, and one that is none: the page tells nobody who is
// here.
constexpr auto wrong =
    say("This e-mail and this code do not belong together. Check both; the code has 9 digits.");
constexpr auto too_old = say("This page was open for too long. Please try again.");
constexpr auto no_cookie =
    say("Your browser kept no cookie. Signing in needs cookies, and an address with https.");

std::string new_token()
{
    return base::to_hex(base::random_bytes(32));
}

// ---- The form and the browser it was shown to ----
//
// Without a session there is nothing to bind a form to, so the page gives the browser a number in a cookie
// and puts its HMAC into the form. Another site can send the form, but neither read our page nor set a
// __Host- cookie: nobody is signed in to somebody else's account by a link.

std::optional<std::string> browser_of(const http::request& request)
{
    const auto header = request.headers.get("Cookie");
    const auto browser = cookie_of(header.value_or(""), login_cookie);
    return browser && is_token(*browser) ? browser : std::nullopt;
}

std::string csrf_for(const gateway& g, const std::string& browser)
{
    return base::to_hex(g.keys.hmac("login_csrf", browser));
}

// What somebody typed, to be shown again.
struct typed
{
    std::string email{};
    std::string code{};
    std::string next{};
};

http::response show_login(
    const gateway& g, const http::request& request, int status, const std::string& error, const typed& t)
{
    // The same number as before where there is one: a second tab must not spoil the first one's form.
    const auto known = browser_of(request);
    const auto browser = known ? *known : new_token();
    auto who = reader_of(request);
    who.csrf = csrf_for(g, browser);
    nlohmann::json data;
    data["email"] = t.email.size() <= longest_email ? t.email : std::string();
    data["next"] = t.next.empty() ? std::string() : safe_next(t.next);
    data["error"] = error;
    data["ways"] = ways_for_page(g, who.language, t.next);
    data["here"] = "/login";
    auto out = g.pages.show("login", data, who, status);
    if (!known)
        out.headers.add("Set-Cookie", set_cookie(login_cookie, browser, std::chrono::hours(24)));
    out.headers.set("Cache-Control", "no-store");
    return out;
}

std::string in_words(const gateway& g, const http::request& request, std::string_view sentence)
{
    return g.pages.text(reader_of(request).language, sentence);
}

typed read_form(const http::request& request, std::string& csrf)
{
    if (!is_form_type(request.headers.get("Content-Type").value_or("")))
        throw invalid({}, "This is not a form.");
    auto f = form::parse(request.body);
    typed out;
    csrf = f.text("csrf");
    out.email = f.text("email");
    out.code = f.text("code");
    out.next = f.text_or("next", "");
    f.finish();
    return out;
}

// ---- One try ----

std::string lowered(std::string_view text)
{
    std::string out;
    for (const char c : text)
        if (c != ' ' && c != '\t' && c != '\r' && c != '\n')
            out += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    return out;
}

// Nobody has the empty e-mail.
std::string known_form_of(const std::string& email)
{
    try {
        return checked_email(email, "email");
    }
    catch (const refused&) {
        return {};
    }
}

// As people copy it: 123 456 789, 123-456-789.
std::string digits_of(const std::string& code)
{
    std::string out;
    for (const char c : code)
        if (c != ' ' && c != '-')
            out += c;
    return out;
}

// One household or one server has 2^64 IPv6 addresses: its network counts as one.
std::string network_of(const std::string& address)
{
    boost::system::error_code no_address;
    const auto parsed = boost::asio::ip::make_address(address, no_address);
    if (no_address || parsed.is_v4())
        return address;
    const auto v6 = parsed.to_v6();
    if (v6.is_v4_mapped())
        return boost::asio::ip::make_address_v4(boost::asio::ip::v4_mapped, v6).to_string();
    const auto bytes = v6.to_bytes();
    return base::to_hex({reinterpret_cast<const char*>(bytes.data()), 8}) + "/64";
}

enum class outcome
{
    signed_in,
    wrong,
    must_wait,
};

struct tried
{
    web_gateway::outcome outcome = outcome::wrong;
    std::chrono::seconds wait{0};
};

struct attempt
{
    attempt_keys keys;
    std::string email;
    std::string code_hmac;
    new_session session; // without its user
    act by;              // without who
};

attempt attempt_of(const gateway& g, const http::request& request, const typed& t, const std::string& token)
{
    attempt out;
    out.keys.account = g.keys.hmac("sign_in_account", lowered(t.email));
    out.keys.address = g.keys.hmac("sign_in_address", network_of(request.remote_address));
    out.email = known_form_of(t.email);
    out.code_hmac = g.keys.hmac("boom_code", digits_of(t.code));
    out.session.session_id = base::new_uuid();
    out.session.token_hash = base::sha256(token);
    out.session.signed_in_by = "code";
    out.session.user_agent = shortened_user_agent(request.headers.get("User-Agent").value_or(""));
    out.session.address = request.remote_address;
    if (const auto before = token_of(request))
        out.session.replaces = base::sha256(*before);
    return out;
}

// The same statements and the same comparison whether the e-mail is known or not. While a limit holds, the
// right code is refused like a wrong one: otherwise the limit would tell when a guess was right.
tried try_once(db::transaction& tx, const http::request& request, attempt a)
{
    static const std::string nobodys(32, '\0');
    tried out;
    const auto s = standing_of(tx, a.keys, a.email);
    if (const auto wait = must_wait(s.failures, s.now)) {
        out.outcome = outcome::must_wait;
        out.wait = *wait;
        return out;
    }
    const auto& expected = s.boom_code_hmac.empty() ? nobodys : s.boom_code_hmac;
    const bool fits = base::equal_in_constant_time(a.code_hmac, expected);
    if (!fits || !s.user_id || s.boom_code_hmac.empty() || !still_has_code(tx, *s.user_id, a.code_hmac)) {
        note_failure(tx, a.keys);
        return out;
    }
    visitor who;
    who.user_id = *s.user_id;
    a.session.user_id = *s.user_id;
    start_session(tx, who.acting(request), a.session);
    out.outcome = outcome::signed_in;
    return out;
}

void count(std::string_view how)
{
    metrics::get_counter("coursegate_sign_ins_total", "Tries to sign in on the site, by outcome",
        {{"outcome", std::string(how)}})
        .increment();
}

http::response waiting(
    const gateway& g, const http::request& request, std::chrono::seconds wait, const typed& t)
{
    const auto minutes = std::chrono::ceil<std::chrono::minutes>(wait).count();
    const auto sentence =
        g.pages.text(reader_of(request).language, say("Too many tries. Please try again in {n} minute."),
            say("Too many tries. Please try again in {n} minutes."), minutes);
    auto out = show_login(g, request, 429, sentence, t);
    out.headers.set("Retry-After", std::to_string(wait.count()));
    return out;
}

http::response signed_in(const std::string& token, const typed& t)
{
    auto out = http::response::redirect(safe_next(t.next));
    out.headers.add("Set-Cookie", set_cookie(session_cookie, token, session_lasts));
    out.headers.add("Set-Cookie", clear_cookie(login_cookie));
    out.headers.set("Cache-Control", "no-store");
    return out;
}

http::response signed_out()
{
    auto out = http::response::redirect("/login");
    out.headers.add("Set-Cookie", clear_cookie(session_cookie));
    return out;
}

} // namespace

async::task<http::response> login_page(gateway& g, http::request& request)
{
    typed t;
    t.next = request.query.get("next").value_or("");
    const auto who = co_await find_visitor(g, request);
    if (who) {
        auto on = http::response::redirect(safe_next(t.next));
        on.headers.set("Cache-Control", "no-store");
        co_return on;
    }
    co_return show_login(g, request, 200, "", t);
}

// A crash before COMMIT leaves nothing: not the session, not the failure. After it and before the answer has
// arrived there is a session whose token nobody knows: it shows in the person's list and expires; the one it
// replaced is over, so he signs in again. The same when nobody knows whether COMMIT happened.
async::task<http::response> login_form(gateway& g, http::request& request)
{
    typed t;
    std::string csrf;
    bool is_form = true;
    try {
        t = read_form(request, csrf);
    }
    catch (const refused&) {
        is_form = false;
    }
    const auto browser = browser_of(request);
    if (!is_form || !browser || !base::equal_in_constant_time(csrf, csrf_for(g, *browser))) {
        count("refused");
        co_return show_login(g, request, 403, in_words(g, request, browser ? too_old : no_cookie), t);
    }

    const auto token = new_token(); // never one that the browser brought
    const auto a = attempt_of(g, request, t, token);
    try {
        auto body = [&](db::transaction& tx) { return try_once(tx, request, a); };
        const auto done = co_await g.db.transact(body);
        if (done.outcome == outcome::signed_in) {
            count("signed_in");
            co_return signed_in(token, t);
        }
        if (done.outcome == outcome::must_wait) {
            count("must_wait");
            co_return waiting(g, request, done.wait, t);
        }
        count("wrong");
        co_return show_login(g, request, 422, in_words(g, request, wrong), t);
    }
    catch (const base::dependency_down&) {
        request.log.warning("the database is not available");
    }
    auto away = g.pages.problem(503, reader_of(request));
    away.headers.set("Retry-After", "5");
    away.headers.set("Cache-Control", "no-store");
    co_return away;
}

// Here and below: a crash before COMMIT leaves the session as it was, and the person sees no answer and does
// it again; after it the session is over, whatever the browser still keeps.
async::task<http::response> logout_form(gateway& g, http::request& request, const visitor& who)
{
    const auto by = who.acting(request);
    auto body = [&](db::transaction& tx) { return end_session(tx, by, who.user_id, who.session_id); };
    co_await g.db.transact(body);
    co_return signed_out();
}

// A session that is over already, or somebody else's, is not there: the answer is the same, and nothing ends.
async::task<http::response> end_session_form(gateway& g, http::request& request, const visitor& who)
{
    auto f = form::parse(request.body);
    f.text("csrf");
    const auto id = checked_uuid(f.text("session"), "session");
    f.finish();
    const auto by = who.acting(request);
    auto body = [&](db::transaction& tx) { return end_session(tx, by, who.user_id, id); };
    co_await g.db.transact(body);
    co_return id == who.session_id ? signed_out() : http::response::redirect("/profile");
}

async::task<http::response> end_all_sessions_form(gateway& g, http::request& request, const visitor& who)
{
    const auto by = who.acting(request);
    auto body = [&](db::transaction& tx) { return end_all_sessions(tx, by, who.user_id); };
    co_await g.db.transact(body);
    co_return signed_out();
}

} // namespace coursegate::web_gateway
