#include "storage/orders.hpp"

#include "storage/audit_log.hpp"

#include "coursegate/db/transaction.hpp"
#include "coursegate/events/audit_requested.hpp"
#include "coursegate/events/grant_requested.hpp"
#include "coursegate/events/grant_revoke_requested.hpp"
#include "coursegate/events/sync_requested.hpp"
#include "coursegate/outbox/outbox.hpp"

#include <nlohmann/json.hpp>

namespace coursegate::web_gateway {
namespace {

constexpr db::statement insert_order{"accounts.insert_request",
    "INSERT INTO accounts.requests (request_id, kind, course_id, lesson_id, user_id, stepik_user_id, actor)"
    " VALUES ($1, $2, $3, $4, $5, $6, $7)"};

constexpr db::statement select_order{"accounts.request",
    "SELECT request_id, kind, course_id, lesson_id, user_id, stepik_user_id, actor, requested_at"
    " FROM accounts.requests WHERE request_id = $1"};

constexpr db::statement delete_old{"accounts.purge_requests",
    "DELETE FROM accounts.requests WHERE request_id IN (SELECT request_id FROM accounts.requests"
    " WHERE requested_at < now() - interval '30 days' LIMIT $1)"};

order new_order(const act& by, const char* kind, std::int64_t course_id)
{
    order out;
    out.request_id = base::new_uuid();
    out.kind = kind;
    out.course_id = course_id;
    out.actor = by.actor();
    return out;
}

void write_order(db::transaction& tx, const order& o)
{
    tx.exec(
        insert_order, o.request_id, o.kind, o.course_id, o.lesson_id, o.user_id, o.stepik_user_id, o.actor);
}

std::string course_target(std::int64_t course_id)
{
    return "course/" + std::to_string(course_id);
}

std::string lesson_target(const base::uuid& user_id, std::int64_t course_id, std::int64_t lesson_id)
{
    return "user/" + base::to_string(user_id) + "/" + course_target(course_id) + "/lesson/" +
           std::to_string(lesson_id);
}

// grant_requested and grant_revoke_requested have the same fields.
template <class Event>
base::uuid order_about_lesson(db::transaction& tx, const act& by, const char* kind, const base::uuid& user_id,
    std::int64_t course_id, std::int64_t lesson_id)
{
    auto o = new_order(by, kind, course_id);
    o.lesson_id = lesson_id;
    o.user_id = user_id;
    write_order(tx, o);
    write_audit(tx, by, std::string("grant.") + kind, lesson_target(user_id, course_id, lesson_id), nullptr,
        nlohmann::json{{"request_id", base::to_string(o.request_id)}});
    Event e;
    e.request_id = o.request_id;
    e.user_id = user_id;
    e.course_id = course_id;
    e.lesson_id = lesson_id;
    e.actor = o.actor;
    e.reason = by.why.value_or("");
    outbox::add(tx, service_name, e, cause_of(by));
    return o.request_id;
}

} // namespace

base::uuid order_grant(db::transaction& tx, const act& by, const base::uuid& user_id, std::int64_t course_id,
    std::int64_t lesson_id)
{
    return order_about_lesson<events::grant_requested>(tx, by, "grant", user_id, course_id, lesson_id);
}

base::uuid order_revoke(db::transaction& tx, const act& by, const base::uuid& user_id, std::int64_t course_id,
    std::int64_t lesson_id)
{
    return order_about_lesson<events::grant_revoke_requested>(
        tx, by, "revoke", user_id, course_id, lesson_id);
}

base::uuid order_sync(db::transaction& tx, const act& by, std::int64_t course_id, std::int64_t stepik_user_id,
    const std::optional<base::uuid>& user_id)
{
    auto o = new_order(by, "sync", course_id);
    o.user_id = user_id;
    o.stepik_user_id = stepik_user_id;
    write_order(tx, o);
    write_audit(tx, by, "sync.request",
        course_target(course_id) + "/student/" + std::to_string(stepik_user_id), nullptr,
        nlohmann::json{{"request_id", base::to_string(o.request_id)}});
    events::sync_requested e;
    e.request_id = o.request_id;
    e.course_id = course_id;
    e.stepik_user_id = stepik_user_id;
    e.requested_by = o.actor;
    outbox::add(tx, service_name, e, cause_of(by));
    return o.request_id;
}

base::uuid order_audit(db::transaction& tx, const act& by, std::int64_t course_id, bool dry_run, int budget)
{
    const auto o = new_order(by, "audit", course_id);
    write_order(tx, o);
    write_audit(tx, by, "audit.request", course_target(course_id), nullptr,
        nlohmann::json{
            {"request_id", base::to_string(o.request_id)}, {"dry_run", dry_run}, {"budget", budget}});
    events::audit_requested e;
    e.request_id = o.request_id;
    e.course_id = course_id;
    e.dry_run = dry_run;
    e.budget = budget;
    e.actor = o.actor;
    outbox::add(tx, service_name, e, cause_of(by));
    return o.request_id;
}

std::optional<order> find_order(db::transaction& tx, const base::uuid& request_id)
{
    const auto rows = tx.exec(select_order, request_id);
    if (rows.empty())
        return std::nullopt;
    const auto& r = rows[0];
    order out;
    out.request_id = db::get<base::uuid>(r, "request_id");
    out.kind = db::get<std::string>(r, "kind");
    out.course_id = db::get<std::int64_t>(r, "course_id");
    out.lesson_id = db::get_optional<std::int64_t>(r, "lesson_id");
    out.user_id = db::get_optional<base::uuid>(r, "user_id");
    out.stepik_user_id = db::get_optional<std::int64_t>(r, "stepik_user_id");
    out.actor = db::get<std::string>(r, "actor");
    out.requested_at = db::get<base::time_point>(r, "requested_at");
    return out;
}

int purge_orders(db::transaction& tx, int most)
{
    return static_cast<int>(tx.exec(delete_old, most).affected_rows());
}

} // namespace coursegate::web_gateway
