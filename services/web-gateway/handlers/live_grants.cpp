// A page holds the place in the event log that it was read at, and its stream goes on from there: nothing
// falls between the two. Events only say which grants to look at; a row is read from the database and written
// by the same template as the page, with the rights that the reader has at that moment. So a row that is told
// twice is the same row, and a stream that breaks anywhere goes on by Last-Event-ID.
#include "handlers/live_grants.hpp"

#include "domain/refused.hpp"
#include "handlers/feed_stream.hpp"
#include "handlers/reading.hpp"
#include "handlers/staff.hpp"
#include "pages/days.hpp"
#include "storage/catalog.hpp"
#include "storage/feed.hpp"
#include "storage/live_grants.hpp"
#include "storage/sessions.hpp"

#include "coursegate/base/encoding.hpp"
#include "coursegate/http/sse.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <set>

namespace coursegate::web_gateway {
namespace {

constexpr std::string_view section = "/admin/grants";
constexpr int rows_of_page = 50;
// 200 events a second are seven looks at the database.
constexpr std::chrono::milliseconds together{150};
// How often a stream tells how fast it goes today.
constexpr std::chrono::seconds times_every{10};

struct word
{
    std::string_view name;
    std::string_view text;
    std::string_view style = {};
};

constexpr auto states = std::to_array<word>({
    {"wanted", say("waiting"), "moving"},
    {"asked", say("asked for"), "moving"},
    {"confirmed", say("open"), "open"},
    {"failed", say("failed"), "failed"},
    {"revoked", say("closed"), "locked"},
});

constexpr auto causes = std::to_array<word>({
    {"on_pass", say("lesson passed")},
    {"always", say("open to everybody")},
    {"on_enrolment", say("enrolled")},
    {"with_previous", say("with the lesson before")},
    {"after_days", say("after some days")},
    {"manual", say("by hand")},
    {"backfill", say("caught up")},
});

template <std::size_t N>
const word* find(const std::array<word, N>& words, std::string_view name)
{
    const auto found =
        std::find_if(words.begin(), words.end(), [&](const word& w) { return w.name == name; });
    return found == words.end() ? nullptr : &*found;
}

// What the reader asked to see.
struct wish
{
    live_filter filter;
    std::optional<std::string> day{};
    std::optional<base::uuid> before{};
    std::optional<std::string> from{}; // a place in the event log

    // As it stands behind the question mark of a link.
    std::string query() const
    {
        std::string out;
        const auto add = [&](std::string_view name, const std::optional<std::string>& value) {
            if (value)
                out += "&" + std::string(name) + "=" + base::percent_encode(*value);
        };
        const auto number = [&](std::string_view name, const std::optional<std::int64_t>& value) {
            if (value)
                out += "&" + std::string(name) + "=" + std::to_string(*value);
        };
        number("course", filter.course_id);
        number("lesson", filter.lesson_id);
        add("student", filter.student);
        add("state", filter.state);
        add("cause", filter.cause);
        add("day", day);
        return out;
    }
};

wish read_wish(const http::request& request, const visitor& who)
{
    query_reader query(request);
    wish out;
    out.filter.only = rights_of(who).seen_courses();
    out.filter.course_id = query.id("course");
    out.filter.lesson_id = query.id("lesson");
    out.filter.student = query.text("student");
    out.filter.state = query.text("state");
    if (out.filter.state && find(states, *out.filter.state) == nullptr)
        throw invalid("state", "The state is one of wanted, asked, confirmed, failed, revoked.");
    out.filter.cause = query.text("cause");
    if (out.filter.cause && find(causes, *out.filter.cause) == nullptr)
        throw invalid("cause", "This is not a cause of a grant.");
    out.day = query.text("day");
    if (out.day) {
        const auto day = day_named(*out.day, reader_of(who));
        if (!day)
            throw invalid("day", "A day is written 2026-11-26.");
        out.filter.from = day->from;
        out.filter.to = day->to;
    }
    out.before = query.cursor();
    out.from = query.text("from");
    query.finish();
    if (out.filter.course_id)
        must_see(who, *out.filter.course_id);
    return out;
}

class writer
{
public:
    writer(const pages& p, reader r) : pages_(p), reader_(std::move(r)) {}

    const reader& whose() const { return reader_; }

    std::string text(std::string_view msgid, const values& with = {}) const
    {
        return pages_.text(reader_.language, msgid, with);
    }

    nlohmann::json rows(const std::vector<live_grant>& grants, base::time_point now) const
    {
        auto out = nlohmann::json::array();
        for (const auto& g : grants)
            out.push_back(row(g, now));
        return out;
    }

    nlohmann::json times(
        const std::vector<access_times>& all, const std::vector<base::time_point>& hours) const
    {
        nlohmann::json out;
        out["any"] = !all.empty();
        if (all.empty())
            return out;
        out["p50"] = seconds(all.front().p50);
        out["p95"] = seconds(all.front().p95);
        out["p99"] = seconds(all.front().p99);
        out["videos"] = pages_.text(reader_.language, say("{n} video"), say("{n} videos"), all.front().count);
        double tallest = 0;
        for (const auto& t : all)
            if (t.hour >= 0)
                tallest = std::max(tallest, t.p95);
        out["tallest"] = seconds(tallest);
        out["chart_width"] = (hours.size() - 1) * bar_width;
        out["hours"] = nlohmann::json::array();
        for (const auto& t : all) {
            if (t.hour < 0 || static_cast<std::size_t>(t.hour) + 1 >= hours.size())
                continue;
            const auto begins = hours[static_cast<std::size_t>(t.hour)];
            nlohmann::json one;
            one["hour"] = hour_of(begins, reader_) + ":00";
            one["count"] = t.count;
            one["p50"] = seconds(t.p50);
            one["p95"] = seconds(t.p95);
            one["p99"] = seconds(t.p99);
            one["x"] = t.hour * bar_width + 1;
            one["high"] = height(t.p95, tallest);
            one["high_top"] = chart_height - height(t.p95, tallest);
            one["low"] = height(t.p50, tallest);
            one["low_top"] = chart_height - height(t.p50, tallest);
            out["hours"].push_back(std::move(one));
        }
        return out;
    }

private:
    static constexpr int bar_width = 10;
    static constexpr int chart_height = 60;

    static int height(double value, double tallest)
    {
        return tallest > 0 ? std::max(1, static_cast<int>(value / tallest * chart_height)) : 1;
    }

    std::string seconds(double s) const
    {
        return how_long(base::duration(static_cast<std::int64_t>(s * 1e6)), pages_, reader_);
    }

    // From one clock to the next; nothing where one of them never rang.
    std::string between(
        const std::optional<base::time_point>& a, const std::optional<base::time_point>& b) const
    {
        return a && b ? how_long(*b - *a, pages_, reader_) : std::string();
    }

    nlohmann::json row(const live_grant& g, base::time_point now) const
    {
        nlohmann::json out;
        out["grant_id"] = base::to_string(g.grant_id);
        const auto changed = g.changed_at ? g.changed_at : g.confirmed_at ? g.confirmed_at : g.wanted_at;
        out["when"] = changed ? pages_.moment(*changed, now, reader_) : std::string();
        out["when_exactly"] = changed ? base::to_iso8601(*changed) : std::string();
        out["student_path"] = g.email.empty()
                                  ? std::string()
                                  : std::string(section) + "?student=" + base::percent_encode(g.email);
        out["student"] = !g.name.empty() ? g.name : g.email;
        out["email"] = g.name.empty() ? std::string() : g.email;
        out["lesson"] = g.lesson_title.empty() ? std::to_string(g.lesson_id) : g.lesson_title;
        out["course"] = g.course_title.empty() ? std::to_string(g.course_id) : g.course_title;
        const auto* state = find(states, g.state);
        out["state"] = state != nullptr ? state->style : std::string_view();
        out["state_word"] = state != nullptr ? text(state->text) : g.state;
        out["note"] = g.state == "failed"    ? g.provider_reason.value_or("")
                      : g.state == "revoked" ? g.revoke_reason.value_or("")
                                             : std::string();
        const auto* cause = find(causes, g.cause);
        out["cause"] = cause != nullptr ? text(cause->text) : g.cause;
        out["caught_up"] =
            g.lane == "backfill" && g.cause != "backfill" ? text(say("caught up")) : std::string();
        // Stepik gives no time of a pass: only that it was not there at the read before.
        out["to_seen"] = between(g.passed_after, g.seen_at);
        const auto known = g.seen_at ? g.seen_at : g.wanted_at;
        out["to_asked"] = between(known, g.asked_at);
        out["to_confirmed"] = between(g.asked_at ? g.asked_at : known, g.confirmed_at);
        out["in_all"] = g.lane == "fresh" ? between(g.passed_after, g.confirmed_at) : std::string();
        return out;
    }

    const pages& pages_;
    reader reader_;
};

template <std::size_t N>
nlohmann::json choices(
    const writer& words, const std::array<word, N>& all, const std::optional<std::string>& chosen)
{
    auto out = nlohmann::json::array();
    for (const auto& w : all) {
        nlohmann::json one;
        one["value"] = w.name;
        one["text"] = words.text(w.text);
        one["chosen"] = chosen && *chosen == w.name;
        out.push_back(std::move(one));
    }
    return out;
}

struct findings
{
    std::vector<course> courses; // those he sees
    std::vector<live_grant> grants;
    std::vector<access_times> times;
    std::string place; // of the event log, at the same moment
};

findings look(db::transaction& tx, const wish& w, const std::vector<base::time_point>& hours)
{
    findings out;
    out.place = to_string(feed_end(tx));
    for (auto& c : list_courses(tx))
        if (!w.filter.only ||
            std::find(w.filter.only->begin(), w.filter.only->end(), c.id) != w.filter.only->end())
            out.courses.push_back(std::move(c));
    out.grants = find_grants(tx, w.filter, w.before, rows_of_page + 1);
    out.times = access_times_of(tx, w.filter, hours);
    return out;
}

// Which grants the events are about. A pass names none; its grant may be there already.
touched_grants touched_by(const std::vector<placed_item>& items)
{
    touched_grants out;
    std::set<std::string> seen;
    for (const auto& one : items) {
        const auto data = nlohmann::json::parse(one.item->data, nullptr, false);
        if (one.item->type == "lesson_passed") {
            touched_grants::pass p;
            p.course_id = one.item->course_id.value_or(0);
            p.stepik_user_id = one.item->stepik_user_id.value_or(0);
            const auto lesson = data.find("lesson_id");
            p.lesson_id =
                lesson != data.end() && lesson->is_number_integer() ? lesson->get<std::int64_t>() : 0;
            out.passes.push_back(p);
            continue;
        }
        const auto id = data.value("grant_id", "");
        const auto parsed = base::parse_uuid(id);
        if (parsed.has_value() && seen.insert(id).second)
            out.ids.push_back(*parsed);
    }
    return out;
}

// Rows instead of events. Who has signed out meanwhile, or lost his role, is told no more.
class grant_rows final : public feed_words
{
public:
    grant_rows(gateway& g, std::string token_hash, wish w, reader r)
        : g_(g), token_hash_(std::move(token_hash)), wish_(std::move(w)), words_(g.pages, std::move(r))
    {}

    async::task<std::optional<std::string>> tell(const std::vector<placed_item>& items) override
    {
        const auto which = touched_by(items);
        const auto now = base::now();
        const auto clock = std::chrono::steady_clock::now();
        const bool with_times = clock - told_times_ >= times_every;
        const auto hours = hours_of_today(now, words_.whose());
        std::vector<live_grant> grants;
        std::vector<access_times> times;
        auto body = [&](db::transaction& tx) {
            const auto session = find_session(tx, token_hash_);
            if (!session)
                return false;
            const auto may = rights_of(session->roles, session->authors_of);
            auto filter = wish_.filter;
            filter.only = may.seen_courses();
            if (!may.is_staff() || (filter.course_id && !may.sees(*filter.course_id)))
                return false;
            grants = find_touched(tx, filter, which);
            times = with_times ? access_times_of(tx, filter, hours) : std::vector<access_times>();
            return true;
        };
        const bool may_see = co_await g_.db.snapshot(body);
        if (!may_see)
            co_return std::nullopt;
        std::string out;
        const auto id = to_string(items.back().place);
        if (with_times) {
            told_times_ = clock;
            out +=
                event({}, "times", g_.pages.part("grant_times", words_.times(times, hours), words_.whose()));
        }
        if (!grants.empty() || !which.ids.empty())
            out += event(id, "grants", change(which, grants, now));
        co_return out;
    }

private:
    static std::string event(const std::string& id, const std::string& type, std::string data)
    {
        http::sse_event e;
        e.id = id;
        e.event = type;
        e.data = std::move(data);
        return http::format_sse(e);
    }

    // The rows as HTML, and the ids of those that the filter does not let through any more.
    std::string change(
        const touched_grants& which, const std::vector<live_grant>& grants, base::time_point now) const
    {
        nlohmann::json data;
        data["rows"] = words_.rows(grants, now);
        nlohmann::json out;
        out["html"] = g_.pages.part("grant_rows", data, words_.whose());
        out["gone"] = nlohmann::json::array();
        for (const auto& id : which.ids)
            if (std::none_of(
                    grants.begin(), grants.end(), [&](const live_grant& g) { return g.grant_id == id; }))
                out["gone"].push_back(base::to_string(id));
        return out.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    }

    gateway& g_;
    std::string token_hash_;
    wish wish_;
    writer words_;
    std::chrono::steady_clock::time_point told_times_ = std::chrono::steady_clock::now();
};

} // namespace

async::task<http::response> live_grants_page(gateway& g, http::request& request, const visitor& who)
{
    const auto asked = read_wish(request, who);
    const auto now = base::now();
    const writer words(g.pages, reader_of(who));
    const auto hours = hours_of_today(now, words.whose());
    auto body = [&](db::transaction& tx) { return look(tx, asked, hours); };
    auto found = co_await g.db.snapshot(body);
    const bool more = found.grants.size() > static_cast<std::size_t>(rows_of_page);
    if (more)
        found.grants.pop_back();

    auto data = words.times(found.times, hours);
    data["rows"] = words.rows(found.grants, now);
    data["none"] = found.grants.empty();
    data["courses"] = nlohmann::json::array();
    for (const auto& c : found.courses) {
        nlohmann::json one;
        one["value"] = c.id;
        one["text"] = c.name();
        one["chosen"] = asked.filter.course_id == c.id;
        data["courses"].push_back(std::move(one));
    }
    data["states"] = choices(words, states, asked.filter.state);
    data["causes"] = choices(words, causes, asked.filter.cause);
    data["student_asked"] = asked.filter.student.value_or("");
    data["lesson_asked"] = asked.filter.lesson_id ? std::to_string(*asked.filter.lesson_id) : std::string();
    data["day_asked"] = asked.day.value_or("");
    const auto query = asked.query();
    data["filtered"] = !query.empty();
    if (more)
        data["older"] =
            std::string(section) + "?cursor=" + cursor_after(found.grants.back().grant_id) + query;
    // What is older does not move.
    if (!asked.before) {
        data["stream"] = std::string(section) + "/stream?from=" + found.place + query;
        const values open{{"n", "{n}"}}; // the script counts
        data["say_new"] = words.text(say("Show what is new: {n}"), open);
        data["say_heard"] = words.text(say("New in the table: {n}"), open);
        data["say_live"] = words.text(say("Live"));
        data["say_broken"] =
            words.text(say("The connection broke. It comes back by itself, with nothing left out."));
        data["say_over"] = words.text(say("Not live any more: reload the page."));
    }
    co_return show_admin(g, who, section, "grants", std::move(data));
}

async::task<http::response> live_grants_stream(gateway& g, http::request& request, const visitor& who)
{
    const auto asked = read_wish(request, who);
    auto from = last_seen_place(request);
    if (!from && asked.from) {
        const auto place = parse_feed_place(*asked.from);
        if (!place.has_value())
            throw invalid("from", "A place in the event log is written xid.seq.");
        from = *place;
    }
    if (!from) {
        auto body = [](db::transaction& tx) { return feed_end(tx); };
        from = co_await g.db.transact(body);
    }
    feed_filter filter;
    filter.only = asked.filter.only;
    filter.course_id = asked.filter.course_id;
    filter.types = {"lesson_passed", "grant_issued", "grant_failed", "grant_revoked"};

    auto out = stream_answer();
    const auto token = token_of(request);
    out.stream = [&g, asked, filter, from = *from, seen_by = reader_of(who),
                     token_hash = base::sha256(token.value_or("")),
                     log = request.log](http::stream_writer& to) -> async::task<void> {
        grant_rows words(g, token_hash, asked, seen_by);
        co_await follow_feed(g, to, filter, from, words, together, log);
    };
    co_return out;
}

} // namespace coursegate::web_gateway
