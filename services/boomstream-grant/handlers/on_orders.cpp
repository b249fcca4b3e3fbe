#include "handlers/on_orders.hpp"

#include "coursegate/events/audit_requested.hpp"
#include "coursegate/events/grant_requested.hpp"
#include "coursegate/events/grant_revoke_requested.hpp"
#include "storage/audits.hpp"
#include "storage/inbox.hpp"
#include "storage/orders.hpp"

namespace coursegate::boomstream_grant {

namespace {

constexpr auto orders = "boomstream-grant.orders";

template <class E>
struct on_order
{
    db::pool& db;
    bool is_grant;

    async::task<events::verdict> operator()(const E& e, events::message_context& context) const
    {
        order o;
        o.request_id = e.request_id;
        o.course_id = e.course_id;
        o.lesson_id = e.lesson_id;
        o.grant = is_grant;
        o.actor = e.actor;
        o.reason = e.reason;
        o.at = context.envelope
                   .time; // when the person asked: of two orders the later one counts, however they arrive
        const auto message = context.message_id();
        auto body = [&](db::transaction& tx) {
            if (first_time(tx, context.handler, message))
                add_order(tx, e.user_id, o);
        };
        co_await db.transact(body);
        context.log.info(is_grant ? "grant ordered" : "revoke ordered",
            {{"request_id", e.request_id}, {"user_id", e.user_id}, {"course_id", e.course_id},
                {"lesson_id", e.lesson_id}, {"actor", e.actor}});
        co_return events::verdict::ack();
    }
};

struct on_audit_requested
{
    db::pool& db;

    async::task<events::verdict> operator()(
        const events::audit_requested& e, events::message_context& context) const
    {
        audit_order a;
        a.request_id = e.request_id;
        a.course_id = e.course_id;
        a.dry_run = e.dry_run;
        a.budget = e.budget;
        a.actor = e.actor;
        const auto message = context.message_id();
        auto body = [&](db::transaction& tx) {
            if (first_time(tx, context.handler, message))
                add_audit(tx, a);
        };
        co_await db.transact(body);
        co_return events::verdict::ack();
    }
};

} // namespace

void subscribe_orders(events::subscriptions& subs, db::pool& db)
{
    subs.on<events::grant_requested>(
        orders, "boomstream_grant.on_grant_requested", on_order<events::grant_requested>{db, true});
    subs.on<events::grant_revoke_requested>(orders, "boomstream_grant.on_grant_revoke_requested",
        on_order<events::grant_revoke_requested>{db, false});
    subs.on<events::audit_requested>(orders, "boomstream_grant.on_audit_requested", on_audit_requested{db});
}

} // namespace coursegate::boomstream_grant
