// What a student sees of his courses: every lesson open, on its way or locked, with the reason and what to do
// next. The facts and the words are those of GET /v1/why (domain/trail.hpp, domain/texts.hpp), for all
// lessons at once.
#include "handlers/dashboard.hpp"

#include "domain/form.hpp"
#include "domain/input.hpp"
#include "domain/refused.hpp"
#include "domain/texts.hpp"
#include "pages/pages.hpp"
#include "storage/orders.hpp"
#include "storage/student_courses.hpp"
#include "storage/users.hpp"

#include "coursegate/base/encoding.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <charconv>

namespace coursegate::web_gateway {
namespace {

// For how long a lesson that was opened says how fast that went.
constexpr std::chrono::hours fresh_for{24};
// A difference beyond this says nothing about us: the student was not read for that long.
constexpr std::chrono::hours longest_told{1};

struct student_view
{
    trail_student student;
    std::vector<student_course> courses;
    // Of the courses where a check waits.
    std::map<std::int64_t, sync_estimate> estimates;
    base::time_point now{};
};

student_view read_view(db::transaction& tx, const visitor& who)
{
    student_view out;
    out.now = base::now();
    out.student.user_id = who.user_id;
    if (const auto u = find_user(tx, who.user_id)) {
        out.student.stepik_user_id = u->stepik_user_id;
        out.student.has_code = u->has_code;
    }
    out.courses = courses_of_student(tx, who.user_id, out.student.stepik_user_id);
    for (const auto& c : out.courses)
        if (c.last_check && !c.last_check->state.finished_at)
            out.estimates.emplace(
                c.course.id, estimate_sync(recent_syncs_of(tx, c.course.id, c.last_check->request_id)));
    return out;
}

// ---- One lesson ----

enum class look
{
    open,
    moving,
    locked,
};

look look_of(stage s)
{
    switch (s) {
    case stage::open:
        return look::open;
    case stage::wanted:
    case stage::asked:
    case stage::retrying:
    case stage::being_decided:
        return look::moving;
    default:
        return look::locked;
    }
}

// What is true of all lessons of a course; the rest is put in lesson by lesson.
trail trail_of(const student_view& v, const student_course& c)
{
    trail out;
    out.now = v.now;
    out.student = v.student;
    out.course = c.course;
    out.enrolment = c.enrolment;
    out.reading = c.reading;
    out.provider = c.provider;
    return out;
}

class writer
{
public:
    writer(const pages& p, const reader& r) : pages_(p), reader_(r) {}

    nlohmann::json page(const student_view& v) const
    {
        nlohmann::json out;
        out["courses"] = nlohmann::json::array();
        bool moves = false;
        for (const auto& c : v.courses)
            out["courses"].push_back(course(v, c, moves));
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

    nlohmann::json course(const student_view& v, const student_course& c, bool& moves) const
    {
        nlohmann::json out;
        out["course_id"] = c.course.id;
        out["title"] = c.course.name();
        out["fresh"] = freshness(v, c);
        const auto waits = v.estimates.find(c.course.id);
        out["may_check"] = v.student.stepik_user_id.has_value() && waits == v.estimates.end();
        out["check"] = waits != v.estimates.end() ? waiting(waits->second) : checked(v, c);
        moves = moves || waits != v.estimates.end();

        auto t = trail_of(v, c);
        count whole;
        count in_module;
        out["modules"] = nlohmann::json::array();
        auto& modules = out["modules"];
        std::int64_t module_id = 0;
        auto previous = look::locked;
        for (const auto& l : c.lessons) {
            t.lesson = l.lesson;
            t.rule = rule_for(l.lesson, c.rules);
            t.media = l.media;
            t.progress = l.progress;
            t.decision = l.decision;
            t.grants = l.grants;
            const auto at = stage_of(t);
            // It comes with the lesson before it, and that one is open or coming: there is nothing to do but
            // wait.
            const bool follows = at == stage::waits_for_previous && previous != look::locked;
            const auto seen = follows ? look::moving : look_of(at);
            if (l.lesson.vanished && seen == look::locked)
                continue; // it is not in the course any more, and was nothing here
            if (modules.empty() || module_id != l.lesson.module_id) {
                if (!modules.empty())
                    modules.back()["progress"] = progress(in_module);
                in_module = {};
                module_id = l.lesson.module_id;
                nlohmann::json module;
                module["module_id"] = module_id;
                module["title"] =
                    l.lesson.module_title.empty() ? std::to_string(module_id) : l.lesson.module_title;
                module["lessons"] = nlohmann::json::array();
                modules.push_back(std::move(module));
            }
            modules.back()["lessons"].push_back(lesson(t, at, seen, follows));
            whole.add(l, seen);
            in_module.add(l, seen);
            moves = moves || seen == look::moving;
            if (!l.lesson.vanished) {
                t.previous = l.lesson;
                previous = seen;
            }
        }
        if (!modules.empty())
            modules.back()["progress"] = progress(in_module);
        out["no_lessons"] = modules.empty();
        out["progress"] = modules.empty() ? std::string() : progress(whole);
        out["passed"] = whole.passed;
        out["total"] = std::max<std::int64_t>(1, whole.passable); // an empty scale is none
        return out;
    }

    nlohmann::json lesson(const trail& t, stage at, look seen, bool only_waits) const
    {
        const auto told = tell_student(
            t, at, reader_.language, [this](base::time_point day) { return pages_.day(day, reader_); });
        nlohmann::json out;
        out["lesson_id"] = t.lesson.id;
        out["title"] = t.lesson.title.empty() ? std::to_string(t.lesson.id) : t.lesson.title;
        out["on_stepik"] = stepik_link(t.lesson.id, {});
        out["sentence"] = told.sentence;
        switch (seen) {
        case look::open:
            out["state"] = "open";
            out["state_word"] = text(say("open"));
            break;
        case look::moving:
            out["state"] = "moving";
            out["state_word"] = text(say("on its way"));
            break;
        case look::locked:
            out["state"] = "locked";
            out["state_word"] = text(say("locked"));
            break;
        }
        out["action"] = seen == look::open ? how_fast(t) : only_waits ? std::string() : told.action;
        out["link"] = seen == look::open ? std::string() : told.link.value_or("");
        return out;
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
        std::optional<base::time_point> opened;
        for (const auto& g : t.grants)
            if (g.confirmed_at && (!opened || *g.confirmed_at > *opened))
                opened = g.confirmed_at;
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

async::task<nlohmann::json> view_data(gateway& g, const visitor& who, const reader& seen_by)
{
    auto body = [&](db::transaction& tx) { return read_view(tx, who); };
    const auto view = co_await g.db.transact(body);
    co_return writer(g.pages, seen_by).page(view);
}

} // namespace

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
    const auto data = co_await view_data(g, who, seen_by);
    co_return g.pages.show("dashboard", data, seen_by);
}

async::task<http::response> courses_part(gateway& g, http::request& request, const visitor& who)
{
    const auto seen_by = reader_of(who);
    const auto data = co_await view_data(g, who, seen_by);
    auto html = g.pages.part("courses", data, seen_by);
    const auto tag = "\"" + base::to_hex(base::sha256(html)).substr(0, 16) + "\"";
    http::response out;
    out.status = 304;
    if (request.headers.get("If-None-Match").value_or("") != tag)
        out = http::response::html(200, std::move(html));
    out.headers.set("ETag", tag);
    co_return out;
}

// A crash before COMMIT leaves nothing and the student asks again; after it the request is there, and the
// page shows it.
async::task<http::response> check_form(gateway& g, http::request& request, const visitor& who)
{
    auto f = form::parse(request.body);
    f.text("csrf");
    const auto course = f.text("course");
    f.finish();
    std::int64_t course_id = 0;
    const auto* end = course.data() + course.size();
    if (const auto [at, ec] = std::from_chars(course.data(), end, course_id); ec != std::errc() || at != end)
        throw invalid("course", "This is not the id of a course.");

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
