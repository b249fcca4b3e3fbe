#include "handlers/audit_rows.hpp"

#include "domain/input.hpp"
#include "domain/refused.hpp"
#include "handlers/csv_answer.hpp"
#include "handlers/reading.hpp"
#include "handlers/shapes.hpp"
#include "handlers/staff.hpp"
#include "handlers/uses.hpp"
#include "pages/days.hpp"
#include "storage/audit_search.hpp"
#include "storage/catalog.hpp"

#include "coursegate/base/encoding.hpp"

#include <nlohmann/json.hpp>

#include <limits>

namespace coursegate::web_gateway {
namespace {

constexpr std::string_view section = "/admin/audit-log";
constexpr int rows_of_page = 50;
constexpr int rows_of_piece = 1000; // of a file

// What the reader asked to see.
struct wish
{
    audit_filter filter;
    std::optional<std::string> from{}; // days
    std::optional<std::string> to{};
    std::optional<std::int64_t> before{};

    std::string query() const
    {
        std::string out;
        const auto add = [&](std::string_view name, const std::optional<std::string>& value) {
            if (value)
                out += "&" + std::string(name) + "=" + base::percent_encode(*value);
        };
        add("person", filter.person);
        add("what", filter.what);
        add("target", filter.target);
        if (filter.course_id)
            out += "&course=" + std::to_string(*filter.course_id);
        add("from", from);
        add("to", to);
        return out;
    }
};

span_of_time day_in(const std::string& date, const char* field, const reader& r)
{
    const auto day = day_named(date, r);
    if (!day)
        throw invalid(field, "A day is written 2026-11-26.");
    return *day;
}

wish read_wish(const http::request& request, const visitor& who)
{
    query_reader query(request);
    wish out;
    out.filter.only = rights_of(who).seen_courses();
    out.filter.himself = "user/" + base::to_string(who.user_id);
    out.filter.person = query.text("person");
    out.filter.what = query.text("what");
    out.filter.target = query.text("target");
    out.filter.course_id = query.id("course");
    out.from = query.text("from");
    out.to = query.text("to");
    out.before = query.id("before");
    query.finish();
    if (out.filter.course_id)
        must_see(who, *out.filter.course_id);
    if (out.from)
        out.filter.from = day_in(*out.from, "from", reader_of(who)).from;
    if (out.to)
        out.filter.to = day_in(*out.to, "to", reader_of(who)).to;
    return out;
}

// An e-mail says more than an id.
std::string person_of(const audit_row& r)
{
    auto out = r.who_email.empty() ? r.who : r.who_email;
    if (r.on_behalf_of)
        out += " (" + *r.on_behalf_of + ")";
    return out;
}

std::string target_of(const audit_row& r)
{
    if (r.target_email.empty())
        return r.target;
    const auto after_id = r.target.find('/', std::string_view("user/").size());
    return r.target_email + (after_id == std::string::npos ? std::string() : r.target.substr(after_id));
}

std::string pretty(const std::optional<std::string>& text)
{
    if (!text)
        return {};
    const auto parsed = nlohmann::json::parse(*text, nullptr, false);
    return parsed.is_discarded() ? *text
                                 : parsed.dump(2, ' ', false, nlohmann::json::error_handler_t::replace);
}

nlohmann::json json_of(const audit_row& r)
{
    const auto value = [](const std::optional<std::string>& text) {
        return text ? nlohmann::json::parse(*text, nullptr, false) : nlohmann::json();
    };
    nlohmann::json out;
    out["id"] = r.id;
    out["at"] = base::to_iso8601(r.at);
    out["who"] = r.who;
    out["on_behalf_of"] = web_gateway::json_of(r.on_behalf_of);
    out["what"] = r.what;
    out["target"] = r.target;
    out["course_id"] = web_gateway::json_of(r.course_id);
    out["before"] = value(r.before);
    out["after"] = value(r.after);
    out["why"] = web_gateway::json_of(r.why);
    out["request_id"] = r.request_id;
    out["address"] = web_gateway::json_of(r.address);
    return out;
}

} // namespace

async::task<http::response> audit_log_page(gateway& g, http::request& request, const visitor& who)
{
    const auto asked = read_wish(request, who);
    const auto seen_by = reader_of(who);
    const auto now = base::now();
    std::vector<course> courses;
    auto body = [&](db::transaction& tx) {
        courses = list_courses(tx);
        return find_audit_rows(tx, asked.filter, asked.before, rows_of_page + 1);
    };
    auto rows = co_await g.db.snapshot(body);
    const bool more = rows.size() > static_cast<std::size_t>(rows_of_page);
    if (more)
        rows.pop_back();
    const auto may = rights_of(who);
    nlohmann::json data;
    data["courses"] = nlohmann::json::array();
    for (const auto& c : courses) {
        if (!may.sees(c.id))
            continue;
        nlohmann::json one;
        one["value"] = c.id;
        one["text"] = c.name();
        one["chosen"] = asked.filter.course_id == c.id;
        data["courses"].push_back(std::move(one));
    }
    data["person_asked"] = asked.filter.person.value_or("");
    data["what_asked"] = asked.filter.what.value_or("");
    data["target_asked"] = asked.filter.target.value_or("");
    data["from_asked"] = asked.from.value_or("");
    data["to_asked"] = asked.to.value_or("");
    data["rows"] = nlohmann::json::array();
    for (const auto& r : rows) {
        nlohmann::json one;
        one["when"] = g.pages.moment(r.at, now, seen_by);
        one["when_exactly"] = base::to_iso8601(r.at);
        one["person"] = person_of(r);
        one["what"] = r.what;
        one["target"] = target_of(r);
        one["why"] = r.why.value_or("");
        one["address"] = r.address.value_or("");
        one["request_id"] = r.request_id;
        one["before"] = pretty(r.before);
        one["after"] = pretty(r.after);
        one["changed"] = r.before || r.after;
        data["rows"].push_back(std::move(one));
    }
    data["none"] = rows.empty();
    data["of_an_author"] = asked.filter.only.has_value();
    const auto query = asked.query();
    data["filtered"] = !query.empty();
    data["csv"] = std::string(section) + "/csv" + (query.empty() ? "" : "?" + query.substr(1));
    if (more)
        data["older"] = std::string(section) + "?before=" + std::to_string(rows.back().id) + query;
    co_return show_admin(g, who, section, "audit_log", std::move(data));
}

async::task<http::response> audit_log_csv(gateway& g, http::request& request, const visitor& who)
{
    const auto asked = read_wish(request, who);
    const auto seen_by = reader_of(who);
    const auto text = [&](std::string_view msgid) { return g.pages.text(seen_by.language, msgid); };
    const csv_writer csv(seen_by.language);
    const auto top =
        csv.row({text(say("When")), text(say("Who")), text(say("What")), text(say("About")), text(say("Why")),
            text(say("From where")), text(say("Before")), text(say("After")), text(say("Request"))});

    struct progress
    {
        wish at;
        std::string pending; // not written yet
        bool over = false;
    };
    auto begin = [&g, asked, csv, top, seen_by]() -> csv_pieces {
        auto p = std::make_shared<progress>();
        p->at = asked;
        p->pending = top;
        return [&g, p, csv, seen_by]() -> async::task<std::optional<std::string>> {
            if (p->over)
                co_return std::nullopt;
            auto body = [&](db::transaction& tx) {
                return find_audit_rows(tx, p->at.filter, p->at.before, rows_of_piece);
            };
            const auto rows = co_await g.db.transact(body);
            auto out = std::move(p->pending);
            p->pending.clear();
            for (const auto& r : rows)
                out +=
                    csv.row({clock_of(r.at, seen_by), person_of(r), r.what, target_of(r), r.why.value_or(""),
                        r.address.value_or(""), r.before.value_or(""), r.after.value_or(""), r.request_id});
            p->over = rows.size() < static_cast<std::size_t>(rows_of_piece);
            if (!rows.empty())
                p->at.before = rows.back().id;
            co_return out;
        };
    };
    co_return csv_stream("audit-log.csv", begin);
}

async::task<http::response> audit_log_route(gateway& g, call& c)
{
    query_reader query(c.request);
    audit_filter filter;
    filter.person = query.text("person");
    filter.what = query.text("what");
    filter.target = query.text("target");
    filter.course_id = query.id("course");
    if (const auto from = query.text("from"))
        filter.from = checked_time(*from, "from");
    if (const auto to = query.text("to"))
        filter.to = checked_time(*to, "to");
    std::optional<std::int64_t> before;
    if (const auto cursor = query.text("cursor"))
        before = checked_number(*cursor, "cursor", 1, std::numeric_limits<std::int64_t>::max());
    const auto limit = query.limit(50, 500);
    query.finish();

    auto body = [&](db::transaction& tx) {
        if (filter.course_id)
            course_named(tx, *filter.course_id, "course");
        return find_audit_rows(tx, filter, before, limit + 1);
    };
    auto rows = co_await g.db.snapshot(body);
    const bool more = rows.size() > static_cast<std::size_t>(limit);
    if (more)
        rows.pop_back();
    nlohmann::json out;
    out["rows"] = nlohmann::json::array();
    for (const auto& r : rows)
        out["rows"].push_back(json_of(r));
    out["next_cursor"] = more ? nlohmann::json(std::to_string(rows.back().id)) : nlohmann::json();
    co_return http::response::json(200, out);
}

} // namespace coursegate::web_gateway
