#include "handlers/app.hpp"

#include "domain/form.hpp"
#include "domain/init_data.hpp"
#include "domain/input.hpp"
#include "domain/refused.hpp"
#include "domain/sign_in.hpp"
#include "domain/texts.hpp"
#include "handlers/dashboard.hpp"
#include "handlers/lesson.hpp"
#include "handlers/session_start.hpp"
#include "handlers/ways.hpp"
#include "pages/pages.hpp"
#include "storage/identities.hpp"
#include "storage/mini_app.hpp"
#include "storage/profile.hpp"
#include "storage/sessions.hpp"

#include "coursegate/base/encoding.hpp"
#include "coursegate/log/log.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <utility>

namespace coursegate::web_gateway {
namespace {

// Each by its own word for itself.
constexpr std::array<std::pair<std::string_view, std::string_view>, 3> own_languages{
    {{"ru", "Русский"}, {"uk", "Українська"}, {"en", "English"}}};

constexpr auto open_again = say("Close this page and open it from the bot again.");

// A heading, a sentence and, where there is one, a way on, in place of a view.
struct notice
{
    std::string_view heading;
    std::string_view sentence;
    std::string_view way_on_title{}; // empty: there is no way on
    std::string way_on{};
};

http::response show_notice(const gateway& g, int status, const notice& n, const reader& seen_by)
{
    const auto text = [&](std::string_view msgid) {
        return g.pages.text(seen_by.language, msgid, {{"way", std::string(title_of(way::telegram))}});
    };
    nlohmann::json data;
    data["heading"] = text(n.heading);
    data["sentence"] = text(n.sentence);
    if (!n.way_on.empty()) {
        data["way_on"]["address"] = n.way_on;
        data["way_on"]["name"] = text(n.way_on_title);
    }
    auto out = http::response::html(status, g.pages.part("app_notice", data, seen_by));
    out.headers.set("Content-Language", seen_by.language);
    out.headers.set("Cache-Control", "no-store");
    return out;
}

// ---- Who opened it ----

struct telegram_user
{
    std::int64_t id = 0;
    std::string language; // one of ours, or empty
};

// What Telegram has signed is what Telegram wrote: nobody else's words are read here.
telegram_user user_of(const std::string& json)
{
    const auto j = nlohmann::json::parse(json, nullptr, false);
    telegram_user out;
    if (!j.is_object())
        return out;
    const auto id = j.find("id");
    if (id != j.end() && id->is_number_integer() && id->get<std::int64_t>() > 0)
        out.id = id->get<std::int64_t>();
    const auto language = j.find("language_code");
    if (language != j.end() && language->is_string())
        out.language = preferred_language(language->get<std::string>()).value_or("");
    return out;
}

// "lesson_501": into which lesson a link leads.
std::string start_of(const std::string& start_param)
{
    constexpr std::string_view lesson = "lesson_";
    if (!start_param.starts_with(lesson))
        return {};
    const auto id = start_param.substr(lesson.size());
    const bool is_number = !id.empty() && id.size() <= 18 &&
                           std::all_of(id.begin(), id.end(), [](char c) { return c >= '0' && c <= '9'; });
    return is_number ? "/lessons/" + id : std::string();
}

std::string init_data_of(const http::request& request)
{
    if (!is_form_type(request.headers.get("Content-Type").value_or("")))
        throw invalid({}, "This is not a form.");
    constexpr form::limits twice{2 * form::of_anybody.bytes, 2}; // each escape in it is escaped once more
    auto f = form::parse(request.body, twice);
    auto out = f.text("init_data");
    f.finish();
    return out;
}

struct begun
{
    std::optional<base::uuid> user_id{};
    app_start how = app_start::is_over;
    std::string language;
};

begun begin(db::transaction& tx, const http::request& request, std::int64_t telegram_id, new_session s,
    const std::string& proof_hash)
{
    begun out;
    out.user_id = user_of_telegram(tx, telegram_id);
    if (!out.user_id)
        return out;
    visitor who;
    who.user_id = *out.user_id;
    s.user_id = *out.user_id;
    out.how = start_app_session(tx, who.acting(request), s, proof_hash);
    if (out.how == app_start::is_over)
        return out;
    if (const auto found = find_session(tx, s.token_hash))
        out.language = found->locale;
    return out;
}

http::response nothing_more()
{
    http::response out;
    out.status = 204;
    return out;
}

// `f` knows which field the app sent; the csrf field is there because the same forms stand on the site.
form form_of(const http::request& request)
{
    auto f = form::parse(request.body);
    f.text_or("csrf", "");
    return f;
}

} // namespace

http::response app_problem(const gateway& g, int status, const reader& seen_by)
{
    notice n{say("This is not allowed"), open_again};
    if (status == 404)
        n = {say("There is nothing here"), say("The address may be mistyped, or what was here is gone."),
            say("Go to my courses"), "/dashboard"};
    if (status == 503)
        n = {say("Not available right now"), say("We are working on it. Please try again in a few seconds."),
            say("Go to my courses"), "/dashboard"};
    return show_notice(g, status, n, seen_by);
}

async::task<http::response> app_shell(gateway& g, http::request& request)
{
    const auto seen_by = reader_of(request);
    if (!has_mini_app(g))
        co_return g.pages.problem(404, seen_by);
    nlohmann::json data;
    data["lang"] = seen_by.language;
    for (const auto* name : {"site.css", "app.css", "app.js", "telegram.js", "icon.svg"}) {
        std::string key = name;
        std::replace(key.begin(), key.end(), '.', '_');
        data["asset"][key] = g.pages.asset(name);
    }
    data["site"] = g.ways->site + "/dashboard";
    data["bot"] =
        g.ways->telegram_bot_username.empty() ? "" : "https://t.me/" + g.ways->telegram_bot_username;
    auto out = http::response::html(200, g.pages.part("app", data, seen_by));
    out.headers.set("Content-Language", seen_by.language);
    out.headers.set("Cache-Control", "no-cache");
    out.headers.set("Vary", "Accept-Language, Cookie");
    out.headers.set("Content-Security-Policy",
        "default-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'self' " +
            g.ways->telegram_web + "; frame-src 'self' " + origin_of(g.play_url));
    co_return out;
}

// The token is made from Telegram's signature under our key, so the same launch gets the same one. A crash
// before COMMIT leaves nothing, and the app asks again; after it, and before the answer has arrived, asking
// again goes on with the session that was begun.
async::task<http::response> app_session_route(gateway& g, http::request& request)
{
    auto seen_by = reader_of(request);
    if (!has_mini_app(g))
        co_return g.pages.problem(404, seen_by);
    init_data launch;
    telegram_user user;
    try {
        launch = checked_init_data(init_data_of(request), g.ways->app_bot_tokens, base::now());
        user = user_of(launch.user);
        if (user.id == 0)
            throw invalid("init_data", "It does not say who opened the app.");
    }
    catch (const refused& no) {
        count_sign_in("refused");
        request.log.warning("a sign-in was not proved", {{"way", "mini_app"}, {"detail", no.message()}});
        const notice old{say("You are not signed in"), open_again};
        co_return show_notice(g, 403, old, seen_by);
    }
    if (!user.language.empty())
        seen_by.language = user.language;

    const auto token = base::to_hex(g.keys.hmac("mini_app_session", launch.hash));
    auto session = session_for(request, token, "mini_app");
    session.replaces.reset(); // the site's, in the same browser, goes on
    session.lasts = app_session_lasts;
    const auto proof_hash = base::sha256(launch.hash);
    try {
        auto body = [&](db::transaction& tx) { return begin(tx, request, user.id, session, proof_hash); };
        const auto done = co_await g.db.transact(body);
        if (!done.user_id) {
            count_sign_in("unknown");
            const notice unknown{say("We do not know you yet"),
                say("No account here is linked to this {way} account. Sign in with your e-mail and code, "
                    "then "
                    "link {way} in your profile."),
                say("Open the site"), g.ways->site + "/profile/identities"};
            co_return show_notice(g, 403, unknown, seen_by);
        }
        if (done.how == app_start::is_over) {
            count_sign_in("refused");
            const notice over{say("You are signed out"), open_again};
            co_return show_notice(g, 403, over, seen_by);
        }
        if (done.how == app_start::started)
            count_sign_in("signed_in");
        nlohmann::json answer;
        answer["token"] = token;
        answer["language"] = done.language;
        answer["start"] = start_of(launch.start_param);
        auto out = http::response::json(200, answer);
        out.headers.set("Cache-Control", "no-store");
        co_return out;
    }
    catch (const base::dependency_down&) {
        request.log.warning("the database is not available");
    }
    auto away = app_problem(g, 503, seen_by);
    away.headers.set("Retry-After", "5");
    co_return away;
}

async::task<http::response> app_courses_part(gateway& g, http::request& request, const visitor& who)
{
    const auto seen_by = reader_of(who);
    const auto data = co_await dashboard_data(g, who, seen_by);
    auto html = g.pages.part("app_courses", data, seen_by);
    const auto tag = "\"" + base::to_hex(base::sha256(html)).substr(0, 16) + "\"";
    http::response out;
    out.status = 304;
    if (request.headers.get("If-None-Match").value_or("") != tag)
        out = http::response::html(200, std::move(html));
    out.headers.set("ETag", tag);
    co_return out;
}

async::task<http::response> app_lesson_part(gateway& g, http::request& request, const visitor& who)
{
    const auto seen_by = reader_of(who);
    auto data = co_await lesson_data(g, request, who, seen_by);
    data["choose"] = data.contains("courses");
    co_return http::response::html(200, g.pages.part("app_lesson", data, seen_by));
}

async::task<http::response> app_profile_part(gateway& g, http::request&, const visitor& who)
{
    const auto seen_by = reader_of(who);
    nlohmann::json data;
    data["name"] = seen_by.name.value_or("");
    data["email"] = who.email;
    data["site"] = g.ways->site + "/profile";
    data["own_languages"] = nlohmann::json::array();
    for (const auto& [code, name] : own_languages) {
        nlohmann::json one;
        one["value"] = code;
        one["shown"] = name;
        one["chosen"] = code == who.language;
        data["own_languages"].push_back(std::move(one));
    }
    co_return http::response::html(200, g.pages.part("app_profile", data, seen_by));
}

async::task<http::response> app_check_form(gateway& g, http::request& request, const visitor& who)
{
    co_await check_form(g, request, who);
    co_return nothing_more();
}

async::task<http::response> app_watch_form(gateway& g, http::request& request, const visitor& who)
{
    const auto link = co_await make_play_link(g, request, who);
    nlohmann::json answer;
    answer["frame"] = link.empty() ? std::string() : "/app/play/" + link;
    co_return http::response::json(200, answer);
}

// Here and below: a crash before COMMIT leaves everything as it was; after it the change is there, and asking
// again changes nothing more.
async::task<http::response> app_language_form(gateway& g, http::request& request, const visitor& who)
{
    auto f = form_of(request);
    const auto language = checked_locale(f.text("language"), "language");
    f.finish();
    const auto by = who.acting(request);
    auto body = [&](db::transaction& tx) {
        change_language(tx, by, who.user_id, language);
        return true;
    };
    co_await g.db.transact(body);
    co_return nothing_more();
}

async::task<http::response> app_sign_out_form(gateway& g, http::request& request, const visitor& who)
{
    const auto by = who.acting(request);
    auto body = [&](db::transaction& tx) { return end_session(tx, by, who.user_id, who.session_id); };
    co_await g.db.transact(body);
    const notice over{say("You are signed out"), open_again};
    co_return show_notice(g, 200, over, reader_of(who));
}

} // namespace coursegate::web_gateway
