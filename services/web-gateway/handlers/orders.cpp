// What a person asks other daemons to do: open, close, read one student now, compare with Boomstream.
// Answered 202 with the id to watch: the gateway has written the request, its audit row and the event, the
// rest follows.
#include "storage/orders.hpp"
#include "domain/input.hpp"
#include "domain/refused.hpp"
#include "handlers/reading.hpp"
#include "handlers/shapes.hpp"
#include "handlers/uses.hpp"
#include "storage/catalog.hpp"
#include "storage/users.hpp"

#include <algorithm>

namespace coursegate::web_gateway {
namespace {

nlohmann::json accepted(const base::uuid& request_id)
{
    const auto id = base::to_string(request_id);
    nlohmann::json out;
    out["request_id"] = id;
    out["watch"] = "/v1/requests/" + id;
    return out;
}

void require_lesson(db::transaction& tx, const course& c, std::int64_t lesson_id)
{
    const auto world = read_media_world(tx, c);
    require_structure(tx, world, c, "course");
    const auto found = std::find_if(
        world.structure.begin(), world.structure.end(), [&](const lesson& l) { return l.id == lesson_id; });
    if (found == world.structure.end())
        throw refused(refusal::not_found, slug::lesson_not_found,
            "The course has no lesson " + std::to_string(lesson_id) + ".", "lesson");
}

using order_about_lesson = base::uuid (*)(
    db::transaction&, const act&, const base::uuid&, std::int64_t, std::int64_t);

async::task<http::response> order_about(gateway& g, call& c, order_about_lesson place)
{
    body_reader body(c.request);
    const auto who = body.text("user");
    const auto course_id = checked_id(body.integer("course"), "course");
    const auto lesson_id = checked_id(body.integer("lesson"), "lesson");
    c.by.why = checked_line(body.text("reason"), "reason", 500, 1);
    body.finish();

    auto work = [&](db::transaction& tx) {
        const auto user = user_named(tx, who, "user");
        const auto course = course_named(tx, course_id, "course");
        require_lesson(tx, course, lesson_id);
        return json_answer(202, accepted(place(tx, c.by, user.id, course_id, lesson_id)));
    };
    co_return co_await write(g, c, work);
}

void describe_grant_order(db::transaction& tx, const order& o, nlohmann::json& out)
{
    const auto state = grant_order(tx, o.request_id);
    out["state"] = state ? state->state : "pending";
    out["detail"] = state ? json_of(state->detail) : nlohmann::json();
    out["finished_at"] = state && state->state != "pending" ? json_of(state->at) : nlohmann::json();
}

void describe_sync(db::transaction& tx, const order& o, nlohmann::json& out)
{
    const auto state = sync_request(tx, o.request_id);
    out["state"] = state && state->finished_at ? "done" : "pending";
    out["outcome"] = state ? json_of(state->outcome) : nlohmann::json();
    out["detail"] = state ? json_of(state->detail) : nlohmann::json();
    out["finished_at"] = state ? json_of(state->finished_at) : nlohmann::json();
}

void describe_audit(db::transaction& tx, const order& o, nlohmann::json& out)
{
    const auto state = audit_order(tx, o.request_id);
    out["state"] = !state ? "pending" : state->finished_at ? "done" : "running";
    out["outcome"] = state && state->finished_at ? nlohmann::json(state->state) : nlohmann::json();
    out["detail"] = state ? json_of(state->detail) : nlohmann::json();
    out["finished_at"] = state ? json_of(state->finished_at) : nlohmann::json();
    if (!state)
        return;
    nlohmann::json audit;
    audit["dry_run"] = state->dry_run;
    audit["missing"] = state->missing;
    audit["extra"] = state->extra;
    audit["wrong_end"] = state->wrong_end;
    audit["repaired"] = state->repaired;
    audit["started_at"] = json_of(state->started_at);
    audit["findings"] = nlohmann::json::parse(state->findings, nullptr, false);
    out["audit"] = std::move(audit);
}

} // namespace

async::task<http::response> grant_route(gateway& g, call& c)
{
    co_return co_await order_about(g, c, order_grant);
}

async::task<http::response> revoke_route(gateway& g, call& c)
{
    co_return co_await order_about(g, c, order_revoke);
}

async::task<http::response> sync_route(gateway& g, call& c)
{
    body_reader body(c.request);
    const auto who = body.optional_text("user");
    auto stepik_user_id = body.optional_integer("stepik_user_id");
    const auto course_id = checked_id(body.integer("course"), "course");
    body.finish();
    if (who && stepik_user_id)
        throw invalid("stepik_user_id", "Give user or stepik_user_id, not both.");
    if (!who && !stepik_user_id)
        throw refused(refusal::invalid, slug::missing_field, "Give user or stepik_user_id.", "user");
    if (stepik_user_id)
        checked_id(*stepik_user_id, "stepik_user_id");

    auto work = [&](db::transaction& tx) {
        std::optional<user> student;
        if (who) {
            student = user_named(tx, *who, "user");
            if (!student->stepik_user_id)
                throw refused(refusal::conflict, slug::no_stepik_account,
                    "This user is not linked to a Stepik account, so there is nothing to read.", "user");
        }
        else
            student = find_user_by_stepik_id(tx, *stepik_user_id);
        course_named(tx, course_id, "course");
        const auto on_stepik = stepik_user_id ? *stepik_user_id : *student->stepik_user_id;
        const auto id =
            order_sync(tx, c.by, course_id, on_stepik, student ? std::optional(student->id) : std::nullopt);
        const auto estimate = estimate_sync(recent_syncs_of(tx, course_id, id));
        auto out = accepted(id);
        out["estimate_seconds"] = estimate.seconds ? nlohmann::json(*estimate.seconds) : nlohmann::json();
        out["waiting"] = estimate.waiting;
        if (!estimate.note.empty())
            out["note"] = estimate.note;
        return json_answer(202, out);
    };
    co_return co_await write(g, c, work);
}

async::task<http::response> audit_route(gateway& g, call& c)
{
    const auto course_id = path_id(c.request, "course_id");
    body_reader body(c.request);
    // Looking first is the default: repairs are made only where somebody said so.
    const auto dry_run = body.optional_flag("dry_run").value_or(true);
    const auto budget =
        static_cast<int>(checked_range(body.optional_integer("budget").value_or(100), "budget", 0, 100'000));
    if (const auto reason = body.optional_text("reason"))
        c.by.why = checked_line(*reason, "reason", 500, 1);
    body.finish();

    auto work = [&](db::transaction& tx) {
        course_named(tx, course_id, "course_id");
        return json_answer(202, accepted(order_audit(tx, c.by, course_id, dry_run, budget)));
    };
    co_return co_await write(g, c, work);
}

async::task<http::response> get_request_route(gateway& g, call& c)
{
    const auto id = path_uuid(c.request, "request_id");
    auto body = [&](db::transaction& tx) {
        const auto o = find_order(tx, id);
        if (!o)
            throw refused(
                refusal::not_found, slug::request_not_found, "There is no such request.", "request_id");
        nlohmann::json out;
        out["request_id"] = base::to_string(o->request_id);
        out["kind"] = o->kind;
        out["course_id"] = o->course_id;
        out["lesson_id"] = json_of(o->lesson_id);
        out["user_id"] = o->user_id ? nlohmann::json(base::to_string(*o->user_id)) : nlohmann::json();
        out["stepik_user_id"] = json_of(o->stepik_user_id);
        out["actor"] = o->actor;
        out["requested_at"] = base::to_iso8601(o->requested_at);
        if (o->kind == "sync")
            describe_sync(tx, *o, out);
        else if (o->kind == "audit")
            describe_audit(tx, *o, out);
        else
            describe_grant_order(tx, *o, out);
        return out;
    };
    const auto out = co_await g.db.transact(body);
    co_return http::response::json(200, out);
}

} // namespace coursegate::web_gateway
