#include "handlers/visitor.hpp"

#include "domain/form.hpp"
#include "domain/refused.hpp"
#include "domain/role.hpp"
#include "domain/sign_in.hpp"
#include "domain/staff.hpp"
#include "handlers/app.hpp"
#include "handlers/form_fault.hpp"
#include "handlers/own_answers.hpp"
#include "handlers/ways.hpp"
#include "pages/pages.hpp"
#include "storage/sessions.hpp"

#include "coursegate/async/workers.hpp"
#include "coursegate/base/encoding.hpp"

#include <algorithm>

namespace coursegate::web_gateway {
namespace {

// Who came, and whether his being here is to be written down.
struct arrival
{
    visitor who;
    std::string token;
    bool is_news = false;
};

arrival arrival_of(const gateway& g, live_session s, const std::string& token)
{
    arrival out;
    out.token = token;
    out.is_news = is_worth_noting(s.last_seen_at, s.now);
    out.who.user_id = s.user_id;
    out.who.session_id = s.session_id;
    out.who.email = std::move(s.email);
    out.who.first_name = std::move(s.first_name);
    out.who.last_name = std::move(s.last_name);
    out.who.language = std::move(s.locale);
    out.who.time_zone = std::move(s.time_zone);
    // A form of another session, or of none, can't know it; and it tells nothing about the token.
    out.who.csrf = base::to_hex(g.keys.hmac("session_csrf", token));
    out.who.roles = std::move(s.roles);
    out.who.roles.emplace(role::student);
    out.who.authors_of = std::move(s.authors_of);
    return out;
}

// A token that scripts can read (the Mini App's) opens nothing that wants a cookie.
enum class brought_by
{
    cookie,
    header,
};

bool fits(brought_by how, const live_session& s)
{
    return (s.signed_in_by == "mini_app") == (how == brought_by::header);
}

async::task<std::optional<arrival>> look_up(
    gateway& g, std::optional<std::string> token, brought_by how = brought_by::cookie)
{
    if (!token)
        co_return std::nullopt;
    const auto hash = base::sha256(*token);
    auto body = [&](db::transaction& tx) { return find_session(tx, hash); };
    std::optional<live_session> found;
    bool broke = false;
    try {
        found = co_await g.db.autocommit(body); // one round trip: every page begins with it
    }
    catch (const db::in_doubt&) {
        broke = true;
    }
    if (broke) // it only reads: with another connection once more
        found = co_await g.db.transact(body);
    if (!found || !fits(how, *found))
        co_return std::nullopt;
    co_return arrival_of(g, std::move(*found), *token);
}

bool only_looks(const http::request& request)
{
    return request.method == "GET" || request.method == "HEAD";
}

bool has_csrf(const http::request& request, const std::string& wanted)
{
    if (!is_form_type(request.headers.get("Content-Type").value_or("")))
        return false;
    try {
        const auto given = form::parse(request.body, form::of_known).text_or("csrf", "");
        return base::equal_in_constant_time(given, wanted);
    }
    catch (const refused&) {
        return false;
    }
}

http::response to_login(const http::request& request)
{
    if (!only_looks(request))
        return http::response::redirect("/login");
    const bool comes_back = safe_next(request.target) == request.target;
    return http::response::redirect(
        comes_back ? "/login?next=" + base::percent_encode(request.target) : "/login", 302);
}

// A crash between note_seen and the answer leaves a cookie that ends up to an hour before its session: the
// next page after that hour renews both.
async::task<http::response> page_for(gateway& g, http::request& request, page_use u, const arrival& came)
{
    const bool renews = came.is_news && only_looks(request);
    if (renews) {
        auto body = [&](db::transaction& tx) { note_seen(tx, came.who.session_id); };
        co_await g.db.transact(body);
    }
    auto out = co_await u(g, request, came.who);
    if (renews)
        out.headers.add("Set-Cookie", set_cookie(session_cookie, came.token, session_lasts));
    co_return out;
}

bool may(const visitor& who, const std::vector<std::string_view>& roles)
{
    return roles.empty() ||
           std::any_of(roles.begin(), roles.end(), [&](std::string_view r) { return who.has_role(r); });
}

async::task<http::response> answered(
    gateway& g, http::request& request, page_use u, const std::vector<std::string_view>& roles)
{
    auto seen_by = reader_of(request);
    try {
        const auto came = co_await look_up(g, token_of(request));
        if (!came)
            co_return to_login(request);
        seen_by = reader_of(came->who);
        if (!may(came->who, roles) || (!only_looks(request) && !has_csrf(request, came->who.csrf)))
            co_return g.pages.problem(403, seen_by);
        co_return co_await page_for(g, request, u, *came);
    }
    catch (const refused& no) {
        // Most pages that let people type say what is wrong themselves.
        if (no.kind() == refusal::invalid)
            co_return not_understood(g.pages, no, seen_by);
        co_return g.pages.problem(no.kind() == refusal::not_found ? 404 : 403, seen_by);
    }
    catch (const base::dependency_down& e) {
        request.log.warning("a page needs what is not available", {{"detail", e.what()}});
    }
    catch (const async::busy& e) {
        request.log.warning("a page needs what has too much to do", {{"detail", e.what()}});
    }
    auto away = g.pages.problem(503, seen_by);
    away.headers.set("Retry-After", "5");
    co_return away;
}

async::task<http::response> answered_in_json(gateway& g, http::request& request, page_use u)
{
    http::response out;
    try {
        const auto came = co_await look_up(g, token_of(request));
        if (came) {
            out = co_await page_for(g, request, u, *came);
            out.headers.set("Cache-Control", "private, no-cache");
            co_return out;
        }
        out = http::response::error(401, std::string(slug::unauthorized),
            "This is for somebody who is signed in on the site: the cookie of his session is needed.");
        out.headers.set("WWW-Authenticate", "Cookie realm=\"coursegate\"");
    }
    catch (const refused& no) {
        out = http::response::error(400, no.slug(), no.message(), no.field());
    }
    catch (const base::dependency_down& e) {
        request.log.warning("an answer needs what is not available", {{"detail", e.what()}});
        out = http::response::error(503, std::string(slug::database_unavailable),
            "The database can't be reached right now. Try again in a few seconds.");
        out.headers.set("Retry-After", "5");
    }
    out.headers.set("Cache-Control", "no-store");
    co_return out;
}

std::optional<std::string> token_in_header(const http::request& request)
{
    constexpr std::string_view bearer = "Bearer ";
    const auto header = request.headers.get("Authorization").value_or("");
    if (!header.starts_with(bearer) || !is_token(header.substr(bearer.size())))
        return std::nullopt;
    return header.substr(bearer.size());
}

async::task<http::response> answered_in_app(gateway& g, http::request& request, page_use u)
{
    auto seen_by = reader_of(request);
    if (!has_mini_app(g))
        co_return g.pages.problem(404, seen_by);
    try {
        const auto came = co_await look_up(g, token_in_header(request), brought_by::header);
        if (!came)
            co_return http::response::text(401, "");
        seen_by = reader_of(came->who);
        if (came->is_news) {
            auto body = [&](db::transaction& tx) { note_seen(tx, came->who.session_id); };
            co_await g.db.transact(body);
        }
        co_return co_await u(g, request, came->who);
    }
    catch (const refused& no) {
        co_return app_problem(g, no.kind() == refusal::not_found ? 404 : 403, seen_by);
    }
    catch (const base::dependency_down&) {
        request.log.warning("the database is not available");
    }
    auto away = app_problem(g, 503, seen_by);
    away.headers.set("Retry-After", "5");
    co_return away;
}

} // namespace

reader reader_of(const visitor& who)
{
    reader out;
    out.language = who.language;
    out.time_zone = who.time_zone;
    out.name = who.first_name.empty() ? who.email : who.first_name;
    out.csrf = who.csrf;
    out.is_staff = rights_of(who.roles, who.authors_of).is_staff();
    return out;
}

act visitor::acting(const http::request& request) const
{
    act out;
    out.who = "user/" + base::to_string(user_id);
    out.request_id = request.request_id;
    out.traceparent = request.traceparent;
    out.address = request.remote_address;
    return out;
}

http::handler for_roles(gateway& g, std::vector<std::string_view> roles, page_use u)
{
    return [&g, u, roles = std::move(roles)](http::request& request) -> async::task<http::response> {
        auto out = co_await answered(g, request, u, roles);
        out.headers.set("Cache-Control", "no-store");
        co_return out;
    };
}

http::handler for_visitor(gateway& g, page_use u)
{
    return for_roles(g, {}, u);
}

http::handler for_person(gateway& g, page_use u)
{
    return [&g, u](http::request& request) { return answered_in_json(g, request, u); };
}

http::handler for_app(gateway& g, page_use u)
{
    return [&g, u](http::request& request) -> async::task<http::response> {
        auto out = co_await answered_in_app(g, request, u);
        out.headers.set("Cache-Control", "no-store");
        co_return out;
    };
}

async::task<std::optional<visitor>> find_app_visitor_of_link(gateway& g, std::string link_hash)
{
    auto body = [&](db::transaction& tx) { return find_app_session_of_link(tx, link_hash); };
    auto found = co_await g.db.transact(body);
    if (!found)
        co_return std::nullopt;
    co_return arrival_of(g, std::move(*found), "").who;
}

async::task<std::optional<visitor>> find_visitor(gateway& g, http::request& request)
{
    try {
        auto came = co_await look_up(g, token_of(request));
        if (came)
            co_return std::move(came->who);
    }
    catch (const base::dependency_down&) {
        request.log.warning("the database is not available");
    }
    co_return std::nullopt;
}

std::optional<std::string> token_of(const http::request& request)
{
    const auto header = request.headers.get("Cookie");
    const auto token = cookie_of(header.value_or(""), session_cookie);
    return token && is_token(*token) ? token : std::nullopt;
}

} // namespace coursegate::web_gateway
