// People: create, find, change, give a new code.
#include "storage/users.hpp"
#include "domain/input.hpp"
#include "domain/refused.hpp"
#include "handlers/reading.hpp"
#include "handlers/shapes.hpp"
#include "handlers/uses.hpp"

namespace coursegate::web_gateway {
namespace {

// A code that was made up here is in this one answer and nowhere else.
nlohmann::json with_code(const created_user& made)
{
    auto out = json_of(made.user);
    if (made.generated_code)
        out["boom_code"] = made.generated_code->expose();
    return out;
}

} // namespace

async::task<http::response> create_user_route(gateway& g, call& c)
{
    body_reader body(c.request);
    new_user wish;
    wish.email = checked_email(body.text("email"), "email");
    wish.first_name = checked_line(body.optional_text("first_name").value_or(""), "first_name", 100);
    wish.last_name = checked_line(body.optional_text("last_name").value_or(""), "last_name", 100);
    if (const auto id = body.optional_integer("stepik_user_id"))
        wish.stepik_user_id = checked_id(*id, "stepik_user_id");
    if (const auto code = body.optional_text("boom_code"))
        wish.boom_code = base::secret(checked_boom_code(*code, "boom_code"));
    if (const auto locale = body.optional_text("locale"))
        wish.locale = checked_locale(*locale, "locale");
    body.finish();

    auto work = [&](db::transaction& tx) {
        return json_answer(201, with_code(create_user(tx, g.keys, c.by, wish)));
    };
    co_return co_await write(g, c, work);
}

async::task<http::response> list_users_route(gateway& g, call& c)
{
    query_reader query(c.request);
    user_filter filter;
    if (const auto email = query.text("email"))
        filter.email = checked_email(*email, "email");
    filter.stepik_user_id = query.id("stepik_user_id");
    filter.words = query.text("q");
    filter.after = query.cursor();
    const auto limit = query.limit(50, 500);
    query.finish();

    filter.limit = limit + 1; // one more tells whether there is a next page
    auto body = [&](db::transaction& tx) { return list_users(tx, filter); };
    auto users = co_await g.db.transact(body);
    const bool more = users.size() > static_cast<std::size_t>(limit);
    if (more)
        users.pop_back();
    nlohmann::json out;
    out["users"] = nlohmann::json::array();
    for (const auto& u : users)
        out["users"].push_back(json_of(u));
    out["next_cursor"] = more ? nlohmann::json(cursor_after(users.back().id)) : nlohmann::json();
    co_return http::response::json(200, out);
}

async::task<http::response> get_user_route(gateway& g, call& c)
{
    const auto id = path_uuid(c.request, "id");
    auto body = [&](db::transaction& tx) { return find_user(tx, id); };
    const auto found = co_await g.db.transact(body);
    if (!found)
        throw refused(refusal::not_found, slug::user_not_found, "There is no such user.", "id");
    co_return http::response::json(200, json_of(*found));
}

async::task<http::response> change_user_route(gateway& g, call& c)
{
    const auto id = path_uuid(c.request, "id");
    body_reader body(c.request);
    user_changes changes;
    if (const auto email = body.optional_text("email"))
        changes.email = checked_email(*email, "email");
    if (const auto name = body.optional_text("first_name"))
        changes.first_name = checked_line(*name, "first_name", 100);
    if (const auto name = body.optional_text("last_name"))
        changes.last_name = checked_line(*name, "last_name", 100);
    changes.stepik_user_id = body.nullable_integer("stepik_user_id");
    if (changes.stepik_user_id && *changes.stepik_user_id)
        checked_id(**changes.stepik_user_id, "stepik_user_id");
    if (const auto locale = body.optional_text("locale"))
        changes.locale = checked_locale(*locale, "locale");
    if (const auto reason = body.optional_text("reason"))
        c.by.why = checked_line(*reason, "reason", 500, 1);
    body.finish();
    if (changes.empty())
        throw refused(refusal::invalid, slug::missing_field,
            "Nothing to change: give email, first_name, last_name, stepik_user_id or locale.", "email");

    auto work = [&](db::transaction& tx) {
        return json_answer(200, json_of(change_user(tx, c.by, id, changes)));
    };
    co_return co_await write(g, c, work);
}

async::task<http::response> rotate_code_route(gateway& g, call& c)
{
    const auto id = path_uuid(c.request, "id");
    body_reader body(c.request);
    if (const auto reason = body.optional_text("reason"))
        c.by.why = checked_line(*reason, "reason", 500, 1);
    body.finish();

    auto work = [&](db::transaction& tx) {
        return json_answer(200, with_code(rotate_code(tx, g.keys, c.by, id)));
    };
    co_return co_await write(g, c, work);
}

} // namespace coursegate::web_gateway
