#include "handlers/numbers.hpp"

#include "domain/refused.hpp"
#include "handlers/csv_answer.hpp"
#include "handlers/reading.hpp"
#include "handlers/staff.hpp"
#include "handlers/uses.hpp"
#include "pages/days.hpp"
#include "storage/catalog.hpp"
#include "storage/learning.hpp"
#include "storage/numbers.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace coursegate::web_gateway {
namespace {

constexpr std::string_view section = "/admin/numbers";
constexpr int days_shown = 30;
constexpr int rows_of_page = 100;
constexpr int rows_of_piece = 1000; // of a file

class writer
{
public:
    writer(const gateway& g, const visitor& who) : pages_(g.pages), reader_(reader_of(who)) {}

    const reader& whose() const { return reader_; }
    std::string text(std::string_view msgid, const values& with = {}) const
    {
        return pages_.text(reader_.language, msgid, with);
    }
    std::string number(int n) const { return whole_number(n, reader_.language); }
    std::string day(base::time_point t) const { return pages_.day(t, reader_); }
    std::string moment(const std::optional<base::time_point>& t, base::time_point now) const
    {
        return t ? pages_.moment(*t, now, reader_) : std::string();
    }

    nlohmann::json page(
        const course& c, const course_numbers& n, const std::vector<base::time_point>& days) const
    {
        const auto id = std::to_string(c.id);
        nlohmann::json out;
        out["course_id"] = c.id;
        out["course_title"] = c.name();
        out["enrolled"] = number(n.enrolled);
        out["active"] = number(n.active);
        out["opened"] = number(n.opened());
        out["stuck"] = number(n.stuck());
        out["any_stuck"] = n.stuck() > 0;
        out["lessons"] = nlohmann::json::array();
        for (const auto& l : n.lessons)
            out["lessons"].push_back(lesson(id, n, l));
        out["no_lessons"] = n.lessons.empty();
        add_days(out, id, n, days);
        return out;
    }

    std::string title_of(const lesson_numbers& l) const
    {
        return l.title.empty() ? std::to_string(l.lesson_id) : l.title;
    }

    std::string stuck(const lesson_numbers& l) const
    {
        return pages_.text(reader_.language, say("open for {n} person, nobody watched"),
            say("open for {n} people, nobody watched"), l.opened);
    }

private:
    static constexpr int bar_width = 10;
    static constexpr int chart_height = 60;

    nlohmann::json lesson(const std::string& course, const course_numbers& n, const lesson_numbers& l) const
    {
        nlohmann::json out;
        out["lesson_id"] = l.lesson_id;
        out["lesson_title"] = title_of(l);
        out["module_title"] = l.module_title;
        out["passable"] = l.passable;
        out["passed"] = number(l.passed);
        out["bar"] = l.passed;
        out["whole"] = std::max({1, n.enrolled, l.passed});
        out["opened"] = number(l.opened);
        out["watched"] = number(l.watched);
        out["has_video"] = l.has_video;
        out["is_stuck"] = l.is_stuck();
        out["stuck_words"] = l.is_stuck() ? stuck(l) : std::string();
        out["passed_path"] = std::string(section) + "/students?course=" + course +
                             "&show=passed&lesson=" + std::to_string(l.lesson_id);
        out["opened_path"] =
            "/admin/grants?course=" + course + "&lesson=" + std::to_string(l.lesson_id) + "&state=confirmed";
        return out;
    }

    void add_days(nlohmann::json& out, const std::string& course, const course_numbers& n,
        const std::vector<base::time_point>& days) const
    {
        const auto most = std::max(1, *std::max_element(n.days.begin(), n.days.end()));
        out["chart_width"] = n.days.size() * bar_width;
        out["days"] = nlohmann::json::array();
        for (std::size_t i = n.days.size(); i-- > 0;) {
            nlohmann::json one;
            one["day"] = day(days[i]);
            one["grants"] = number(n.days[i]);
            one["any"] = n.days[i] > 0;
            one["path"] = "/admin/grants?course=" + course + "&day=" + date_of(days[i], reader_);
            const auto height =
                n.days[i] == 0 ? 0
                               : std::max(1, static_cast<int>(std::int64_t{n.days[i]} * chart_height / most));
            one["x"] = i * bar_width + 1;
            one["top"] = chart_height - height;
            one["height"] = height;
            out["days"].push_back(std::move(one));
        }
    }

    const pages& pages_;
    reader reader_;
};

struct findings
{
    std::vector<course> courses; // those he sees
    std::optional<web_gateway::course> chosen{};
    course_numbers numbers;
};

findings look(db::transaction& tx, const staff_rights& may, const std::optional<std::int64_t>& course_id,
    const std::vector<base::time_point>& days)
{
    findings out;
    for (auto& c : list_courses(tx))
        if (may.sees(c.id))
            out.courses.push_back(std::move(c));
    if (course_id)
        out.chosen = course_named(tx, *course_id, "course");
    else if (!out.courses.empty())
        out.chosen = out.courses.front();
    if (out.chosen)
        out.numbers = numbers_of(tx, out.chosen->id, days);
    return out;
}

struct people_wish
{
    std::int64_t course_id = 0;
    people which = people::enrolled;
    std::string show;
    std::optional<std::int64_t> lesson_id{};
    std::optional<std::int64_t> after{};
};

people_wish read_people_wish(const http::request& request, const visitor& who)
{
    query_reader query(request);
    people_wish out;
    out.course_id = query.required_id("course");
    out.show = query.required_text("show");
    if (out.show != "enrolled" && out.show != "active" && out.show != "passed")
        throw invalid("show", "This is enrolled, active or passed.");
    out.which = out.show == "enrolled" ? people::enrolled
                : out.show == "active" ? people::active
                                       : people::passed;
    if (out.which == people::passed)
        out.lesson_id = query.required_id("lesson");
    out.after = query.id("after");
    query.finish();
    must_see(who, out.course_id);
    return out;
}

std::string query_of(const people_wish& w)
{
    auto out = "?course=" + std::to_string(w.course_id) + "&show=" + w.show;
    if (w.lesson_id)
        out += "&lesson=" + std::to_string(*w.lesson_id);
    return out;
}

std::string heading_of(const writer& words, const people_wish& w, const std::vector<lesson>& lessons)
{
    if (w.which == people::enrolled)
        return words.text(say("Enrolled"));
    if (w.which == people::active)
        return words.text(say("Active within seven days"));
    const auto found =
        std::find_if(lessons.begin(), lessons.end(), [&](const lesson& l) { return l.id == *w.lesson_id; });
    const auto title =
        found == lessons.end() || found->title.empty() ? std::to_string(*w.lesson_id) : found->title;
    return words.text(say("Passed “{lesson}”"), {{"lesson", title}});
}

std::string clock_or_nothing(const std::optional<base::time_point>& t, const reader& who)
{
    return t ? clock_of(*t, who) : std::string();
}

} // namespace

async::task<http::response> numbers_page(gateway& g, http::request& request, const visitor& who)
{
    query_reader query(request);
    const auto course_id = query.id("course");
    query.finish();
    if (course_id)
        must_see(who, *course_id);
    const writer words(g, who);
    const auto days = last_days(base::now(), days_shown, words.whose());
    const auto may = rights_of(who);
    auto body = [&](db::transaction& tx) { return look(tx, may, course_id, days); };
    const auto found = co_await g.db.snapshot(body);
    auto data = found.chosen ? words.page(*found.chosen, found.numbers, days) : nlohmann::json::object();
    data["chosen_course"] = found.chosen.has_value();
    data["courses"] = nlohmann::json::array();
    for (const auto& c : found.courses) {
        nlohmann::json one;
        one["value"] = c.id;
        one["text"] = c.name();
        one["chosen"] = found.chosen && found.chosen->id == c.id;
        data["courses"].push_back(std::move(one));
    }
    data["several"] = found.courses.size() > 1;
    co_return show_admin(g, who, section, "numbers", std::move(data));
}

async::task<http::response> numbers_csv(gateway& g, http::request& request, const visitor& who)
{
    query_reader query(request);
    const auto course_id = query.required_id("course");
    const auto table = query.required_text("table");
    if (table != "lessons" && table != "days")
        throw invalid("table", "This is lessons or days.");
    query.finish();
    must_see(who, course_id);
    const writer words(g, who);
    const auto days = last_days(base::now(), days_shown, words.whose());
    const auto may = rights_of(who);
    const std::optional<std::int64_t> chosen = course_id;
    auto body = [&](db::transaction& tx) { return look(tx, may, chosen, days); };
    const auto found = co_await g.db.snapshot(body);
    const csv_writer csv(words.whose().language);
    std::string out;
    if (table == "days") {
        out += csv.row({words.text(say("Day")), words.text(say("Grants"))});
        for (std::size_t i = 0; i < found.numbers.days.size(); ++i)
            out += csv.row({date_of(days[i], words.whose()), std::to_string(found.numbers.days[i])});
    }
    else {
        out += csv.row({words.text(say("Module")), words.text(say("Lesson")), words.text(say("Passed")),
            words.text(say("Video open")), words.text(say("Watched")), words.text(say("Notes"))});
        for (const auto& l : found.numbers.lessons)
            out += csv.row({l.module_title, words.title_of(l), l.passable ? std::to_string(l.passed) : "",
                std::to_string(l.opened), std::to_string(l.watched), l.is_stuck() ? words.stuck(l) : ""});
    }
    co_return csv_answer("course-" + std::to_string(course_id) + "-" + table + ".csv", std::move(out));
}

async::task<http::response> counted_students_page(gateway& g, http::request& request, const visitor& who)
{
    const auto asked = read_people_wish(request, who);
    const writer words(g, who);
    const auto now = base::now();
    std::vector<lesson> lessons;
    course of;
    auto body = [&](db::transaction& tx) {
        of = course_named(tx, asked.course_id, "course");
        lessons = structure_of(tx, asked.course_id);
        return people_of(tx, asked.course_id, asked.which, asked.lesson_id, asked.after, rows_of_page + 1);
    };
    auto found = co_await g.db.snapshot(body);
    const bool more = found.size() > static_cast<std::size_t>(rows_of_page);
    if (more)
        found.pop_back();
    nlohmann::json data;
    data["heading"] = heading_of(words, asked, lessons);
    data["course_id"] = asked.course_id;
    data["course_title"] = of.name();
    data["csv"] = std::string(section) + "/students/csv" + query_of(asked);
    data["of_lesson"] = asked.which == people::passed;
    data["rows"] = nlohmann::json::array();
    for (const auto& s : found) {
        nlohmann::json one;
        one["stepik_user_id"] = s.stepik_user_id;
        one["user_id"] = s.user_id ? base::to_string(*s.user_id) : std::string();
        one["student"] = s.name.empty() ? s.email : s.name;
        one["email"] = s.name.empty() ? std::string() : s.email;
        one["joined"] = words.moment(s.date_joined, now);
        one["viewed"] = words.moment(s.last_viewed, now);
        one["passed"] = words.moment(s.passed_before, now);
        one["of_lesson"] = asked.which == people::passed;
        data["rows"].push_back(std::move(one));
    }
    data["none"] = found.empty();
    if (more)
        data["further"] = std::string(section) + "/students" + query_of(asked) +
                          "&after=" + std::to_string(found.back().stepik_user_id);
    co_return show_admin(g, who, section, "counted_students", std::move(data));
}

async::task<http::response> counted_students_csv(gateway& g, http::request& request, const visitor& who)
{
    const auto asked = read_people_wish(request, who);
    const writer words(g, who);
    const bool of_lesson = asked.which == people::passed;
    const csv_writer csv(words.whose().language);
    std::vector<std::string> head{words.text(say("Stepik id")), words.text(say("E-mail")),
        words.text(say("Name")), words.text(say("Joined")), words.text(say("Last seen on Stepik"))};
    if (of_lesson)
        head.push_back(words.text(say("Passed by")));

    struct progress
    {
        people_wish at;
        std::string pending; // not written yet
        bool over = false;
    };
    auto begin = [&g, asked, csv, top = csv.row(head), of_lesson, seen_by = words.whose()]() -> csv_pieces {
        auto p = std::make_shared<progress>();
        p->at = asked;
        p->pending = top;
        return [&g, p, csv, of_lesson, seen_by]() -> async::task<std::optional<std::string>> {
            if (p->over)
                co_return std::nullopt;
            auto body = [&](db::transaction& tx) {
                return people_of(
                    tx, p->at.course_id, p->at.which, p->at.lesson_id, p->at.after, rows_of_piece);
            };
            const auto rows = co_await g.db.transact(body);
            auto out = std::move(p->pending);
            p->pending.clear();
            for (const auto& s : rows) {
                std::vector<std::string> cells{std::to_string(s.stepik_user_id), s.email, s.name,
                    clock_or_nothing(s.date_joined, seen_by), clock_or_nothing(s.last_viewed, seen_by)};
                if (of_lesson)
                    cells.push_back(clock_or_nothing(s.passed_before, seen_by));
                out += csv.row(cells);
            }
            p->over = rows.size() < static_cast<std::size_t>(rows_of_piece);
            if (!rows.empty())
                p->at.after = rows.back().stepik_user_id;
            co_return out;
        };
    };
    co_return csv_stream("course-" + std::to_string(asked.course_id) + "-" + asked.show + ".csv", begin);
}

async::task<http::response> numbers_route(gateway& g, call& c)
{
    const auto course_id = path_id(c.request, "course_id");
    query_reader query(c.request);
    query.finish();
    const reader in_utc;
    const auto days = last_days(base::now(), days_shown, in_utc);
    auto body = [&](db::transaction& tx) {
        course_named(tx, course_id, "course_id");
        return numbers_of(tx, course_id, days);
    };
    const auto found = co_await g.db.snapshot(body);
    nlohmann::json out;
    out["course_id"] = course_id;
    out["enrolled"] = found.enrolled;
    out["active"] = found.active;
    out["lessons"] = nlohmann::json::array();
    for (const auto& l : found.lessons) {
        nlohmann::json one;
        one["lesson_id"] = l.lesson_id;
        one["title"] = l.title;
        one["module_title"] = l.module_title;
        one["passable"] = l.passable;
        one["has_video"] = l.has_video;
        one["passed"] = l.passed;
        one["opened"] = l.opened;
        one["watched"] = l.watched;
        out["lessons"].push_back(std::move(one));
    }
    out["days"] = nlohmann::json::array();
    for (std::size_t i = 0; i < found.days.size(); ++i) {
        nlohmann::json one;
        one["day"] = date_of(days[i], in_utc);
        one["grants"] = found.days[i];
        out["days"].push_back(std::move(one));
    }
    co_return http::response::json(200, out);
}

} // namespace coursegate::web_gateway
