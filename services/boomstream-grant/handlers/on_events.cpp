#include "handlers/on_events.hpp"

#include "coursegate/events/access_rule_changed.hpp"
#include "coursegate/events/account_linked.hpp"
#include "coursegate/events/boom_code_rotated.hpp"
#include "coursegate/events/course_connected.hpp"
#include "coursegate/events/course_structure_synced.hpp"
#include "coursegate/events/lesson_media_changed.hpp"
#include "coursegate/events/lesson_passed.hpp"
#include "coursegate/events/student_enrolled.hpp"
#include "handlers/on_orders.hpp"
#include "storage/calls.hpp"
#include "storage/health.hpp"

namespace coursegate::boomstream_grant {

namespace {

constexpr auto passes = "boomstream-grant.passes";
constexpr auto changes = "boomstream-grant.changes";

using pass_marks = together<pass_mark>;

// Passes come in crowds: those that arrive while a commit runs share the next one.
struct on_lesson_passed
{
    std::shared_ptr<pass_marks> marks;

    async::task<events::verdict> operator()(const events::lesson_passed& e, events::message_context&) const
    {
        pass_mark mark;
        mark.stepik_user_id = e.stepik_user_id;
        mark.way = e.backfill ? lane::backfill : lane::fresh;
        co_await marks->add(mark);
        co_return events::verdict::ack();
    }
};

// Accounts and enrolments come in crowds too: an import links thousands.
using student_marks = together<student_mark>;

struct on_student_enrolled
{
    std::shared_ptr<student_marks> marks;

    async::task<events::verdict> operator()(const events::student_enrolled& e, events::message_context&) const
    {
        student_mark mark;
        mark.course_id = e.course_id;
        mark.stepik_user_id = e.stepik_user_id;
        co_await marks->add(mark);
        co_return events::verdict::ack();
    }
};

// In the backfill lane: an import links thousands, and what they passed earlier is backfill anyway.
struct on_account_linked
{
    std::shared_ptr<student_marks> marks;

    async::task<events::verdict> operator()(const events::account_linked& e, events::message_context&) const
    {
        student_mark mark;
        mark.user_id = e.user_id;
        mark.way = lane::backfill;
        co_await marks->add(mark);
        co_return events::verdict::ack();
    }
};

struct on_boom_code_rotated
{
    std::shared_ptr<student_marks> marks;

    async::task<events::verdict> operator()(
        const events::boom_code_rotated& e, events::message_context&) const
    {
        student_mark mark;
        mark.user_id = e.user_id;
        co_await marks->add(mark);
        co_return events::verdict::ack();
    }
};

// Media, rules and structure concern everybody in the course.
template <class E>
struct on_course_changed
{
    db::pool& db;

    async::task<events::verdict> operator()(const E& e, events::message_context& context) const
    {
        auto body = [&e](db::transaction& tx) { return mark_course(tx, e.course_id); };
        const int named = co_await db.transact(body);
        context.log.info("course changed, students named", {{"course_id", e.course_id}, {"students", named}});
        co_return events::verdict::ack();
    }
};

// A key may be new, so what waited for a person because of the connection is tried again.
struct on_course_connected
{
    db::pool& db;

    async::task<events::verdict> operator()(
        const events::course_connected& e, events::message_context& context) const
    {
        auto body = [&e](db::transaction& tx) {
            // Students before buyers, as the workers do: nobody waits in a circle.
            const int named = mark_course(tx, e.course_id);
            probe_at_once(tx, e.course_id);
            retry_waiting(tx, e.course_id);
            return named;
        };
        const int named = co_await db.transact(body);
        context.log.info(
            "course connected, students named", {{"course_id", e.course_id}, {"students", named}});
        co_return events::verdict::ack();
    }
};

} // namespace

void subscribe(events::subscriptions& subs, async::executor ex, db::pool& db)
{
    auto write = [&db](std::vector<pass_mark> all) -> async::task<void> {
        auto body = [&all](db::transaction& tx) { mark_passes(tx, all); };
        co_await db.autocommit(body); // naming somebody twice is naming him once
    };
    auto marks = std::make_shared<pass_marks>(ex, 200, write);
    auto write_students = [&db](std::vector<student_mark> all) -> async::task<void> {
        auto body = [&all](db::transaction& tx) { mark_students(tx, all); };
        co_await db.autocommit(body);
    };
    auto students = std::make_shared<student_marks>(ex, 200, write_students);
    subs.on<events::lesson_passed>(passes, "boomstream_grant.on_lesson_passed", on_lesson_passed{marks});
    subs.on<events::student_enrolled>(
        changes, "boomstream_grant.on_student_enrolled", on_student_enrolled{students});
    subs.on<events::account_linked>(
        changes, "boomstream_grant.on_account_linked", on_account_linked{students});
    subs.on<events::boom_code_rotated>(
        changes, "boomstream_grant.on_boom_code_rotated", on_boom_code_rotated{students});
    subs.on<events::lesson_media_changed>(changes, "boomstream_grant.on_lesson_media_changed",
        on_course_changed<events::lesson_media_changed>{db});
    subs.on<events::access_rule_changed>(changes, "boomstream_grant.on_access_rule_changed",
        on_course_changed<events::access_rule_changed>{db});
    subs.on<events::course_structure_synced>(changes, "boomstream_grant.on_course_structure_synced",
        on_course_changed<events::course_structure_synced>{db});
    subs.on<events::course_connected>(
        changes, "boomstream_grant.on_course_connected", on_course_connected{db});
    subscribe_orders(subs, db);
}

} // namespace coursegate::boomstream_grant
