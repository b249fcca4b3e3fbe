// The rules that open lessons: of the course, a module or a lesson.
#include "domain/rules.hpp"
#include "domain/input.hpp"
#include "handlers/reading.hpp"
#include "handlers/shapes.hpp"
#include "handlers/uses.hpp"
#include "storage/catalog.hpp"

namespace coursegate::web_gateway {

async::task<http::response> put_rule_route(gateway& g, call& c)
{
    const auto course_id = path_id(c.request, "course_id");
    body_reader body(c.request);
    const auto scope = body.text("scope");
    const auto scope_id = body.optional_integer("scope_id");
    const auto name = body.text("rule");
    const auto days = body.optional_integer("days");
    if (const auto reason = body.optional_text("reason"))
        c.by.why = checked_line(*reason, "reason", 500, 1);
    body.finish();
    const auto rule = checked_rule(course_id, scope, scope_id, name, days);

    auto work = [&](db::transaction& tx) {
        put_rule(tx, c.by, course_named(tx, course_id, "course_id"), rule);
        return json_answer(200, json_of(rule));
    };
    co_return co_await write(g, c, work);
}

// The scope stands in the query (?scope=lesson&scope_id=…): many tools drop the body of a DELETE. A body is
// read too.
async::task<http::response> remove_rule_route(gateway& g, call& c)
{
    const auto course_id = path_id(c.request, "course_id");
    query_reader query(c.request);
    body_reader body(c.request);
    auto scope = query.text("scope");
    auto scope_id = query.id("scope_id");
    query.finish();
    if (!scope)
        scope = body.text("scope");
    if (const auto id = body.optional_integer("scope_id"))
        scope_id = id;
    if (const auto reason = body.optional_text("reason"))
        c.by.why = checked_line(*reason, "reason", 500, 1);
    body.finish();
    const auto id = checked_scope(course_id, *scope, scope_id);

    auto work = [&](db::transaction& tx) {
        remove_rule(tx, c.by, course_named(tx, course_id, "course_id"), *scope, id);
        answer out;
        out.status = 204;
        return out;
    };
    co_return co_await write(g, c, work);
}

} // namespace coursegate::web_gateway
