// Courses: connect, change, and everything an author wants to know about one.
#include "domain/input.hpp"
#include "domain/refused.hpp"
#include "domain/rules.hpp"
#include "handlers/reading.hpp"
#include "handlers/shapes.hpp"
#include "handlers/uses.hpp"
#include "storage/catalog.hpp"

#include <map>
#include <set>

namespace coursegate::web_gateway {
namespace {

course_settings read_settings(const http::request& request)
{
    body_reader body(request);
    course_settings wish;
    wish.id = path_id(request, "course_id");
    if (const auto title = body.optional_text("title"))
        wish.title = checked_line(*title, "title", 200);
    if (const auto state = body.optional_text("state")) {
        if (*state != "connected" && *state != "paused")
            throw invalid("state", "The state is one of connected, paused.");
        wish.state = *state;
    }
    if (const auto id = body.optional_text("stepik_client_id"))
        wish.stepik_client_id = checked_key(*id, "stepik_client_id");
    if (const auto secret = body.optional_text("stepik_client_secret"))
        wish.stepik_client_secret = base::secret(checked_key(*secret, "stepik_client_secret"));
    if (const auto key = body.nullable_text("boomstream_api_key")) {
        wish.boomstream_api_key.emplace();
        if (*key)
            *wish.boomstream_api_key = base::secret(checked_key(**key, "boomstream_api_key"));
    }
    if (const auto code = body.nullable_text("default_subscription")) {
        wish.default_subscription.emplace();
        if (*code)
            *wish.default_subscription = checked_subscription_code(**code, "default_subscription");
    }
    if (const auto until = body.nullable_text("access_until")) {
        wish.access_until.emplace();
        if (*until)
            *wish.access_until = checked_time(**until, "access_until");
    }
    if (const auto seconds = body.nullable_integer("sweep_seconds")) {
        wish.sweep_seconds.emplace();
        if (*seconds)
            *wish.sweep_seconds = static_cast<int>(checked_range(**seconds, "sweep_seconds", 10, 86400));
    }
    body.finish();
    return wish;
}

// Everything of one course, as one transaction saw it.
struct course_view
{
    web_gateway::course course;
    media_world world;
    std::vector<access_rule> rules;
    std::optional<course_health> reading;
    std::optional<provider_health> provider;
};

nlohmann::json lessons_by_module(const course_view& v)
{
    std::map<std::int64_t, nlohmann::json> media;
    for (const auto& m : v.world.existing)
        media.try_emplace(m.lesson_id, nlohmann::json::array()).first->second.push_back(json_of(m));

    auto modules = nlohmann::json::array();
    for (const auto& l : v.world.structure) // in course order: a module's lessons follow each other
    {
        if (modules.empty() || modules.back()["module_id"] != l.module_id) {
            nlohmann::json module;
            module["module_id"] = l.module_id;
            module["title"] = l.module_title;
            module["position"] = l.module_position;
            module["lessons"] = nlohmann::json::array();
            modules.push_back(std::move(module));
        }
        auto entry = json_of(l);
        const auto parts = media.find(l.id);
        entry["media"] = parts == media.end() ? nlohmann::json::array() : parts->second;
        entry["rule"] = json_of(rule_for(l, v.rules));
        modules.back()["lessons"].push_back(std::move(entry));
    }
    return modules;
}

nlohmann::json short_lesson(const lesson& l)
{
    nlohmann::json out;
    out["lesson_id"] = l.id;
    out["title"] = l.title;
    out["module_title"] = l.module_title;
    return out;
}

nlohmann::json whole_course(const course_view& v)
{
    std::set<std::int64_t> with_video;
    for (const auto& m : v.world.existing)
        with_video.insert(m.lesson_id);
    std::set<std::int64_t> present;
    auto without_video = nlohmann::json::array();
    auto nobody_can_pass = nlohmann::json::array();
    for (const auto& l : v.world.structure) {
        if (l.vanished)
            continue;
        present.insert(l.id);
        if (!with_video.contains(l.id))
            without_video.push_back(short_lesson(l));
        if (l.gradable_steps == 0) {
            auto entry = short_lesson(l);
            entry["rule"] = json_of(rule_for(l, v.rules));
            nobody_can_pass.push_back(std::move(entry));
        }
    }
    auto without_lesson = nlohmann::json::array();
    for (const auto& m : v.world.existing)
        if (!present.contains(m.lesson_id))
            without_lesson.push_back(json_of(m));

    auto out = json_of(v.course);
    out["structure_known"] = !v.world.structure.empty();
    out["modules"] = lessons_by_module(v);
    out["lessons_without_video"] = std::move(without_video);
    out["videos_without_lesson"] = std::move(without_lesson);
    out["lessons_nobody_can_pass"] = std::move(nobody_can_pass);
    out["subscriptions"] = nlohmann::json::array();
    for (const auto& u : subscription_uses(v.world))
        out["subscriptions"].push_back(json_of(u));
    out["rules"] = nlohmann::json::array();
    for (const auto& r : v.rules)
        out["rules"].push_back(json_of(r));
    out["health"] = json_of(v.reading);
    out["provider"] = json_of(v.provider, v.course);
    return out;
}

} // namespace

async::task<http::response> list_courses_route(gateway& g, call& c)
{
    query_reader(c.request).finish();
    auto body = [&](db::transaction& tx) {
        const auto reading = health_of_courses(tx);
        const auto provider = provider_health_of_courses(tx);
        auto out = nlohmann::json::array();
        for (const auto& course : list_courses(tx)) {
            const auto r = reading.find(course.id);
            const auto p = provider.find(course.id);
            auto entry = json_of(course);
            entry["health"] = json_of(r == reading.end() ? std::nullopt : std::optional(r->second));
            entry["provider"] =
                json_of(p == provider.end() ? std::nullopt : std::optional(p->second), course);
            out.push_back(std::move(entry));
        }
        return out;
    };
    auto courses = co_await g.db.transact(body);
    nlohmann::json out;
    out["courses"] = std::move(courses);
    co_return http::response::json(200, out);
}

async::task<http::response> get_course_route(gateway& g, call& c)
{
    const auto id = path_id(c.request, "course_id");
    query_reader(c.request).finish();
    auto body = [&](db::transaction& tx) {
        course_view v;
        v.course = course_named(tx, id, "course_id");
        v.world = read_media_world(tx, v.course);
        v.rules = rules_of(tx, id);
        v.reading = health_of_course(tx, id);
        v.provider = provider_health_of(tx, id);
        return whole_course(v);
    };
    const auto out = co_await g.db.transact(body);
    co_return http::response::json(200, out);
}

async::task<http::response> put_course_route(gateway& g, call& c)
{
    const auto wish = read_settings(c.request);
    const auto source = source_of(wish, g.environment_course);
    auto work = [&](db::transaction& tx) {
        const auto done = put_course(tx, g.keys, c.by, wish, source);
        return json_answer(done.created ? 201 : 200, json_of(done.course));
    };
    co_return co_await write(g, c, work);
}

} // namespace coursegate::web_gateway
