#include "handlers/ways.hpp"

#include "domain/input.hpp"
#include "domain/refused.hpp"
#include "domain/sign_in.hpp"
#include "handlers/lesson.hpp"
#include "handlers/session_start.hpp"
#include "handlers/sign_in_links.hpp"
#include "pages/pages.hpp"
#include "storage/identities.hpp"
#include "storage/sign_in_attempts.hpp"
#include "storage/users.hpp"

#include "coursegate/base/encoding.hpp"
#include "coursegate/log/log.hpp"

#include <nlohmann/json.hpp>

namespace coursegate::web_gateway {
namespace {

constexpr std::string_view attempt_cookie = "__Host-attempt";
constexpr std::size_t longest_code = 2048;

constexpr auto not_signed_in = say("You are not signed in");
constexpr auto not_linked = say("Nothing was linked");
constexpr auto too_old = say("This sign-in took too long or was begun in another window. Please try again.");
constexpr auto not_agreed = say("You did not agree at {way}. Try again, or choose another way.");
constexpr auto no_answer = say("{way} does not answer as it should. Please try again in a minute.");
constexpr auto email_known =
    say("Somebody here has the e-mail of this {way} account. Sign in the way you know, then link {way} in "
        "your profile.");
constexpr auto nobody =
    say("No account here is linked to this {way} account. Sign in with your e-mail and code, then link {way} "
        "in your profile.");
constexpr auto of_another =
    say("This {way} account is linked to another person here. Sign in as that person and unlink it first.");
constexpr auto has_another =
    say("You have linked another {way} account. Unlink that one first, then link this one.");
constexpr auto session_over =
    say("You are not the one who began to link, or have signed out since. Sign in and try again.");

constexpr const char* identities_address = "/profile/identities";

// "/login/google/callback": google.
std::optional<way> way_of(const http::request& request)
{
    constexpr std::string_view before = "/login/";
    const auto rest = std::string_view(request.path).substr(std::min(before.size(), request.path.size()));
    return way_named(rest.substr(0, rest.find('/')));
}

http::response nothing_here(const gateway& g, const http::request& request)
{
    return g.pages.problem(404, reader_of(request));
}

// ---- What a browser takes along ----
//
// One random number is in its cookie. What must come back (state), what must stand in the token (nonce), and
// what only we may know until then (the PKCE verifier) are made from it under our key.

std::string state_of(const gateway& g, const std::string& cookie)
{
    return to_base64url(g.keys.hmac("sign_in_state", cookie));
}

std::string nonce_of(const gateway& g, const std::string& cookie)
{
    return to_base64url(g.keys.hmac("sign_in_nonce", cookie));
}

std::string verifier_of(const gateway& g, const std::string& cookie)
{
    return to_base64url(g.keys.hmac("sign_in_verifier", cookie));
}

async::task<base::result<std::string>> address_of(const gateway& g, way w, const std::string& cookie)
{
    if (w == way::stepik)
        co_return g.ways->stepik->address_of(g.ways->callback_of(w), state_of(g, cookie));
    oidc_start start;
    start.redirect_uri = g.ways->callback_of(w);
    start.state = state_of(g, cookie);
    start.nonce = nonce_of(g, cookie);
    start.challenge = code_challenge_of(verifier_of(g, cookie));
    auto& provider = w == way::google ? *g.ways->google : *g.ways->telegram;
    co_return co_await provider.address_of(start);
}

// A crash leaves an attempt that nobody comes back to; it is forgotten in ten minutes.
async::task<http::response> send_away(gateway& g, http::request& request, way w, sign_in_attempt a)
{
    const auto cookie = new_token();
    a.cookie_hash = base::sha256(cookie);
    a.way = w;
    const std::string back = a.session_id ? identities_address : "/login";
    const auto address = co_await address_of(g, w, cookie);
    if (!address.has_value()) {
        request.log.warning(
            "a sign-in could not begin", {{"way", name_of(w)}, {"detail", address.error().detail}});
        co_return say_why(g, reader_of(request), 502, not_signed_in, no_answer, back, title_of(w));
    }
    auto body = [&](db::transaction& tx) { return remember_attempt(tx, a); };
    const bool remembered = co_await g.db.transact(body);
    if (!remembered)
        co_return say_why(g, reader_of(request), 403, not_linked, session_over, "/login");
    auto out = http::response::redirect(*address);
    out.headers.add("Set-Cookie", set_cookie(attempt_cookie, cookie, attempt_lasts));
    out.headers.set("Cache-Control", "no-store");
    co_return out;
}

// ---- Who came back ----

identity of_google(const id_token_claims& c)
{
    identity out;
    out.way = way::google;
    out.subject = c.subject;
    if (c.email_verified) {
        try {
            out.verified_email = checked_email(c.email, "email");
            out.shown = *out.verified_email;
        }
        catch (const refused&) {
            out.verified_email.reset(); // an address that we would not take from anybody
        }
    }
    const auto name = [](const std::string& text) {
        try {
            return checked_line(text, "name", 100);
        }
        catch (const refused&) {
            return std::string();
        }
    };
    out.first_name = name(c.given_name);
    out.last_name = name(c.family_name);
    return out;
}

// Telegram's `sub` is a number of its own; bot, widget and Mini App know a person by `id`.
base::result<identity> of_telegram(const id_token_claims& c)
{
    if (!c.telegram_id || *c.telegram_id <= 0)
        return base::fail(oidc_errc::bad_answer, "the id_token names no Telegram account");
    identity out;
    out.way = way::telegram;
    out.subject = std::to_string(*c.telegram_id);
    if (is_utf8(c.username) && c.username.size() <= 64)
        out.shown = c.username;
    return out;
}

async::task<base::result<identity>> prove(
    const gateway& g, const http::request& request, way w, const std::string& cookie)
{
    const auto code = request.query.get("code").value_or("");
    const auto redirect_uri = g.ways->callback_of(w);
    if (code.empty() || code.size() > longest_code)
        co_return base::fail(oidc_errc::bad_answer, "the browser brought no code");
    if (w == way::stepik) {
        const auto account = co_await g.ways->stepik->redeem(code, redirect_uri);
        if (!account.has_value())
            co_return account.error();
        identity out;
        out.way = w;
        out.subject = std::to_string(*account);
        out.shown = out.subject;
        co_return out;
    }
    oidc_return back;
    back.code = code;
    back.issuer = request.query.get("iss");
    back.redirect_uri = redirect_uri;
    back.nonce = nonce_of(g, cookie);
    back.verifier = verifier_of(g, cookie);
    auto& provider = w == way::google ? *g.ways->google : *g.ways->telegram;
    const auto claims = co_await provider.redeem(back);
    if (!claims.has_value())
        co_return claims.error();
    if (w == way::google)
        co_return of_google(*claims);
    co_return of_telegram(*claims);
}

// ---- What comes of it ----

enum class outcome
{
    signed_in,
    email_known,
    nobody,
};

// Never by e-mail: whoever has an address today may not be whom we know by it. Only where nobody has it, the
// provider's word about it makes a new account (people come by themselves).
outcome sign_in(db::transaction& tx, const gateway& g, const http::request& request, const identity& who,
    new_session session)
{
    visitor signing;
    auto owner = owner_of(tx, who);
    if (!owner && who.verified_email) {
        if (find_user_by_email(tx, *who.verified_email))
            return outcome::email_known;
        act by = signing.acting(request);
        by.who = "sign-in/" + std::string(name_of(who.way));
        new_user wish;
        wish.email = *who.verified_email;
        wish.first_name = who.first_name;
        wish.last_name = who.last_name;
        wish.locale = reader_of(request).language;
        owner = create_user(tx, g.keys, by, wish).user.id;
        link_identity(tx, by, *owner, who);
    }
    if (!owner)
        return outcome::nobody;
    signing.user_id = *owner;
    session.user_id = *owner;
    start_session(tx, signing.acting(request), session);
    return outcome::signed_in;
}

// A crash before COMMIT leaves nothing but the attempt, which is gone: the person begins again.
async::task<http::response> sign_in_answer(
    gateway& g, http::request& request, const identity& who, const sign_in_attempt& a)
{
    const auto token = new_token(); // never one that the browser brought
    const auto session = session_for(request, token, name_of(who.way));
    auto body = [&](db::transaction& tx) { return sign_in(tx, g, request, who, session); };
    const auto done = co_await g.db.transact(body);
    if (done == outcome::signed_in) {
        count_sign_in("signed_in");
        co_return signed_in_answer(token, a.next);
    }
    count_sign_in("unknown");
    co_return say_why(g, reader_of(request), 403, not_signed_in,
        done == outcome::email_known ? email_known : nobody, "/login", title_of(who.way));
}

// Both sides are proved: that of the other by the round trip, ours by the session that began it and still is
// this browser's.
async::task<http::response> link_answer(
    gateway& g, http::request& request, const identity& who, const sign_in_attempt& a)
{
    const auto here = co_await find_visitor(g, request);
    if (!here || here->session_id != *a.session_id)
        co_return say_why(g, reader_of(request), 403, not_linked, session_over, "/login");
    const auto by = here->acting(request);
    auto body = [&](db::transaction& tx) { return link_identity(tx, by, here->user_id, who); };
    const auto done = co_await g.db.transact(body);
    if (done == linking::linked || done == linking::known) {
        auto out = http::response::redirect(identities_address);
        out.headers.set("Cache-Control", "no-store");
        co_return out;
    }
    co_return say_why(g, reader_of(*here), 409, not_linked,
        done == linking::somebody_elses ? of_another : has_another, identities_address, title_of(who.way));
}

async::task<http::response> came_back(gateway& g, http::request& request, way w)
{
    const auto header = request.headers.get("Cookie");
    const auto cookie = cookie_of(header.value_or(""), attempt_cookie);
    const auto state = request.query.get("state").value_or("");
    // Looked at before the attempt is taken: a link to here from another site spoils nobody's sign-in.
    if (!cookie || !is_token(*cookie) || !base::equal_in_constant_time(state, state_of(g, *cookie))) {
        count_sign_in("refused");
        co_return say_why(g, reader_of(request), 403, not_signed_in, too_old, "/login");
    }
    const auto hash = base::sha256(*cookie);
    auto body = [&](db::transaction& tx) { return take_attempt(tx, hash, w); };
    const auto attempt = co_await g.db.transact(body);
    if (!attempt) {
        count_sign_in("refused");
        co_return say_why(g, reader_of(request), 403, not_signed_in, too_old, "/login");
    }
    const std::string back = attempt->session_id ? identities_address : "/login";
    const auto heading = attempt->session_id ? not_linked : not_signed_in;
    if (request.query.get("error"))
        co_return say_why(g, reader_of(request), 403, heading, not_agreed, back, title_of(w));
    const auto who = co_await prove(g, request, w, *cookie);
    if (!who.has_value()) {
        count_sign_in("not_proved");
        request.log.warning(
            "a sign-in was not proved", {{"way", name_of(w)}, {"detail", who.error().detail}});
        co_return say_why(g, reader_of(request), 502, heading, no_answer, back, title_of(w));
    }
    if (attempt->session_id)
        co_return co_await link_answer(g, request, *who, *attempt);
    co_return co_await sign_in_answer(g, request, *who, *attempt);
}

bool is_on(const gateway& g, way w)
{
    return ways_that_are_on(g).count(w) > 0;
}

} // namespace

sign_in_ways::sign_in_ways(http::client& web, const way_settings& s)
    : site(s.site), telegram_bot_token(s.telegram_bot_token)
{
    if (s.google)
        google = std::make_unique<oidc_client>(web, *s.google);
    if (s.telegram)
        telegram = std::make_unique<oidc_client>(web, *s.telegram);
    if (s.stepik)
        stepik = std::make_unique<stepik_login>(web, *s.stepik);
    for (const auto& token : {s.telegram_bot_token, s.telegram_video_token})
        if (!token.empty())
            app_bot_tokens.push_back(token);
    telegram_bot_username = s.telegram_bot_username;
    telegram_web = origin_of(s.telegram_web_url);
}

bool has_mini_app(const gateway& g)
{
    return g.ways != nullptr && !g.ways->app_bot_tokens.empty();
}

std::string sign_in_ways::callback_of(way w) const
{
    return site + "/login/" + std::string(name_of(w)) + "/callback";
}

std::set<way> ways_that_are_on(const gateway& g)
{
    std::set<way> out;
    if (g.ways != nullptr) {
        if (g.ways->google)
            out.insert(way::google);
        if (g.ways->telegram)
            out.insert(way::telegram);
        if (g.ways->stepik)
            out.insert(way::stepik);
    }
    return out;
}

nlohmann::json ways_for_page(const gateway& g, const std::string& language, const std::string& next)
{
    auto out = nlohmann::json::array();
    for (const auto w : ways_that_are_on(g)) {
        const values with{{"way", std::string(title_of(w))}};
        nlohmann::json one;
        one["address"] = "/login/" + std::string(name_of(w)) +
                         (next.empty() ? std::string() : "?next=" + base::percent_encode(safe_next(next)));
        one["label"] = g.pages.text(language, say("Sign in with {way}"), with);
        out.push_back(std::move(one));
    }
    return out;
}

async::task<http::response> start_way_page(gateway& g, http::request& request)
{
    const auto w = way_of(request);
    if (!w || !is_on(g, *w))
        co_return nothing_here(g, request);
    sign_in_attempt a;
    if (const auto next = request.query.get("next"))
        a.next = safe_next(*next);
    try {
        co_return co_await send_away(g, request, *w, a);
    }
    catch (const base::dependency_down&) {
    }
    co_return database_is_away(g, request);
}

async::task<http::response> way_callback_page(gateway& g, http::request& request)
{
    const auto w = way_of(request);
    try {
        if (w == way::telegram && g.ways != nullptr && !g.ways->telegram_bot_token.empty() &&
            request.query.get("hash"))
            co_return co_await widget_came(g, request);
        if (!w || !is_on(g, *w))
            co_return nothing_here(g, request);
        auto out = co_await came_back(g, request, *w);
        out.headers.add("Set-Cookie", clear_cookie(attempt_cookie));
        co_return out;
    }
    catch (const refused&) {
        // Somebody else was given the e-mail at this very moment.
        co_return say_why(g, reader_of(request), 409, not_signed_in, too_old, "/login");
    }
    catch (const db::constraint_violation&) {
        co_return say_why(g, reader_of(request), 409, not_signed_in, too_old, "/login");
    }
    catch (const base::dependency_down&) {
    }
    co_return database_is_away(g, request);
}

async::task<http::response> link_identity_form(gateway& g, http::request& request, const visitor& who)
{
    const auto w = way_named(request.path_parameters.at("way"));
    if (!w || !is_on(g, *w))
        co_return nothing_here(g, request);
    sign_in_attempt a;
    a.session_id = who.session_id;
    co_return co_await send_away(g, request, *w, a);
}

} // namespace coursegate::web_gateway
