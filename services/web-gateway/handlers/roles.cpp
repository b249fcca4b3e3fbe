// Who may do more than a student: give a role, take it away.
#include "storage/roles.hpp"
#include "domain/input.hpp"
#include "handlers/reading.hpp"
#include "handlers/uses.hpp"

namespace coursegate::web_gateway {
namespace {

nlohmann::json json_of(const base::uuid& user_id, const std::vector<given_role>& roles)
{
    nlohmann::json out;
    out["user_id"] = base::to_string(user_id);
    out["roles"] = nlohmann::json::array();
    for (const auto& r : roles)
        out["roles"].push_back(
            {{"role", r.role}, {"course_id", r.course_id ? nlohmann::json(*r.course_id) : nlohmann::json()}});
    return out;
}

} // namespace

async::task<http::response> give_role_route(gateway& g, call& c)
{
    const auto id = path_uuid(c.request, "id");
    body_reader body(c.request);
    const auto name = body.text("role");
    const auto course_id = body.optional_integer("course_id");
    if (const auto reason = body.optional_text("reason"))
        c.by.why = checked_line(*reason, "reason", 500, 1);
    body.finish();
    const auto role = checked_role(name, course_id);

    auto work = [&](db::transaction& tx) {
        return json_answer(200, json_of(id, give_role(tx, c.by, id, role)));
    };
    co_return co_await write(g, c, work);
}

async::task<http::response> take_role_route(gateway& g, call& c)
{
    const auto id = path_uuid(c.request, "id");
    query_reader query(c.request);
    const auto name = query.required_text("role");
    const auto course_id = query.id("course_id");
    query.finish();
    body_reader body(c.request);
    if (const auto reason = body.optional_text("reason"))
        c.by.why = checked_line(*reason, "reason", 500, 1);
    body.finish();
    const auto role = checked_role(name, course_id);

    auto work = [&](db::transaction& tx) {
        return json_answer(200, json_of(id, take_role(tx, c.by, id, role)));
    };
    co_return co_await write(g, c, work);
}

} // namespace coursegate::web_gateway
