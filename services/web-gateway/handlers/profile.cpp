#include "handlers/profile.hpp"

#include "domain/form.hpp"
#include "domain/input.hpp"
#include "domain/refused.hpp"
#include "domain/sign_in.hpp"
#include "pages/pages.hpp"
#include "pages/zones.hpp"
#include "storage/profile.hpp"
#include "storage/roles.hpp"
#include "storage/sessions.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace coursegate::web_gateway {
namespace {

std::string_view way_of(const std::string& signed_in_by)
{
    if (signed_in_by == "code")
        return say("Signed in with e-mail and code");
    if (signed_in_by == "password")
        return say("Signed in with e-mail and password");
    if (signed_in_by == "google")
        return say("Signed in with Google");
    if (signed_in_by == "stepik")
        return say("Signed in with Stepik");
    return say("Signed in with Telegram");
}

nlohmann::json option(std::string value, std::string shown, bool is_chosen)
{
    nlohmann::json out;
    out["value"] = std::move(value);
    out["shown"] = std::move(shown);
    out["chosen"] = is_chosen;
    return out;
}

struct facts
{
    notice_settings notices;
    std::vector<listed_session> sessions;
};

class writer
{
public:
    writer(const gateway& g, const visitor& who) : g_(g), who_(who), reader_(reader_of(who)) {}

    nlohmann::json page(const facts& f) const
    {
        nlohmann::json out;
        out["email"] = who_.email;
        out["first_name"] = who_.first_name;
        out["last_name"] = who_.last_name;
        out["own_languages"] = {option("ru", "Русский", who_.language == "ru"),
            option("uk", "Українська", who_.language == "uk"),
            option("en", "English", who_.language == "en")};
        auto& zones = out["zones"] = nlohmann::json::array();
        if (!is_time_zone(who_.time_zone))
            zones.push_back(option(who_.time_zone, who_.time_zone, true));
        for (const auto& zone : time_zones())
            zones.push_back(option(zone, zone, zone == who_.time_zone));
        out["by_email"] = f.notices.by_email;
        out["by_telegram"] = f.notices.by_telegram;
        out["quiet_from"] = f.notices.quiet_from.value_or("");
        out["quiet_to"] = f.notices.quiet_to.value_or("");
        out["sessions"] = nlohmann::json::array();
        const auto now = base::now();
        for (const auto& s : f.sessions) {
            nlohmann::json one;
            one["session_id"] = base::to_string(s.session_id);
            one["device"] = s.user_agent;
            one["is_this"] = s.session_id == who_.session_id;
            one["way"] = text(way_of(s.signed_in_by));
            one["seen"] =
                text(say("last seen {when}"), {{"when", g_.pages.ago(s.last_seen_at, now, reader_)}});
            one["address"] = s.address;
            out["sessions"].push_back(std::move(one));
        }
        return out;
    }

    const reader& seen_by() const { return reader_; }

    std::string text(std::string_view msgid, const values& with = {}) const
    {
        return g_.pages.text(reader_.language, msgid, with);
    }

private:
    const gateway& g_;
    const visitor& who_;
    reader reader_;
};

// With a complaint, or what was done.
async::task<http::response> show(
    gateway& g, const visitor& who, int status, std::string_view error, std::string_view done)
{
    auto body = [&](db::transaction& tx) {
        facts out;
        out.notices = notices_of(tx, who.user_id);
        out.sessions = sessions_of(tx, who.user_id);
        return out;
    };
    const auto found = co_await g.db.transact(body);
    const writer words(g, who);
    auto data = words.page(found);
    data["error"] = error.empty() ? std::string() : words.text(error);
    data["done"] = done.empty() ? std::string() : words.text(done);
    co_return g.pages.show("profile", data, words.seen_by(), status);
}

bool is_clock(std::string_view text)
{
    const auto digit = [&](std::size_t at) { return text[at] >= '0' && text[at] <= '9'; };
    return text.size() == 5 && digit(0) && digit(1) && text[2] == ':' && digit(3) && digit(4) &&
           text.substr(0, 2) < "24" && text.substr(3) < "60";
}

own_profile read_profile(const http::request& request, const visitor& who)
{
    auto f = form::parse(request.body);
    f.text("csrf");
    own_profile out;
    out.first_name = checked_line(f.text("first_name"), "first_name", 100);
    out.last_name = checked_line(f.text("last_name"), "last_name", 100);
    out.language = checked_locale(f.text("language"), "language");
    out.time_zone = f.text("time_zone");
    f.finish();
    if (out.time_zone != who.time_zone && !is_time_zone(out.time_zone))
        throw invalid("time_zone", "This is not a time zone.");
    return out;
}

// A box that is not ticked is not sent.
notice_settings read_notices(const http::request& request)
{
    auto f = form::parse(request.body);
    f.text("csrf");
    notice_settings out;
    out.by_email = f.text_or("by_email", "") == "on";
    out.by_telegram = f.text_or("by_telegram", "") == "on";
    const auto from = f.text("quiet_from");
    const auto to = f.text("quiet_to");
    f.finish();
    if (from.empty() && to.empty())
        return out;
    if (!is_clock(from) || !is_clock(to) || from == to)
        throw invalid("quiet_from", "Quiet hours have a beginning and an end.");
    out.quiet_from = from;
    out.quiet_to = to;
    return out;
}

bool same_email(std::string typed, std::string own)
{
    const auto plain = [](std::string& text) {
        std::erase(text, ' ');
        std::transform(text.begin(), text.end(), text.begin(),
            [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
    };
    plain(typed);
    plain(own);
    return typed == own;
}

} // namespace

async::task<http::response> profile_page(gateway& g, http::request& request, const visitor& who)
{
    const bool saved = request.query.get("saved").has_value();
    co_return co_await show(g, who, 200, "", saved ? say("Saved.") : std::string_view());
}

// Here and below: a crash before COMMIT leaves everything as it was; after it the change is there, and
// sending the form again changes nothing more.
async::task<http::response> profile_form(gateway& g, http::request& request, const visitor& who)
{
    own_profile wish;
    bool is_fine = true;
    try {
        wish = read_profile(request, who);
    }
    catch (const refused&) {
        is_fine = false;
    }
    if (!is_fine)
        co_return co_await show(g, who, 422,
            say("Not saved: a name has at most 100 characters, and language and time zone are among those "
                "listed."),
            "");
    const auto by = who.acting(request);
    auto body = [&](db::transaction& tx) {
        change_profile(tx, by, who.user_id, wish);
        return true;
    };
    co_await g.db.transact(body);
    co_return http::response::redirect("/profile?saved=1");
}

async::task<http::response> notices_form(gateway& g, http::request& request, const visitor& who)
{
    notice_settings wish;
    bool is_fine = true;
    try {
        wish = read_notices(request);
    }
    catch (const refused&) {
        is_fine = false;
    }
    if (!is_fine)
        co_return co_await show(g, who, 422,
            say("Not saved: quiet hours need a beginning and an end that differ, or neither."), "");
    const auto by = who.acting(request);
    auto body = [&](db::transaction& tx) {
        change_notices(tx, by, who.user_id, wish);
        return true;
    };
    co_await g.db.transact(body);
    co_return http::response::redirect("/profile?saved=1");
}

async::task<http::response> own_data_route(gateway& g, http::request&, const visitor& who)
{
    auto body = [&](db::transaction& tx) { return all_about(tx, who.user_id); };
    auto out = http::response::text(200, co_await g.db.transact(body), "application/json; charset=utf-8");
    out.headers.set("Content-Disposition", "attachment; filename=\"coursegate-about-me.json\"");
    co_return out;
}

async::task<http::response> delete_account_form(gateway& g, http::request& request, const visitor& who)
{
    auto f = form::parse(request.body);
    f.text("csrf");
    const bool is_meant = same_email(f.text("email"), who.email);
    f.finish();
    if (!is_meant)
        co_return co_await show(g, who, 422,
            say("Nothing was deleted: the e-mail you typed is not the one of this account."), "");
    const auto by = who.acting(request);
    auto body = [&](db::transaction& tx) {
        if (is_only_admin(tx, who.user_id))
            return false;
        delete_account(tx, by, who.user_id);
        return true;
    };
    const bool done = co_await g.db.transact(body);
    if (!done)
        co_return co_await show(g, who, 422,
            say("Nothing was deleted: you are the only admin. Make somebody else an admin first."), "");
    auto stranger = reader_of(request);
    stranger.language = who.language;
    auto out = g.pages.show("farewell", nlohmann::json::object(), stranger);
    out.headers.add("Set-Cookie", clear_cookie(session_cookie));
    co_return out;
}

} // namespace coursegate::web_gateway
