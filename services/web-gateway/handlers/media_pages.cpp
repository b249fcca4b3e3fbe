#include "handlers/media_pages.hpp"

#include "domain/form.hpp"
#include "domain/input.hpp"
#include "domain/media_table.hpp"
#include "domain/refused.hpp"
#include "handlers/course_checks.hpp"
#include "handlers/course_pages.hpp"
#include "handlers/page_words.hpp"
#include "handlers/reading.hpp"
#include "handlers/staff.hpp"
#include "storage/catalog.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <map>
#include <set>
#include <utility>

namespace coursegate::web_gateway {
namespace {

constexpr std::string_view section = "/admin/courses";
constexpr std::size_t most_listed = 200; // videos of a subscription that belong to no lesson

std::string address_of(std::int64_t course_id)
{
    return std::string(section) + "/" + std::to_string(course_id) + "/media";
}

struct media_view
{
    web_gateway::course course;
    media_world world;
    std::optional<base::secret> api_key{};
};

media_view read_view(db::transaction& tx, const gateway& g, std::int64_t course_id)
{
    media_view out;
    out.course = course_named(tx, course_id, "course");
    out.world = read_media_world(tx, out.course);
    out.api_key = keys_of(tx, g.keys, course_id).boomstream_api_key;
    return out;
}

std::map<std::int64_t, const lesson*> lessons_of(const media_world& world)
{
    std::map<std::int64_t, const lesson*> out;
    for (const auto& l : world.structure)
        out.emplace(l.id, &l);
    return out;
}

std::string title_of(const std::map<std::int64_t, const lesson*>& lessons, std::int64_t id)
{
    const auto found = lessons.find(id);
    return found == lessons.end() ? std::string() : found->second->title;
}

const std::optional<std::string>& subscription_of(const media_world& world, const media_part& m)
{
    return m.subscription_code ? m.subscription_code : world.default_subscription;
}

// What Boomstream said of the subscriptions that were asked about.
struct looked_into
{
    std::map<std::string, subscription_view> subscriptions;

    // What is wrong with a code; empty: nothing, or nobody can tell.
    std::string_view fault(const media_world& world, const media_part& m) const
    {
        const auto& code = subscription_of(world, m);
        if (!code)
            return say("It has no subscription, and the course has no default one.");
        const auto found = subscriptions.find(*code);
        if (found == subscriptions.end())
            return {};
        if (found->second.fault)
            return sentence_of(*found->second.fault);
        if (!found->second.videos)
            return {};
        const bool is_there = std::any_of(found->second.videos->begin(), found->second.videos->end(),
            [&](const boomstream_video& v) { return v.code == m.boom_media; });
        return is_there ? std::string_view() : say("Boomstream has no such video in this subscription.");
    }

    bool knows(const media_world& world, const media_part& m) const
    {
        const auto& code = subscription_of(world, m);
        return code && subscriptions.contains(*code) && !subscriptions.at(*code).fault &&
               subscriptions.at(*code).videos;
    }
};

std::set<std::string> subscriptions_of(const media_world& world, const std::vector<media_part>& rows)
{
    std::set<std::string> out;
    for (const auto& m : rows)
        if (const auto& code = subscription_of(world, m))
            out.insert(*code);
    return out;
}

std::string sentence_of_use(const page_words& words, const subscription_use& u)
{
    const auto lessons = static_cast<std::int64_t>(u.lessons.size());
    if (lessons == 0)
        return words.text(say("No lesson uses it."));
    if (u.exposed_lessons > 0)
        return words.plural(
            say("One code opens all its videos at Boomstream: of {n} lesson only our own player "
                "keeps those closed that are not passed."),
            say("One code opens all its videos at Boomstream: of {n} lessons only our own player keeps those "
                "closed that are not passed."),
            u.exposed_lessons);
    if (u.kind == "single" && (lessons > 1 || u.videos > 1))
        return words.text(say("It opens one video only, and has more: give each lesson a subscription of its "
                              "own."));
    return words.text(say("One lesson, one lock."));
}

// The map, row by row, with what Boomstream says where it was asked.
void add_map(
    nlohmann::json& data, const page_words& words, const media_view& v, const looked_into* at_boomstream)
{
    const auto lessons = lessons_of(v.world);
    std::map<std::int64_t, std::vector<const media_part*>> parts;
    for (const auto& m : v.world.existing)
        parts[m.lesson_id].push_back(&m);
    data["rows"] = nlohmann::json::array();
    data["without_video"] = nlohmann::json::array();
    data["without_lesson"] = nlohmann::json::array();
    const auto row = [&](const media_part& m) {
        nlohmann::json one;
        one["lesson_id"] = m.lesson_id;
        one["lesson_title"] = title_of(lessons, m.lesson_id);
        one["part"] = m.part;
        one["code"] = m.boom_media;
        one["subscription"] = subscription_of(v.world, m).value_or("–");
        one["video_title"] = m.title;
        if (at_boomstream != nullptr) {
            const auto fault = at_boomstream->fault(v.world, m);
            one["fault"] = fault.empty() ? std::string() : words.text(fault);
            if (fault.empty())
                one["checked"] =
                    words.text(at_boomstream->knows(v.world, m) ? say("found") : say("not checked"));
        }
        return one;
    };
    for (const auto& l : v.world.structure) {
        const auto own = parts.find(l.id);
        if (own == parts.end()) {
            if (!l.vanished) {
                nlohmann::json one;
                one["lesson_id"] = l.id;
                one["lesson_title"] = l.title;
                data["without_video"].push_back(std::move(one));
            }
            continue;
        }
        for (const auto* m : own->second)
            data[l.vanished ? "without_lesson" : "rows"].push_back(row(*m));
        parts.erase(own);
    }
    for (const auto& [id, own] : parts)
        for (const auto* m : own)
            data["without_lesson"].push_back(row(*m));
    data["no_rows"] = data["rows"].empty();
    data["has_without_video"] = !data["without_video"].empty();
    data["has_without_lesson"] = !data["without_lesson"].empty();
    data["subscriptions"] = nlohmann::json::array();
    for (const auto& u : subscription_uses(v.world)) {
        nlohmann::json one;
        one["code"] = u.code;
        one["kind"] = words.text(u.kind == "single" ? say("one video per code") : say("one code for all"));
        one["is_default"] = u.is_default;
        one["lessons"] =
            words.plural(say("{n} lesson"), say("{n} lessons"), static_cast<std::int64_t>(u.lessons.size()));
        one["sentence"] = sentence_of_use(words, u);
        data["subscriptions"].push_back(std::move(one));
    }
    data["has_subscriptions"] = !data["subscriptions"].empty();
}

// Videos that Boomstream has in the course's subscriptions and that belong to no lesson.
nlohmann::json unattached(const media_view& v, const looked_into& at_boomstream)
{
    std::set<std::string> attached;
    for (const auto& m : v.world.existing)
        attached.insert(m.boom_media);
    auto out = nlohmann::json::array();
    for (const auto& [code, view] : at_boomstream.subscriptions) {
        if (!view.videos)
            continue;
        for (const auto& video : *view.videos) {
            if (out.size() == most_listed)
                return out;
            if (attached.contains(video.code))
                continue;
            nlohmann::json one;
            one["code"] = video.code;
            one["video_title"] = video.title;
            one["subscription"] = code;
            out.push_back(std::move(one));
        }
    }
    return out;
}

http::response show_media(gateway& g, const visitor& who, const media_view& v, const std::string& table,
    const std::string& wrong, const std::string& done, const looked_into* at_boomstream, int status)
{
    const page_words words(g, who);
    auto data = course_head(v.course, "media", rights_of(who).changes(v.course.id));
    data["media_path"] = address_of(v.course.id);
    data["wrong"] = wrong;
    data["done"] = done;
    data["table"] = table;
    data["no_structure"] = v.world.structure.empty();
    data["may_check"] = v.api_key.has_value();
    add_map(data, words, v, at_boomstream);
    if (at_boomstream != nullptr) {
        data["was_checked"] = true;
        data["unattached"] = unattached(v, *at_boomstream);
        data["has_unattached"] = !data["unattached"].empty();
    }
    return show_admin(g, who, section, "course_media", std::move(data), status);
}

std::string_view sentence_of_row(const refused& no)
{
    if (no.slug() == slug::lesson_not_found)
        return say("The course has no such lesson on Stepik.");
    if (no.slug() == slug::single_subscription)
        return say("This subscription opens one lesson only, and has another one already.");
    if (no.slug() == slug::duplicate)
        return no.field() == "part" ? say("This part of the lesson is given twice.")
                                    : say("This video is given twice.");
    if (no.field() == "lesson_id")
        return say("The first column is the lesson's number on Stepik.");
    if (no.field() == "part")
        return say("The second column is the part's number, from 1 to 99.");
    if (no.field() == "boom_media")
        return say("The third column is the video's code: 8 letters and digits.");
    if (no.field() == "subscription_code")
        return say("A subscription's code is at most 64 letters, digits, hyphens and underscores.");
    return say("A title is one line of at most 200 characters.");
}

// The rows that can be read, planned; and what is wrong with each row of the table.
struct planned
{
    std::vector<media_part> good;
    media_plan plan;
    std::vector<std::optional<refused>> faults; // of each row of the table
    std::vector<media_outcome> outcomes;
    bool may_save = false;
};

planned plan_of(const media_world& world, const media_table& table)
{
    planned out;
    std::vector<std::size_t> origin;
    for (std::size_t i = 0; i < table.rows.size(); ++i)
        if (!table.faults[i]) {
            out.good.push_back(table.rows[i]);
            origin.push_back(i);
        }
    out.plan = plan_media(world, out.good, std::nullopt, true);
    out.faults = table.faults;
    out.outcomes.assign(table.rows.size(), media_outcome::refused);
    for (std::size_t i = 0; i < origin.size(); ++i) {
        out.outcomes[origin[i]] = out.plan.rows[i].outcome;
        if (out.plan.rows[i].reason)
            out.faults[origin[i]] = out.plan.rows[i].reason;
    }
    out.may_save = std::all_of(out.faults.begin(), out.faults.end(), [](const auto& f) { return !f; });
    return out;
}

// "2 · AAAAAAAA → BBBBBBBB"
std::string in_words(const media_world& world, const media_part& m)
{
    auto out = m.boom_media + " · " + subscription_of(world, m).value_or("–");
    if (!m.title.empty())
        out += " · " + m.title;
    return out;
}

http::response show_difference(gateway& g, const visitor& who, const media_view& v, const std::string& text,
    const media_table& table, const planned& p, const looked_into& at_boomstream)
{
    const page_words words(g, who);
    const auto lessons = lessons_of(v.world);
    std::map<std::pair<std::int64_t, int>, const media_part*> before;
    for (const auto& m : v.world.existing)
        before.emplace(std::pair(m.lesson_id, m.part), &m);

    auto data = course_head(v.course, "media", true);
    data["media_path"] = address_of(v.course.id);
    data["table"] = text;
    data["mark"] = mark_of(v.world);
    data["bad"] = nlohmann::json::array();
    data["changes"] = nlohmann::json::array();
    int unchanged = 0;
    std::set<std::pair<std::int64_t, int>> named;
    for (std::size_t i = 0; i < table.rows.size(); ++i) {
        const auto& m = table.rows[i];
        nlohmann::json one;
        one["line"] = table.lines[i];
        if (p.faults[i]) {
            one["sentence"] = words.text(sentence_of_row(*p.faults[i]));
            if (!table.faults[i]) {
                one["lesson_id"] = m.lesson_id;
                one["code"] = m.boom_media;
            }
            data["bad"].push_back(std::move(one));
            continue;
        }
        named.emplace(m.lesson_id, m.part);
        if (p.outcomes[i] == media_outcome::unchanged) {
            ++unchanged;
            continue;
        }
        one["lesson_id"] = m.lesson_id;
        one["lesson_title"] = title_of(lessons, m.lesson_id);
        one["part"] = m.part;
        const auto old = before.find({m.lesson_id, m.part});
        one["before"] = old == before.end() ? std::string() : in_words(v.world, *old->second);
        one["after"] = in_words(v.world, m);
        one["outcome"] = words.text(old == before.end() ? say("added") : say("changed"));
        const auto fault = at_boomstream.fault(v.world, m);
        one["fault"] = fault.empty() ? std::string() : words.text(fault);
        data["changes"].push_back(std::move(one));
    }
    if (p.may_save) // with a bad row nobody knows yet what is meant to go
        for (const auto& m : v.world.existing) {
            if (named.contains({m.lesson_id, m.part}))
                continue;
            nlohmann::json one;
            one["lesson_id"] = m.lesson_id;
            one["lesson_title"] = title_of(lessons, m.lesson_id);
            one["part"] = m.part;
            one["before"] = in_words(v.world, m);
            one["outcome"] = words.text(say("taken away"));
            data["changes"].push_back(std::move(one));
        }
    data["has_bad"] = !data["bad"].empty();
    data["bad_count"] = words.plural(say("{n} row can't be saved."), say("{n} rows can't be saved."),
        static_cast<int>(data["bad"].size()));
    data["has_changes"] = !data["changes"].empty();
    data["unchanged"] =
        words.plural(say("{n} row stays as it is."), say("{n} rows stay as they are."), unchanged);
    data["may_save"] = p.may_save && !p.plan.changed_lessons.empty();
    data["nothing_to_do"] = p.may_save && p.plan.changed_lessons.empty();
    return show_admin(g, who, section, "media_change", std::move(data), p.may_save ? 200 : 422);
}

enum class saving
{
    done,
    map_moved,   // somebody changed it between looking and saving
    not_savable, // a row is refused after all
};

} // namespace

async::task<http::response> media_page(gateway& g, http::request& request, const visitor& who)
{
    const auto id = path_id(request, "course_id");
    must_see(who, id);
    auto body = [&](db::transaction& tx) { return read_view(tx, g, id); };
    const auto v = co_await g.db.snapshot(body);
    const auto table = write_media_table(v.world.existing);
    const std::string none;
    const auto done =
        request.query.get("done") ? page_words(g, who).text(say("The media map is saved.")) : std::string();
    co_return show_media(g, who, v, table, none, done, nullptr, 200);
}

// Looking only reads. Saving is one transaction under the course's lock: a crash before COMMIT changes
// nothing, after it the map is there and lesson_media_changed in the outbox.
async::task<http::response> media_form(gateway& g, http::request& request, const visitor& who)
{
    const auto id = path_id(request, "course_id");
    must_change(who, id);
    auto f = form::parse(request.body, form::of_known);
    f.text("csrf");
    const bool saves = f.text("step") == "save";
    const auto text = f.text("table");
    const auto mark = f.text_or("mark", "");
    f.finish();
    media_table table;
    std::string wrong;
    const page_words words(g, who);
    try {
        table = read_media_table(text);
    }
    catch (const refused&) {
        wrong = words.text(say("The table is too long: at most 5000 rows."));
    }
    auto look = [&](db::transaction& tx) { return read_view(tx, g, id); };
    if (wrong.empty() && saves) {
        const auto by = who.acting(request);
        auto body = [&](db::transaction& tx) {
            const auto c = course_named(tx, id, "course");
            lock_course(tx, id);
            const auto world = read_media_world(tx, c);
            if (mark_of(world) != mark)
                return saving::map_moved;
            const auto p = plan_of(world, table);
            if (!p.may_save || put_media(tx, by, c, p.good, std::nullopt, false, true).first_refused())
                return saving::not_savable;
            return saving::done;
        };
        const auto outcome = co_await g.db.transact(body);
        if (outcome == saving::done)
            co_return http::response::redirect(address_of(id) + "?done=saved");
        if (outcome == saving::map_moved)
            wrong = words.text(
                say("Somebody changed the media map meanwhile. Look at the difference once more."));
    }
    const auto v = co_await g.db.snapshot(look);
    if (wrong.empty() && v.world.structure.empty())
        wrong = words.text(
            say("The lessons of this course have not been read from Stepik yet. Try again in a minute."));
    if (!wrong.empty()) {
        const std::string none;
        co_return show_media(g, who, v, text, wrong, none, nullptr, 422);
    }
    const auto p = plan_of(v.world, table);
    looked_into at_boomstream;
    if (g.checks != nullptr && v.api_key)
        at_boomstream.subscriptions =
            co_await look_into(*g.checks, *v.api_key, subscriptions_of(v.world, p.plan.to_write));
    co_return show_difference(g, who, v, text, table, p, at_boomstream);
}

async::task<http::response> media_codes_form(gateway& g, http::request& request, const visitor& who)
{
    const auto id = path_id(request, "course_id");
    must_change(who, id);
    auto f = form::parse(request.body);
    f.text("csrf");
    f.finish();
    auto body = [&](db::transaction& tx) { return read_view(tx, g, id); };
    const auto v = co_await g.db.snapshot(body);
    looked_into at_boomstream;
    auto wanted = subscriptions_of(v.world, v.world.existing);
    if (v.world.default_subscription)
        wanted.insert(*v.world.default_subscription);
    if (g.checks != nullptr && v.api_key)
        at_boomstream.subscriptions = co_await look_into(*g.checks, *v.api_key, std::move(wanted));
    const auto table = write_media_table(v.world.existing);
    const std::string none;
    co_return show_media(g, who, v, table, none, none, &at_boomstream, 200);
}

} // namespace coursegate::web_gateway
