// From "Watch" to the video: the form makes a link (a row with its hash), the page that follows shows it in a
// frame, and the frame is sent on to Boomstream once. The link is an HMAC of the row's id under our key, so
// the page can be shown without the link being kept anywhere; the student's code stands in no page, no log
// and no history of ours, only in that one answer to the frame.
#include "handlers/lesson.hpp"

#include "domain/form.hpp"
#include "domain/input.hpp"
#include "domain/refused.hpp"
#include "domain/texts.hpp"
#include "domain/watching.hpp"
#include "handlers/student_view.hpp"
#include "handlers/ways.hpp"
#include "pages/pages.hpp"
#include "storage/play_links.hpp"
#include "storage/users.hpp"

#include "coursegate/base/encoding.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <charconv>

namespace coursegate::web_gateway {
namespace {

std::optional<std::int64_t> number_of(std::string_view text)
{
    std::int64_t out = 0;
    const auto* end = text.data() + text.size();
    const auto [at, ec] = std::from_chars(text.data(), end, out);
    return ec == std::errc() && at == end && out > 0 ? std::optional(out) : std::nullopt;
}

refused no_such_lesson()
{
    return refused(refusal::not_found, slug::lesson_not_found, "This is not a lesson of yours.", "id");
}

std::int64_t lesson_of(const http::request& request)
{
    const auto id = number_of(request.path_parameters.at("id"));
    if (!id)
        throw no_such_lesson();
    return *id;
}

// ---- Where the lesson is ----

// The lesson in one of the student's courses.
struct place
{
    trail t;
    stage at = stage::being_decided;
    look seen = look::locked;
    bool follows = false;
    std::optional<lesson> before{};
    std::optional<lesson> after{};
};

std::optional<place> place_in(const student_view& v, const student_course& c, std::int64_t lesson_id)
{
    std::optional<place> out;
    std::optional<lesson> last;
    each_lesson(v, c, [&](const seen_lesson& l) {
        if (out && !out->after)
            out->after = l.t.lesson;
        if (!out && l.t.lesson.id == lesson_id) {
            out.emplace();
            out->t = l.t;
            out->at = l.at;
            out->seen = l.seen;
            out->follows = l.follows;
            out->before = last;
        }
        last = l.t.lesson;
    });
    return out;
}

// Everywhere, or in the course that was named. Throws `refused` (not_found) when there is none.
std::vector<place> places_of(
    const student_view& v, std::int64_t lesson_id, std::optional<std::int64_t> course_id)
{
    std::vector<place> out;
    for (const auto& c : v.courses)
        if (!course_id || c.course.id == *course_id)
            if (auto found = place_in(v, c, lesson_id))
                out.push_back(std::move(*found));
    if (out.empty())
        throw no_such_lesson();
    return out;
}

std::string path_of(std::int64_t lesson_id, std::int64_t course_id)
{
    return "/lessons/" + std::to_string(lesson_id) + "?course=" + std::to_string(course_id);
}

std::string title_of(const lesson& l)
{
    return l.title.empty() ? std::to_string(l.id) : l.title;
}

// ---- The link ----

std::string link_of(const gateway& g, const base::uuid& link_id)
{
    return base::to_hex(g.keys.hmac("play_link", base::to_string(link_id)));
}

// ---- What is shown ----

class writer
{
public:
    writer(const gateway& g, const reader& r) : g_(g), reader_(r) {}

    nlohmann::json choice(std::int64_t lesson_id, const std::vector<place>& all) const
    {
        nlohmann::json out;
        out["lesson_title"] = title_of(all.front().t.lesson);
        out["courses"] = nlohmann::json::array();
        for (const auto& p : all) {
            nlohmann::json one;
            one["course_title"] = p.t.course.name();
            one["path"] = path_of(lesson_id, p.t.course.id);
            one["state"] = to_string(p.seen);
            one["state_word"] = text(word_of(p.seen));
            out["courses"].push_back(std::move(one));
        }
        return out;
    }

    nlohmann::json page(const place& p, const std::optional<play_link>& waiting) const
    {
        const auto& l = p.t.lesson;
        nlohmann::json out;
        out["lesson_id"] = l.id;
        out["course_id"] = p.t.course.id;
        out["lesson_title"] = title_of(l);
        out["course_title"] = p.t.course.name();
        out["module_title"] = l.module_title;
        out["on_stepik"] = stepik_link(l.id, {});
        out["state"] = to_string(p.seen);
        out["state_word"] = text(word_of(p.seen));
        out["from"] = path_of(l.id, p.t.course.id);
        out["moves"] = p.seen == look::moving ? "true" : "false";
        out["before"] = neighbour(p, p.before);
        out["after"] = neighbour(p, p.after);
        if (p.seen == look::open)
            out["parts"] = parts(p, waiting);
        else
            out["why"] = why(p);
        return out;
    }

private:
    static nlohmann::json neighbour(const place& p, const std::optional<lesson>& l)
    {
        if (!l)
            return nullptr;
        nlohmann::json out;
        out["path"] = path_of(l->id, p.t.course.id);
        out["neighbour_title"] = title_of(*l);
        return out;
    }

    nlohmann::json parts(const place& p, const std::optional<play_link>& waiting) const
    {
        auto out = nlohmann::json::array();
        for (const auto& m : p.t.media) {
            nlohmann::json one;
            one["part"] = m.part;
            one["several"] = p.t.media.size() > 1;
            one["part_title"] = !m.title.empty() ? m.title
                                : p.t.media.size() > 1
                                    ? text(say("Part {number}"), {{"number", std::to_string(m.part)}})
                                    : title_of(p.t.lesson);
            one["frame"] =
                waiting && waiting->part == m.part ? "/play/" + link_of(g_, waiting->link_id) : std::string();
            out.push_back(std::move(one));
        }
        return out;
    }

    // The trail in the student's words, and the facts it stands on.
    nlohmann::json why(const place& p) const
    {
        const auto told = tell_student(
            p.t, p.at, reader_.language, [this](base::time_point day) { return g_.pages.day(day, reader_); });
        nlohmann::json out;
        out["sentence"] = told.sentence;
        out["action"] = p.follows ? std::string() : told.action;
        out["link"] = told.link.value_or("");
        auto& facts = out["facts"] = nlohmann::json::array();
        const auto fact = [&](std::string_view what, std::string is) {
            nlohmann::json one;
            one["what"] = text(what);
            one["is"] = std::move(is);
            facts.push_back(std::move(one));
        };
        if (p.t.lesson.gradable_steps > 0)
            fact(say("Tasks solved on Stepik"),
                text(say("{passed} of {total}"),
                    {{"passed", std::to_string(p.t.progress ? p.t.progress->steps_passed : 0)},
                        {"total", std::to_string(p.t.progress ? p.t.progress->steps_total
                                                              : p.t.lesson.gradable_steps)}}));
        if (p.t.enrolment && p.t.enrolment->last_read_at)
            fact(say("Results read from Stepik"),
                g_.pages.ago(*p.t.enrolment->last_read_at, p.t.now, reader_));
        std::optional<base::time_point> asked;
        for (const auto& grant : p.t.grants)
            if (grant.asked_at && (!asked || *grant.asked_at > *asked))
                asked = grant.asked_at;
        if (asked)
            fact(say("Asked for at Boomstream"), g_.pages.ago(*asked, p.t.now, reader_));
        return out;
    }

    std::string text(std::string_view msgid, const values& with = {}) const
    {
        return g_.pages.text(reader_.language, msgid, with);
    }

    const gateway& g_;
    const reader& reader_;
};

// Around the frame: in the Mini App nothing in it leads anywhere, because its pages have the buttons.
enum class shell
{
    site,
    app,
};

// What stands in the frame instead of the video; `again` is the lesson's page, `part` what to watch.
http::response in_frame(const gateway& g, shell where, const reader& seen_by, int status,
    std::string_view sentence, const std::optional<play_link>& known = {})
{
    nlohmann::json data;
    data["lang"] = seen_by.language;
    data["style"] = g.pages.asset("site.css");
    data["sentence"] = g.pages.text(seen_by.language, sentence);
    data["leads_on"] = where == shell::site;
    if (known && where == shell::site) {
        data["again"]["lesson_id"] = known->lesson_id;
        data["again"]["course_id"] = known->course_id;
        data["again"]["part"] = known->part;
    }
    return http::response::html(status, g.pages.part("frame", data, seen_by));
}

// One answer to the frame: never kept, and only pages of this site may hold it (and Telegram around ours).
http::response for_frame(const gateway& g, shell where, http::response out)
{
    out.headers.set("Cache-Control", "no-store");
    out.headers.set("Referrer-Policy", "strict-origin");
    out.headers.set("Content-Security-Policy",
        "default-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'self'" +
            (where == shell::app ? " " + g.ways->telegram_web : std::string()));
    return out;
}

struct played
{
    bool was_ready = false;            // the link was good for once
    std::optional<play_link> known{};  // of this session, whatever became of it
    std::optional<base::secret> url{}; // where the video is
};

// The lesson may have been closed in the minute since the link was made.
played play(db::transaction& tx, const gateway& g, const visitor& who, const std::string& id_hash)
{
    played out;
    out.known = use_play_link(tx, who.session_id, id_hash);
    out.was_ready = out.known.has_value();
    if (!out.was_ready) {
        out.known = find_play_link(tx, who.session_id, id_hash);
        return out;
    }
    const auto view = read_view(tx, who);
    for (const auto& c : view.courses) {
        if (c.course.id != out.known->course_id)
            continue;
        const auto here = place_in(view, c, out.known->lesson_id);
        const auto* part = here ? watchable_part(here->t, out.known->part) : nullptr;
        const auto code = part != nullptr ? boom_code_of(tx, g.keys, who.user_id) : std::nullopt;
        if (!code)
            continue;
        out.url = base::secret(g.play_url + "/" + base::percent_encode(part->boom_media) +
                               "?id_recovery=" + base::percent_encode(code->expose()));
        note_watched(tx, *out.known);
    }
    return out;
}

// What was asked for, and the link that waits to be shown with it.
struct seen_places
{
    std::vector<place> places;
    std::optional<play_link> waiting{};
};

async::task<seen_places> look_at(gateway& g, http::request& request, const visitor& who)
{
    const auto lesson_id = lesson_of(request);
    std::optional<std::int64_t> course_id;
    if (const auto named = request.query.get("course")) {
        course_id = number_of(*named);
        if (!course_id)
            throw no_such_lesson();
    }
    auto body = [&](db::transaction& tx) {
        seen_places out;
        out.places = places_of(read_view(tx, who), lesson_id, course_id);
        if (out.places.size() == 1)
            out.waiting = waiting_play_link(tx, who.session_id, out.places.front().t.course.id, lesson_id);
        return out;
    };
    co_return co_await g.db.snapshot(body);
}

// A crash before COMMIT leaves no link, and the page that is shown again has its button; after it the link
// waits for its minute: the site's page shows the player with it, in the Mini App the student presses again.
async::task<bool> ask_to_watch(gateway& g, http::request& request, const visitor& who, play_link& link)
{
    link.lesson_id = lesson_of(request);
    auto f = form::parse(request.body);
    f.text("csrf");
    link.course_id = f.id("course");
    link.part = static_cast<int>(checked_number(f.text("part"), "part", 1, INT32_MAX));
    f.finish();

    link.link_id = base::new_uuid();
    link.session_id = who.session_id;
    link.user_id = who.user_id;
    const auto id_hash = base::sha256(link_of(g, link.link_id));
    const auto by = who.acting(request);
    auto body = [&](db::transaction& tx) {
        const auto places = places_of(read_view(tx, who), link.lesson_id, link.course_id);
        const bool may = watchable_part(places.front().t, link.part) != nullptr;
        if (may)
            add_play_link(tx, by, link, id_hash);
        return may;
    };
    co_return co_await g.db.transact(body);
}

// A crash before COMMIT leaves the link as it was; after it, and before the frame has its answer, the link is
// used up and the student presses "Watch" once more. The same when nobody knows whether COMMIT happened.
async::task<http::response> frame_answer(
    gateway& g, http::request& request, shell where, const visitor* who, const reader& seen_by)
{
    // A link that somebody opens as a page of its own would stand in the browser's history. What does not say
    // where it will be shown is an older browser.
    const auto shown_in = request.headers.get("Sec-Fetch-Dest").value_or("iframe");
    if (request.method != "GET" || shown_in != "iframe")
        co_return g.pages.problem(403, seen_by);
    constexpr auto over =
        say("This link to the video has been used, or is too old: each works once, for a minute.");
    const auto& id = request.path_parameters.at("secret_id");
    if (who == nullptr || id.size() != 64)
        co_return in_frame(g, where, seen_by, 410, over);

    try {
        const auto id_hash = base::sha256(id);
        auto body = [&](db::transaction& tx) { return play(tx, g, *who, id_hash); };
        const auto done = co_await g.db.transact(body);
        if (done.url)
            co_return http::response::redirect(done.url->expose(), 302);
        if (done.was_ready)
            co_return in_frame(
                g, where, seen_by, 403, say("This video is not open for you any more."), done.known);
        co_return in_frame(g, where, seen_by, 410, over, done.known);
    }
    catch (const base::dependency_down&) {
        request.log.warning("the database is not available");
    }
    co_return in_frame(
        g, where, seen_by, 503, say("We are working on it. Please try again in a few seconds."));
}

} // namespace

std::string origin_of(const std::string& url)
{
    const auto host = url.find("://");
    return url.substr(0, host == url.npos ? url.npos : url.find('/', host + 3));
}

async::task<http::response> lesson_page(gateway& g, http::request& request, const visitor& who)
{
    const auto seen_by = reader_of(who);
    const auto seen = co_await look_at(g, request, who);
    const writer words(g, seen_by);
    if (seen.places.size() > 1)
        co_return g.pages.show("which_course", words.choice(lesson_of(request), seen.places), seen_by);
    auto out = g.pages.show("lesson", words.page(seen.places.front(), seen.waiting), seen_by);
    out.headers.set("Referrer-Policy", "strict-origin"); // Boomstream may ask from where it is shown
    out.headers.set("Content-Security-Policy",
        "default-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'; frame-src 'self' " +
            origin_of(g.play_url));
    co_return out;
}

async::task<nlohmann::json> lesson_data(
    gateway& g, http::request& request, const visitor& who, const reader& seen_by)
{
    const auto seen = co_await look_at(g, request, who);
    const writer words(g, seen_by);
    co_return seen.places.size() > 1 ? words.choice(lesson_of(request), seen.places)
                                     : words.page(seen.places.front(), std::nullopt);
}

async::task<http::response> watch_form(gateway& g, http::request& request, const visitor& who)
{
    play_link link;
    // Closed meanwhile: the lesson's page says why.
    const bool may = co_await ask_to_watch(g, request, who, link);
    co_return http::response::redirect(path_of(link.lesson_id, link.course_id) +
                                       (may ? "#part-" + std::to_string(link.part) : std::string()));
}

async::task<std::string> make_play_link(gateway& g, http::request& request, const visitor& who)
{
    play_link link;
    const bool may = co_await ask_to_watch(g, request, who, link);
    co_return may ? link_of(g, link.link_id) : std::string();
}

async::task<http::response> play_route(gateway& g, http::request& request)
{
    const auto who = co_await find_visitor(g, request);
    const auto seen_by = who ? reader_of(*who) : reader_of(request);
    auto out = co_await frame_answer(g, request, shell::site, who ? &*who : nullptr, seen_by);
    co_return for_frame(g, shell::site, std::move(out));
}

async::task<http::response> app_play_route(gateway& g, http::request& request)
{
    if (!has_mini_app(g))
        co_return g.pages.problem(404, reader_of(request));
    std::optional<visitor> who;
    bool is_away = false;
    try {
        who = co_await find_app_visitor_of_link(g, base::sha256(request.path_parameters.at("secret_id")));
    }
    catch (const base::dependency_down&) {
        request.log.warning("the database is not available");
        is_away = true;
    }
    const auto seen_by = who ? reader_of(*who) : reader_of(request);
    if (is_away)
        co_return for_frame(g, shell::app,
            in_frame(g, shell::app, seen_by, 503,
                say("We are working on it. Please try again in a few seconds.")));
    auto out = co_await frame_answer(g, request, shell::app, who ? &*who : nullptr, seen_by);
    co_return for_frame(g, shell::app, std::move(out));
}

} // namespace coursegate::web_gateway
