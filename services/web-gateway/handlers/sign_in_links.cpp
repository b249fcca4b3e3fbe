#include "handlers/sign_in_links.hpp"

#include "domain/form.hpp"
#include "domain/input.hpp"
#include "domain/refused.hpp"
#include "domain/sign_in.hpp"
#include "domain/telegram_widget.hpp"
#include "handlers/reading.hpp"
#include "handlers/session_start.hpp"
#include "handlers/uses.hpp"
#include "handlers/visitor.hpp"
#include "handlers/ways.hpp"
#include "pages/pages.hpp"
#include "storage/identities.hpp"
#include "storage/sign_in_attempts.hpp"
#include "storage/users.hpp"

#include "coursegate/base/encoding.hpp"
#include "coursegate/log/log.hpp"

#include <nlohmann/json.hpp>

namespace coursegate::web_gateway {
namespace {

constexpr auto heading = say("This link does not work");
constexpr auto is_gone =
    say("It was used already, or is older than ten minutes. Ask the bot for a new one, or sign in here.");
constexpr auto not_from_telegram =
    say("This sign-in does not come from Telegram, or is too old. Please try again.");
constexpr auto no_account =
    say("No account here is linked to this {way} account. Sign in with your e-mail and code, then "
        "link {way} in your profile.");

std::string address_of(const std::string& token)
{
    return "/login/link?token=" + token;
}

// As the sign-in page does it (handlers/sign_in): the form belongs to the browser it was shown to.
std::string csrf_for(const gateway& g, const std::string& browser)
{
    return base::to_hex(g.keys.hmac("link_csrf", browser));
}

std::optional<std::string> browser_of(const http::request& request)
{
    const auto header = request.headers.get("Cookie");
    const auto browser = cookie_of(header.value_or(""), login_cookie);
    return browser && is_token(*browser) ? browser : std::nullopt;
}

std::optional<sign_in_link> use_link(
    db::transaction& tx, const http::request& request, const std::string& hash, new_session session)
{
    auto link = take_link(tx, hash);
    if (!link)
        return std::nullopt;
    visitor who;
    who.user_id = link->user_id;
    session.user_id = link->user_id;
    session.signed_in_by = link->signed_in_by;
    start_session(tx, who.acting(request), session);
    return link;
}

} // namespace

async::task<http::response> make_link_route(gateway& g, call& c)
{
    body_reader body(c.request);
    const auto who = body.text("user");
    if (const auto reason = body.optional_text("reason"))
        c.by.why = checked_line(*reason, "reason", 500, 1);
    body.finish();
    const auto token = new_token();
    const auto site = g.ways != nullptr ? g.ways->site : std::string();
    auto work = [&](db::transaction& tx) {
        sign_in_link link;
        link.token_hash = base::sha256(token);
        link.user_id = user_named(tx, who, "user").id;
        link.signed_in_by = "bot_link";
        const auto until = remember_link(tx, c.by, link);
        if (!until)
            throw refused(refusal::not_found, slug::user_not_found, "There is no such user.", "user");
        nlohmann::json out;
        out["path"] = address_of(token);
        out["url"] = site.empty() ? nlohmann::json() : nlohmann::json(site + address_of(token));
        out["expires_at"] = base::to_iso8601(*until);
        return json_answer(201, out);
    };
    co_return co_await write(g, c, work);
}

async::task<http::response> link_page(gateway& g, http::request& request)
{
    const auto token = request.query.get("token").value_or("");
    bool is_good = false;
    try {
        const auto hash = base::sha256(token);
        auto body = [&](db::transaction& tx) { return is_link_good(tx, hash); };
        if (is_token(token))
            is_good = co_await g.db.transact(body);
    }
    catch (const base::dependency_down&) {
        co_return database_is_away(g, request);
    }
    if (!is_good)
        co_return say_why(g, reader_of(request), 404, heading, is_gone, "/login");
    const auto known = browser_of(request);
    const auto browser = known ? *known : new_token();
    auto who = reader_of(request);
    who.csrf = csrf_for(g, browser);
    nlohmann::json data;
    data["token"] = token;
    auto out = g.pages.show("link", data, who);
    if (!known)
        out.headers.add("Set-Cookie", set_cookie(login_cookie, browser, std::chrono::hours(24)));
    out.headers.set("Cache-Control", "no-store");
    co_return out;
}

// A crash before COMMIT leaves the link unused; after it, and before the answer has arrived, the link is
// used and nobody knows the session's token: the person asks for another link.
async::task<http::response> link_form(gateway& g, http::request& request)
{
    std::string token;
    std::string csrf;
    try {
        if (is_form_type(request.headers.get("Content-Type").value_or(""))) {
            auto f = form::parse(request.body);
            csrf = f.text("csrf");
            token = f.text("token");
            f.finish();
        }
    }
    catch (const refused&) {
        csrf.clear();
    }
    const auto browser = browser_of(request);
    if (!browser || !is_token(token) || !base::equal_in_constant_time(csrf, csrf_for(g, *browser)))
        co_return g.pages.problem(403, reader_of(request));
    try {
        const auto session_token = new_token();
        const auto session = session_for(request, session_token, "");
        const auto hash = base::sha256(token);
        auto body = [&](db::transaction& tx) { return use_link(tx, request, hash, session); };
        const auto used = co_await g.db.transact(body);
        if (used) {
            count_sign_in("signed_in");
            co_return signed_in_answer(session_token, "");
        }
    }
    catch (const base::dependency_down&) {
        co_return database_is_away(g, request);
    }
    count_sign_in("refused");
    co_return say_why(g, reader_of(request), 404, heading, is_gone, "/login");
}

// The browser comes with nothing that binds it to the person: somebody could send him a link that signs him
// in as somebody else. So Telegram's word becomes a one-time link, whose button he presses himself.
async::task<http::response> widget_came(gateway& g, http::request& request)
{
    widget_login login;
    try {
        login = checked_widget(request.query.all(), g.ways->telegram_bot_token, base::now());
    }
    catch (const refused& no) {
        count_sign_in("refused");
        request.log.warning("a sign-in was not proved", {{"way", "telegram"}, {"detail", no.message()}});
        co_return say_why(g, reader_of(request), 403, heading, not_from_telegram, "/login");
    }
    const auto token = new_token();
    std::optional<base::uuid> user;
    auto body = [&](db::transaction& tx) {
        user = user_of_telegram(tx, login.telegram_id);
        if (!user)
            return false;
        visitor who;
        who.user_id = *user;
        sign_in_link link;
        link.token_hash = base::sha256(token);
        link.user_id = *user;
        link.signed_in_by = "telegram";
        link.proof_hash = base::sha256(login.signature);
        return remember_link(tx, who.acting(request), link).has_value();
    };
    const bool made = co_await g.db.transact(body);
    if (made) {
        auto out = http::response::redirect(address_of(token));
        out.headers.set("Cache-Control", "no-store");
        co_return out;
    }
    count_sign_in(user ? "refused" : "unknown");
    co_return say_why(
        g, reader_of(request), 403, heading, user ? is_gone : no_account, "/login", title_of(way::telegram));
}

} // namespace coursegate::web_gateway
