// What a student sees of his courses: every lesson open, on its way or locked, with the reason and what to do
// next.
#include "handlers/dashboard.hpp"

#include "domain/form.hpp"
#include "domain/refused.hpp"
#include "domain/texts.hpp"
#include "handlers/reading.hpp"
#include "handlers/shapes.hpp"
#include "handlers/student_view.hpp"
#include "pages/pages.hpp"
#include "storage/orders.hpp"

#include "coursegate/base/encoding.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <initializer_list>

namespace coursegate::web_gateway {
namespace {

// For how long a lesson that was opened says how fast that went.
constexpr std::chrono::hours fresh_for{24};
// A difference beyond this says nothing about us: the student was not read for that long.
constexpr std::chrono::hours longest_told{1};

class writer
{
public:
    writer(const pages& p, const reader& r) : pages_(p), reader_(r) {}

    nlohmann::json page(const student_view& v) const
    {
        nlohmann::json out;
        out["courses"] = nlohmann::json::array();
        out["next"] = nullptr;
        bool moves = false;
        for (const auto& c : v.courses)
            out["courses"].push_back(course(v, c, moves, out["next"]));
        out["moves"] = moves ? "true" : "false";
        out["nothing"] = v.courses.empty();
        if (v.courses.empty()) {
            const bool known = v.student.stepik_user_id.has_value();
            out["sentence"] = text(
                known ? say("None of the courses here lists you among its students on Stepik.")
                      : say("We do not know who you are on Stepik, so we can't see which courses you take."));
            out["action"] = text(known ? say("Enrol in your course on Stepik with the account that is linked "
                                             "here: it appears on this page within minutes.")
                                       : say("Ask the author of your course to link your Stepik account."));
        }
        return out;
    }

private:
    struct count
    {
        std::int64_t passed = 0;
        std::int64_t passable = 0; // a lesson without tasks can't be passed
        std::int64_t open = 0;

        void add(const student_lesson& l, look seen)
        {
            passable += l.lesson.gradable_steps > 0 ? 1 : 0;
            passed += l.lesson.gradable_steps > 0 && l.progress && l.progress->passed ? 1 : 0;
            open += seen == look::open ? 1 : 0;
        }
    };

    // A module while its lessons are read: folded unless there is something in it for today.
    struct in_module
    {
        nlohmann::json json{};
        count counted{};
        bool unfolded = false;
    };

    // `next` is set by the first course that has something for the student to do.
    nlohmann::json course(
        const student_view& v, const student_course& c, bool& moves, nlohmann::json& next) const
    {
        nlohmann::json out;
        out["course_id"] = c.course.id;
        out["title"] = c.course.name();
        out["fresh"] = freshness(v, c);
        out["last_read_at"] = json_of(c.enrolment ? c.enrolment->last_read_at : std::nullopt);
        const auto waits = v.estimates.find(c.course.id);
        out["may_check"] = v.student.stepik_user_id.has_value() && waits == v.estimates.end();
        out["check"] = waits != v.estimates.end() ? waiting(waits->second) : checked(v, c);
        moves = moves || waits != v.estimates.end();

        count whole;
        std::vector<in_module> modules;
        bool has_next = false; // of this course
        each_lesson(v, c, [&](const seen_lesson& l) {
            const auto& about = l.t.lesson;
            if (modules.empty() || modules.back().json["module_id"] != about.module_id)
                modules.push_back(begin_module(c, about));
            auto& m = modules.back();
            auto shown = lesson(v, l);
            if (!has_next && is_to_do(l, shown)) {
                has_next = true;
                m.unfolded = true;
                if (next.is_null())
                    next = shown;
            }
            m.unfolded = m.unfolded || l.seen == look::moving || is_newly_open(l);
            m.json["lessons"].push_back(std::move(shown));
            m.counted.add(l.facts, l.seen);
            whole.add(l.facts, l.seen);
            moves = moves || l.seen == look::moving;
        });
        out["modules"] = nlohmann::json::array();
        for (auto& m : modules) {
            m.json["progress"] = progress(m.counted);
            put_counts(m.json, m.counted);
            m.json["unfolded"] = m.unfolded;
            out["modules"].push_back(std::move(m.json));
        }
        out["no_lessons"] = modules.empty();
        out["progress"] = modules.empty() ? std::string() : progress(whole);
        put_counts(out, whole);
        out["total"] = std::max<std::int64_t>(1, whole.passable); // an empty scale is none
        return out;
    }

    static void put_counts(nlohmann::json& out, const count& c)
    {
        out["passed"] = c.passed;
        out["passable"] = c.passable;
        out["open"] = c.open;
    }

    static in_module begin_module(const student_course& c, const web_gateway::lesson& first)
    {
        in_module out;
        out.json["course_id"] = c.course.id;
        out.json["module_id"] = first.module_id;
        out.json["title"] = first.module_title.empty() ? std::to_string(first.module_id) : first.module_title;
        out.json["lessons"] = nlohmann::json::array();
        return out;
    }

    // Locked, and it is the student who can change that.
    static bool is_to_do(const seen_lesson& l, const nlohmann::json& shown)
    {
        return l.seen == look::locked && !shown["link"].get_ref<const std::string&>().empty();
    }

    static std::optional<base::time_point> opened_at(const trail& t)
    {
        std::optional<base::time_point> out;
        for (const auto& g : t.grants)
            if (g.confirmed_at && (!out || *g.confirmed_at > *out))
                out = g.confirmed_at;
        return out;
    }

    static bool is_newly_open(const seen_lesson& l)
    {
        const auto opened = opened_at(l.t);
        return l.seen == look::open && opened && l.t.now - *opened <= fresh_for;
    }

    nlohmann::json lesson(const student_view& v, const seen_lesson& l) const
    {
        const auto& t = l.t;
        const auto told = tell_student(
            t, l.at, reader_.language, [this](base::time_point day) { return pages_.day(day, reader_); });
        nlohmann::json out;
        out["course_id"] = t.course.id;
        out["lesson_id"] = t.lesson.id;
        out["title"] = t.lesson.title.empty() ? std::to_string(t.lesson.id) : t.lesson.title;
        out["path"] = path(v, t);
        out["sentence"] = told.sentence;
        out["state"] = to_string(l.seen);
        out["state_word"] = text(word_of(l.seen));
        out["action"] = l.seen == look::open ? how_fast(t) : l.follows ? std::string() : told.action;
        out["link"] = l.seen == look::open || l.follows ? std::string() : told.link.value_or("");
        return out;
    }

    // A lesson that several of his courses have needs to say which one is meant.
    static std::string path(const student_view& v, const trail& t)
    {
        const auto has_it = [&](const student_course& c) {
            return c.course.id != t.course.id &&
                   std::any_of(c.lessons.begin(), c.lessons.end(),
                       [&](const student_lesson& l) { return l.lesson.id == t.lesson.id; });
        };
        const auto out = "/lessons/" + std::to_string(t.lesson.id);
        return std::any_of(v.courses.begin(), v.courses.end(), has_it)
                   ? out + "?course=" + std::to_string(t.course.id)
                   : out;
    }

    std::string progress(const count& c) const
    {
        auto out = plural(say("Passed {passed} of {n} lesson"), say("Passed {passed} of {n} lessons"),
            c.passable, {{"passed", whole_number(c.passed, reader_.language)}});
        return out + " · " + plural(say("{n} video open"), say("{n} videos open"), c.open);
    }

    // "At most": Stepik does not say when a lesson was passed, only that it was not yet at the read before.
    std::string how_fast(const trail& t) const
    {
        if (!t.progress || !t.progress->passed_after || t.progress->backfill)
            return {};
        const auto opened = opened_at(t);
        if (!opened || t.now - *opened > fresh_for)
            return {};
        const auto took = std::chrono::ceil<std::chrono::seconds>(*opened - *t.progress->passed_after);
        if (took.count() < 1 || took > longest_told)
            return {};
        if (took.count() < 90)
            return plural(say("Opened within {n} second of your passing the lesson."),
                say("Opened within {n} seconds of your passing the lesson."), took.count());
        return plural(say("Opened within {n} minute of your passing the lesson."),
            say("Opened within {n} minutes of your passing the lesson."),
            std::chrono::ceil<std::chrono::minutes>(took).count());
    }

    std::string freshness(const student_view& v, const student_course& c) const
    {
        if (!v.student.stepik_user_id)
            return {};
        if (!c.enrolment)
            return text(say("Stepik does not list you among the students of this course."));
        if (!c.enrolment->last_read_at)
            return text(say("Your results have not been read from Stepik yet."));
        const auto when = pages_.ago(*c.enrolment->last_read_at, v.now, reader_);
        return c.reading && c.reading->ok
                   ? text(say("Your results were read from Stepik {when}."), {{"when", when}})
                   : text(say("Stepik can't be read at the moment; your results are those of {when}."),
                         {{"when", when}});
    }

    std::string waiting(const sync_estimate& e) const
    {
        return e.seconds ? plural(say("Your results are being read. That takes about {n} second."),
                               say("Your results are being read. That takes about {n} seconds."), *e.seconds)
                         : text(say("Your results will be read as soon as Stepik can be reached; nobody can "
                                    "say when that is."));
    }

    std::string checked(const student_view& v, const student_course& c) const
    {
        if (!c.last_check || !c.last_check->state.finished_at)
            return {};
        const auto& outcome = c.last_check->state.outcome.value_or("");
        if (outcome == "checked")
            return text(say("Checked {when}."),
                {{"when", pages_.ago(*c.last_check->state.finished_at, v.now, reader_)}});
        if (outcome == "cooldown")
            return text(say("You were checked only moments ago. Wait a little before you ask again."));
        if (outcome == "not_enrolled")
            return text(say("Stepik does not list you among the students of this course."));
        return text(say("The check did not work out: Stepik could not be read. Try again in a minute."));
    }

    std::string text(std::string_view msgid, const values& with = {}) const
    {
        return pages_.text(reader_.language, msgid, with);
    }
    std::string plural(
        std::string_view one, std::string_view many, std::int64_t n, const values& with = {}) const
    {
        return pages_.text(reader_.language, one, many, n, with);
    }

    const pages& pages_;
    const reader& reader_;
};

nlohmann::json chosen(const nlohmann::json& from, std::initializer_list<const char*> names)
{
    auto out = nlohmann::json::object();
    for (const auto* name : names)
        out[name] = from.at(name);
    return out;
}

nlohmann::json lesson_for_programs(const nlohmann::json& shown)
{
    auto out = chosen(shown,
        {"course_id", "lesson_id", "title", "path", "state", "state_word", "sentence", "action", "link"});
    if (out["link"] == "")
        out["link"] = nullptr;
    return out;
}

nlohmann::json course_for_programs(const nlohmann::json& shown)
{
    auto out = chosen(shown, {"course_id", "title", "last_read_at", "fresh", "may_check", "check", "progress",
                                 "passed", "passable", "open"});
    out["modules"] = nlohmann::json::array();
    for (const auto& m : shown["modules"]) {
        auto module = chosen(m, {"module_id", "title", "progress", "passed", "passable", "open"});
        module["lessons"] = nlohmann::json::array();
        for (const auto& l : m["lessons"])
            module["lessons"].push_back(lesson_for_programs(l));
        out["modules"].push_back(std::move(module));
    }
    return out;
}

// Whether If-None-Match names the tag: a list, "*" for any, and a cache may have made it weak (RFC
// 9110 13.1.2).
bool is_known(const std::optional<std::string>& if_none_match, const std::string& tag)
{
    return if_none_match && (*if_none_match == "*" || if_none_match->find(tag) != std::string::npos);
}

// What the page shows, without what is only for its template.
nlohmann::json for_programs(const nlohmann::json& page, const std::string& language)
{
    nlohmann::json out;
    out["language"] = language;
    out["moves"] = page["moves"] == "true";
    out["next"] = page["next"].is_null() ? nlohmann::json() : lesson_for_programs(page["next"]);
    out["sentence"] = page.value("sentence", "");
    out["action"] = page.value("action", "");
    out["courses"] = nlohmann::json::array();
    for (const auto& c : page["courses"])
        out["courses"].push_back(course_for_programs(c));
    return out;
}

} // namespace

async::task<nlohmann::json> dashboard_data(gateway& g, const visitor& who, const reader& seen_by)
{
    // One moment: with a check that is over, and results from before it, a page would wait for nothing.
    auto body = [&](db::transaction& tx) { return read_view(tx, who); };
    const auto view = co_await g.db.snapshot(body);
    co_return writer(g.pages, seen_by).page(view);
}

async::task<http::response> home_page(gateway& g, http::request& request)
{
    const auto who = co_await find_visitor(g, request);
    co_return g.pages.show("home", nlohmann::json::object(), who ? reader_of(*who) : reader_of(request));
}

async::task<http::response> me_page(gateway&, http::request&, const visitor&)
{
    co_return http::response::redirect("/dashboard");
}

async::task<http::response> dashboard_page(gateway& g, http::request&, const visitor& who)
{
    const auto seen_by = reader_of(who);
    const auto data = co_await dashboard_data(g, who, seen_by);
    co_return g.pages.show("dashboard", data, seen_by);
}

async::task<http::response> courses_part(gateway& g, http::request& request, const visitor& who)
{
    const auto seen_by = reader_of(who);
    const auto data = co_await dashboard_data(g, who, seen_by);
    auto html = g.pages.part("courses", data, seen_by);
    const auto tag = "\"" + base::to_hex(base::sha256(html)).substr(0, 16) + "\"";
    http::response out;
    out.status = 304;
    if (request.headers.get("If-None-Match").value_or("") != tag)
        out = http::response::html(200, std::move(html));
    out.headers.set("ETag", tag);
    co_return out;
}

async::task<http::response> own_dashboard_route(gateway& g, http::request& request, const visitor& who)
{
    query_reader(request).finish();
    const auto seen_by = reader_of(who);
    const auto data = co_await dashboard_data(g, who, seen_by);
    auto out = http::response::json(200, for_programs(data, seen_by.language));
    const auto tag = "\"" + base::to_hex(base::sha256(out.body)).substr(0, 32) + "\"";
    if (is_known(request.headers.get("If-None-Match"), tag)) {
        out = http::response{};
        out.status = 304;
    }
    out.headers.set("ETag", tag);
    co_return out;
}

// A crash before COMMIT leaves nothing and the student asks again; after it the request is there, and the
// page shows it.
async::task<http::response> check_form(gateway& g, http::request& request, const visitor& who)
{
    auto f = form::parse(request.body);
    f.text("csrf");
    const auto course_id = f.id("course");
    f.finish();

    const auto by = who.acting(request);
    auto body = [&](db::transaction& tx) {
        const auto v = read_view(tx, who);
        const auto mine = std::any_of(v.courses.begin(), v.courses.end(),
            [&](const student_course& c) { return c.course.id == course_id; });
        if (!mine)
            throw refused(
                refusal::not_found, slug::course_not_found, "This is not a course of yours.", "course");
        // Asking twice makes nothing faster; how often Stepik may be asked is stepik-sync's to say.
        if (v.student.stepik_user_id && !v.estimates.contains(course_id))
            order_sync(tx, by, course_id, *v.student.stepik_user_id, who.user_id);
        return true;
    };
    co_await g.db.transact(body);
    co_return http::response::redirect("/dashboard#course-" + std::to_string(course_id));
}

} // namespace coursegate::web_gateway
