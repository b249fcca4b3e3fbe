#include "handlers/course_pages.hpp"

#include "domain/form.hpp"
#include "domain/input.hpp"
#include "domain/refused.hpp"
#include "domain/rules.hpp"
#include "handlers/course_checks.hpp"
#include "handlers/page_words.hpp"
#include "handlers/reading.hpp"
#include "handlers/rule_pages.hpp"
#include "handlers/staff.hpp"
#include "storage/access.hpp"
#include "storage/catalog.hpp"
#include "storage/learning.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <map>
#include <set>
#include <utility>

namespace coursegate::web_gateway {
namespace {

constexpr std::string_view section = "/admin/courses";

std::string address_of(std::int64_t course_id)
{
    return std::string(section) + "/" + std::to_string(course_id);
}

// What somebody typed. Secrets never go back into a page.
struct typed_keys
{
    std::int64_t course_id = 0;
    std::string client_id;
    std::string client_secret;
    std::string api_key;
    std::string subscription;
    bool is_sure = false;
};

typed_keys read_keys(const http::request& request)
{
    auto f = form::parse(request.body);
    f.text("csrf");
    typed_keys out;
    out.course_id = f.id("course");
    out.client_id = f.text("client_id");
    out.client_secret = f.text("client_secret");
    out.api_key = f.text("api_key");
    out.subscription = f.text("subscription");
    out.is_sure = f.text_or("sure", "") == "on";
    f.finish();
    return out;
}

// Empty fields leave what is there. Throws `refused` naming the field.
course_settings wish_of(const typed_keys& typed)
{
    course_settings out;
    out.id = typed.course_id;
    if (!typed.client_id.empty())
        out.stepik_client_id = checked_key(typed.client_id, "client_id");
    if (!typed.client_secret.empty())
        out.stepik_client_secret = base::secret(checked_key(typed.client_secret, "client_secret"));
    if (!typed.api_key.empty())
        out.boomstream_api_key = std::optional(base::secret(checked_key(typed.api_key, "api_key")));
    if (!typed.subscription.empty())
        out.default_subscription =
            std::optional(checked_subscription_code(typed.subscription, "subscription"));
    return out;
}

struct connected
{
    std::optional<web_gateway::course> course{};
    course_keys keys;
    std::optional<course_health> reading{};
};

// What is there is given back to Stepik and Boomstream with what was typed. Nothing: too little to try.
std::optional<course_keys_to_try> keys_to_try(const course_settings& wish, const connected& there)
{
    const bool is_same_application =
        there.course && (!wish.stepik_client_id || *wish.stepik_client_id == there.course->stepik_client_id);
    course_keys_to_try out;
    out.stepik.course_id = wish.id;
    if (wish.stepik_client_id)
        out.stepik.client_id = *wish.stepik_client_id;
    else if (there.course)
        out.stepik.client_id = there.course->stepik_client_id;
    if (wish.stepik_client_secret)
        out.stepik.client_secret = *wish.stepik_client_secret;
    else if (is_same_application && there.keys.stepik_client_secret)
        out.stepik.client_secret = *there.keys.stepik_client_secret;
    if (out.stepik.client_id.empty() || out.stepik.client_secret.empty())
        return std::nullopt;
    out.boomstream_api_key =
        wish.boomstream_api_key ? *wish.boomstream_api_key : there.keys.boomstream_api_key;
    if (wish.default_subscription)
        out.subscription = *wish.default_subscription;
    else if (there.course)
        out.subscription = there.course->default_subscription;
    return out;
}

http::response show_connect(gateway& g, const visitor& who, const typed_keys& typed, const connected& there,
    const std::vector<std::string>& wrong, bool may_insist, int status = 200)
{
    const page_words words(g, who);
    nlohmann::json data;
    data["course_id"] = typed.course_id;
    data["client_id"] = typed.client_id;
    data["subscription"] = typed.subscription;
    data["wrong"] = wrong;
    data["has_wrong"] = !wrong.empty();
    data["may_insist"] = may_insist;
    data["is_new"] = !there.course;
    if (there.course) {
        data["path"] = address_of(typed.course_id);
        data["course_title"] = there.course->name();
        data["by_environment"] = there.course->source == "environment";
        data["has_api_key"] = there.course->has_boomstream_key;
        if (const auto& at = there.course->stepik_keys_at)
            data["stepik_keys_at"] = words.text(say("Given on {day}."), {{"day", words.day(*at)}});
        if (const auto& at = there.course->boomstream_key_at)
            data["boomstream_key_at"] = words.text(say("Given on {day}."), {{"day", words.day(*at)}});
    }
    return show_admin(g, who, section, "connect", std::move(data), status);
}

connected read_connected(db::transaction& tx, const base::keyring& keys, std::int64_t course_id)
{
    connected out;
    out.course = find_course(tx, course_id);
    out.keys = keys_of(tx, keys, course_id);
    return out;
}

std::string_view sentence_of_field(const std::string& field)
{
    return field == "subscription"
               ? say("A subscription's code is at most 64 letters, digits, hyphens and underscores.")
               : say("A key is one word of letters, digits and signs, without blanks.");
}

nlohmann::json listed(const page_words& words, const course& c, const std::optional<course_health>& reading,
    const std::optional<provider_health>& provider)
{
    nlohmann::json out;
    out["path"] = address_of(c.id);
    out["course_title"] = c.name();
    out["course_id"] = c.id;
    out["state"] = words.text(c.state == "paused" ? say("paused") : say("connected"));
    out["students"] = reading ? words.number(reading->students) : std::string("0");
    if (!reading || !reading->last_good_sweep_at)
        out["fresh"] = words.text(say("not read yet"));
    else
        out["fresh"] = words.ago(*reading->last_good_sweep_at);
    out["well"] = reading && reading->ok && (!provider || provider->ok);
    return out;
}

// Everything that the page of one course shows, as one snapshot saw it.
struct course_view
{
    web_gateway::course course;
    media_world world;
    std::vector<access_rule> rules;
    std::optional<course_health> reading{};
    std::optional<provider_health> provider{};
};

nlohmann::json freshness(const page_words& words, const course_view& v)
{
    nlohmann::json out;
    out["problems"] = nlohmann::json::array();
    if (v.reading) {
        for (const auto& p : v.reading->problems)
            out["problems"].push_back("Stepik: " + p);
        out["students"] = words.plural(say("{n} student"), say("{n} students"), v.reading->students);
        out["sweep"] = words.text(
            say("Sweep: page {done} of {all}"), {{"done", words.number(v.reading->pages_done)},
                                                    {"all", words.number(v.reading->pages_expected)}});
        if (v.reading->last_structure_at)
            out["structure_at"] = words.ago(*v.reading->last_structure_at);
        if (v.reading->last_good_sweep_at)
            out["read_at"] = words.ago(*v.reading->last_good_sweep_at);
    }
    out["pace"] = v.course.sweep_seconds ? words.plural(say("a sweep every {n} second"),
                                               say("a sweep every {n} seconds"), *v.course.sweep_seconds)
                                         : words.text(say("a sweep at the service's own pace"));
    if (v.provider) {
        if (!v.provider->ok)
            out["problems"].push_back("Boomstream: " + v.provider->problem.value_or("?"));
        out["budget"] = words.plural(say("{n} call a second to Boomstream at most"),
            say("{n} calls a second to Boomstream at most"),
            static_cast<std::int64_t>(v.provider->rate_per_second));
        out["waiting"] = words.text(say("Waiting: {fresh} new, {old} older"),
            {{"fresh", words.number(v.provider->waiting_fresh)},
                {"old", words.number(v.provider->waiting_backfill)}});
        if (v.provider->circuit != "closed")
            out["circuit"] =
                words.text(say("Calls are held back after failures; one is tried now and then."));
    }
    return out;
}

nlohmann::json structure(const page_words& words, const course_view& v)
{
    std::map<std::int64_t, int> videos;
    for (const auto& m : v.world.existing)
        ++videos[m.lesson_id];
    auto modules = nlohmann::json::array();
    std::int64_t open_module = 0;
    for (const auto& l : v.world.structure) {
        if (modules.empty() || open_module != l.module_id) {
            nlohmann::json module;
            module["module_title"] = l.module_title;
            module["lessons"] = nlohmann::json::array();
            modules.push_back(std::move(module));
            open_module = l.module_id;
        }
        nlohmann::json one;
        one["lesson_id"] = l.id;
        one["lesson_title"] = l.title.empty() ? std::to_string(l.id) : l.title;
        one["vanished"] = l.vanished;
        one["tasks"] = words.number(l.gradable_steps);
        const auto n = videos.find(l.id);
        one["videos"] = words.number(n == videos.end() ? 0 : n->second);
        one["no_video"] = n == videos.end() && !l.vanished;
        const auto rule = rule_for(l, v.rules);
        one["rule"] = words_of_rule(words, rule.rule, rule.days);
        modules.back()["lessons"].push_back(std::move(one));
    }
    return modules;
}

} // namespace

nlohmann::json course_head(const course& c, std::string_view here, bool may_change)
{
    nlohmann::json out;
    out["course_id"] = c.id;
    out["course_title"] = c.name();
    out["course_path"] = address_of(c.id);
    out["is_paused"] = c.state == "paused";
    out["may_change"] = may_change;
    out["here_" + std::string(here)] = true;
    return out;
}

async::task<http::response> admin_courses_page(gateway& g, http::request& request, const visitor& who)
{
    query_reader(request).finish();
    const auto may = rights_of(who);
    std::vector<course> courses;
    std::map<std::int64_t, course_health> reading;
    std::map<std::int64_t, provider_health> provider;
    auto body = [&](db::transaction& tx) {
        courses = list_courses(tx);
        reading = health_of_courses(tx);
        provider = provider_health_of_courses(tx);
    };
    co_await g.db.snapshot(body);
    const page_words words(g, who);
    nlohmann::json data;
    data["courses"] = nlohmann::json::array();
    std::set<std::int64_t> waiting = may.own; // an author's that are not connected yet
    for (const auto& c : courses) {
        waiting.erase(c.id);
        if (!may.sees(c.id))
            continue;
        const auto r = reading.find(c.id);
        const auto p = provider.find(c.id);
        data["courses"].push_back(
            listed(words, c, r == reading.end() ? std::nullopt : std::optional(r->second),
                p == provider.end() ? std::nullopt : std::optional(p->second)));
    }
    data["none"] = data["courses"].empty();
    data["waiting"] = nlohmann::json::array();
    for (const auto id : waiting) {
        nlohmann::json one;
        one["course_id"] = id;
        data["waiting"].push_back(std::move(one));
    }
    data["connects_any"] = may.changes_all;
    co_return show_admin(g, who, section, "admin_courses", std::move(data));
}

async::task<http::response> connect_page(gateway& g, http::request& request, const visitor& who)
{
    query_reader query(request);
    typed_keys typed;
    typed.course_id = query.required_id("course");
    query.finish();
    must_change(who, typed.course_id);
    auto body = [&](db::transaction& tx) { return read_connected(tx, g.keys, typed.course_id); };
    const auto there = co_await g.db.snapshot(body);
    if (there.course) {
        typed.client_id = there.course->stepik_client_id;
        typed.subscription = there.course->default_subscription.value_or("");
    }
    const std::vector<std::string> nothing;
    co_return show_connect(g, who, typed, there, nothing, false);
}

// Trying only reads. A crash before COMMIT saves nothing; after it the course is there, its event is in the
// outbox, and whoever sends the form again changes nothing.
async::task<http::response> connect_form(gateway& g, http::request& request, const visitor& who)
{
    const auto typed = read_keys(request);
    must_change(who, typed.course_id);
    auto look = [&](db::transaction& tx) { return read_connected(tx, g.keys, typed.course_id); };
    const auto there = co_await g.db.snapshot(look);
    const page_words words(g, who);
    std::vector<std::string> wrong;
    course_settings wish;
    std::string source;
    try {
        wish = wish_of(typed);
        source = source_of(wish, g.environment_course);
    }
    catch (const refused& no) {
        wrong.push_back(words.text(no.slug() == slug::given_by_environment
                                       ? say("This course's keys are given by the server's settings: they "
                                             "are changed there.")
                                       : sentence_of_field(no.field())));
    }
    if (!wrong.empty())
        co_return show_connect(g, who, typed, there, wrong, false, 422);
    auto keys = keys_to_try(wish, there);
    if (!keys) {
        wrong.push_back(
            words.text(say("Type the client id and the client secret of your Stepik application.")));
        co_return show_connect(g, who, typed, there, wrong, false, 422);
    }
    tried_keys tried;
    if (g.checks == nullptr) // nobody to ask (tests)
        tried.faults.push_back(course_fault::stepik_away);
    else
        tried = co_await try_keys(*g.checks, std::move(*keys));
    if (!may_be_saved(tried.faults, typed.is_sure)) {
        for (const auto f : tried.faults)
            wrong.push_back(words.text(sentence_of(f)));
        co_return show_connect(g, who, typed, there, wrong, may_be_saved(tried.faults, true), 422);
    }
    if (!there.course || there.course->title.empty())
        if (!tried.title.empty() && tried.title.size() <= 200)
            wish.title = tried.title;
    const auto by = who.acting(request);
    auto save = [&](db::transaction& tx) {
        const auto done = put_course(tx, g.keys, by, wish, source);
        const auto& code = done.course.default_subscription;
        // What Boomstream says of a subscription that nobody has said anything of here.
        if (code && !tried.subscription_kind.empty() &&
            !read_media_world(tx, done.course).kinds.contains(*code))
            put_subscription(tx, by, done.course, *code, tried.subscription_kind);
    };
    co_await g.db.transact(save);
    const bool is_noted = std::find(tried.faults.begin(), tried.faults.end(),
                              course_fault::learners_not_visible) != tried.faults.end();
    co_return http::response::redirect(
        address_of(typed.course_id) + (is_noted ? "?done=connected_noted" : "?done=connected"));
}

async::task<http::response> admin_course_page(gateway& g, http::request& request, const visitor& who)
{
    const auto id = path_id(request, "course_id");
    must_see(who, id);
    auto body = [&](db::transaction& tx) {
        course_view v;
        v.course = course_named(tx, id, "course");
        v.world = read_media_world(tx, v.course);
        v.rules = rules_of(tx, id);
        v.reading = health_of_course(tx, id);
        v.provider = provider_health_of(tx, id);
        return v;
    };
    const auto v = co_await g.db.snapshot(body);
    const page_words words(g, who);
    auto data = course_head(v.course, "course", rights_of(who).changes(id));
    if (const auto done = request.query.get("done")) {
        data["done"] = words.text(*done == "settings"
                                      ? say("Saved.")
                                      : say("The keys work and are saved. The lessons are read from Stepik "
                                            "now; reload the page in a moment."));
        if (*done == "connected_noted")
            data["note"] = words.text(sentence_of(course_fault::learners_not_visible));
    }
    data["fresh"] = freshness(words, v);
    data["modules"] = structure(words, v);
    data["no_structure"] = v.world.structure.empty();
    data["own_title"] = v.course.title;
    data["sweep_seconds"] = v.course.sweep_seconds ? std::to_string(*v.course.sweep_seconds) : std::string();
    data["access_until"] =
        v.course.access_until ? base::to_iso8601(*v.course.access_until).substr(0, 10) : std::string();
    co_return show_admin(g, who, section, "admin_course", std::move(data));
}

// One transaction: a crash before COMMIT changes nothing; sent twice, the second changes nothing.
async::task<http::response> course_settings_form(gateway& g, http::request& request, const visitor& who)
{
    course_settings wish;
    wish.id = path_id(request, "course_id");
    must_change(who, wish.id);
    auto f = form::parse(request.body);
    f.text("csrf");
    wish.title = checked_line(f.text("title"), "title", 200);
    const auto seconds = f.text("sweep_seconds");
    wish.sweep_seconds.emplace();
    if (!seconds.empty())
        *wish.sweep_seconds = static_cast<int>(checked_number(seconds, "sweep_seconds", 10, 86400));
    const auto until = f.text("access_until"); // a day, as browsers send it: to its end
    wish.access_until.emplace();
    if (!until.empty())
        *wish.access_until = checked_time(until + "T23:59:59Z", "access_until");
    wish.state = f.text_or("paused", "") == "on" ? "paused" : "connected";
    f.finish();
    const auto source = source_of(wish, g.environment_course);
    const auto by = who.acting(request);
    auto body = [&](db::transaction& tx) {
        course_named(tx, wish.id, "course");
        put_course(tx, g.keys, by, wish, source);
    };
    co_await g.db.transact(body);
    co_return http::response::redirect(address_of(wish.id) + "?done=settings");
}

} // namespace coursegate::web_gateway
