// The media map: videos of one lesson, of many lessons at once, and what kind their subscriptions are.
#include "domain/input.hpp"
#include "domain/refused.hpp"
#include "handlers/reading.hpp"
#include "handlers/shapes.hpp"
#include "handlers/uses.hpp"
#include "storage/catalog.hpp"

#include <algorithm>

namespace coursegate::web_gateway {
namespace {

constexpr std::size_t most_parts = 50;
constexpr std::size_t most_rows = 5000;

// `lesson_id` empty: the row names it itself.
media_part read_part(body_reader& row, std::optional<std::int64_t> lesson_id)
{
    media_part out;
    out.lesson_id = lesson_id ? *lesson_id : checked_id(row.integer("lesson_id"), row.path("lesson_id"));
    out.part = static_cast<int>(checked_range(row.integer("part"), row.path("part"), 1, 99));
    out.boom_media = checked_media_code(row.text("boom_media"), row.path("boom_media"));
    if (const auto code = row.optional_text("subscription_code"))
        out.subscription_code = checked_subscription_code(*code, row.path("subscription_code"));
    out.title = checked_line(row.optional_text("title").value_or(""), row.path("title"), 200);
    row.finish();
    return out;
}

refused in_row(const refused& reason, const std::string& list, std::size_t index)
{
    return refused(reason.kind(), reason.slug(), reason.message(),
        list + "[" + std::to_string(index) + "]." + reason.field());
}

nlohmann::json rows_report(const std::vector<media_part>& rows, const media_plan& plan)
{
    auto out = nlohmann::json::array();
    for (std::size_t i = 0; i < rows.size(); ++i) {
        nlohmann::json entry;
        entry["row"] = i;
        entry["lesson_id"] = rows[i].lesson_id;
        entry["part"] = rows[i].part;
        entry["outcome"] = to_string(plan.rows[i].outcome);
        if (const auto& reason = plan.rows[i].reason) {
            entry["error"] = reason->slug();
            entry["field"] = reason->field();
            entry["message"] = reason->message();
        }
        out.push_back(std::move(entry));
    }
    return out;
}

nlohmann::json counts(const media_plan& plan)
{
    nlohmann::json out;
    for (const auto o :
        {media_outcome::added, media_outcome::changed, media_outcome::unchanged, media_outcome::refused})
        out[std::string(to_string(o))] =
            std::count_if(plan.rows.begin(), plan.rows.end(), [&](const auto& r) { return r.outcome == o; });
    out["changed_lessons"] = plan.changed_lessons;
    return out;
}

} // namespace

async::task<http::response> put_lesson_media_route(gateway& g, call& c)
{
    const auto course_id = path_id(c.request, "course_id");
    const auto lesson_id = path_id(c.request, "lesson_id");
    body_reader body(c.request);
    std::vector<media_part> parts;
    for (auto& row : body.objects("parts", most_parts))
        parts.push_back(read_part(row, lesson_id));
    if (const auto reason = body.optional_text("reason"))
        c.by.why = checked_line(*reason, "reason", 500, 1);
    body.finish();

    auto work = [&](db::transaction& tx) {
        const auto course = course_named(tx, course_id, "course_id");
        const auto plan = put_media(tx, c.by, course, parts, lesson_id, false);
        if (const auto bad = plan.first_refused()) {
            const auto& reason = *plan.rows[*bad].reason;
            throw reason.field() == "lesson_id" ? reason : in_row(reason, "parts", *bad);
        }
        const auto world = read_media_world(tx, course);
        nlohmann::json out;
        out["course_id"] = course_id;
        out["lesson_id"] = lesson_id;
        out["changed"] = !plan.changed_lessons.empty();
        out["parts"] = nlohmann::json::array();
        std::vector<std::string> used;
        for (const auto& m : world.existing) {
            if (m.lesson_id != lesson_id)
                continue;
            out["parts"].push_back(json_of(m));
            if (const auto& code = m.subscription_code ? m.subscription_code : world.default_subscription)
                used.push_back(*code);
        }
        out["subscriptions"] = nlohmann::json::array();
        for (const auto& u : subscription_uses(world))
            if (std::find(used.begin(), used.end(), u.code) != used.end())
                out["subscriptions"].push_back(json_of(u));
        return json_answer(200, out);
    };
    co_return co_await write(g, c, work);
}

async::task<http::response> put_many_media_route(gateway& g, call& c)
{
    const auto course_id = path_id(c.request, "course_id");
    body_reader body(c.request);
    std::vector<media_part> rows;
    for (auto& row : body.objects("rows", most_rows))
        rows.push_back(read_part(row, {}));
    const auto dry_run = body.optional_flag("dry_run").value_or(false);
    if (const auto reason = body.optional_text("reason"))
        c.by.why = checked_line(*reason, "reason", 500, 1);
    body.finish();

    auto work = [&](db::transaction& tx) {
        const auto course = course_named(tx, course_id, "course_id");
        const auto plan = put_media(tx, c.by, course, rows, {}, dry_run);
        nlohmann::json out = counts(plan);
        out["dry_run"] = dry_run;
        out["rows"] = rows_report(rows, plan);
        const auto bad = plan.first_refused();
        if (!bad || dry_run)
            return json_answer(200, out);
        // One bad row and nothing is changed; the report says which ones, so that one correction is enough.
        const auto first = in_row(*plan.rows[*bad].reason, "rows", *bad);
        out["error"] = first.slug();
        out["field"] = first.field();
        out["message"] = first.message();
        return json_answer(first.kind() == refusal::not_found ? 404 : 409, out);
    };
    co_return co_await write(g, c, work);
}

async::task<http::response> put_subscription_route(gateway& g, call& c)
{
    const auto course_id = path_id(c.request, "course_id");
    const auto code = checked_subscription_code(c.request.path_parameters.at("code"), "code");
    body_reader body(c.request);
    const auto kind = body.text("kind");
    if (kind != "group" && kind != "single")
        throw invalid("kind", "The kind is one of group, single.");
    if (const auto reason = body.optional_text("reason"))
        c.by.why = checked_line(*reason, "reason", 500, 1);
    body.finish();

    auto work = [&](db::transaction& tx) {
        const auto course = course_named(tx, course_id, "course_id");
        const bool is_new = put_subscription(tx, c.by, course, code, kind);
        const auto uses = subscription_uses(read_media_world(tx, course));
        const auto use =
            std::find_if(uses.begin(), uses.end(), [&](const auto& u) { return u.code == code; });
        return json_answer(is_new ? 201 : 200, json_of(*use));
    };
    co_return co_await write(g, c, work);
}

} // namespace coursegate::web_gateway
