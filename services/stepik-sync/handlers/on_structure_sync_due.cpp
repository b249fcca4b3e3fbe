#include "handlers/on_structure_sync_due.hpp"

#include "handlers/structure_reading.hpp"

namespace coursegate::stepik_sync {

on_structure_sync_due::on_structure_sync_due(
    stepik_client& stepik, structure_store& structure, connection_watch& watch, const base::keyring& keys)
    : stepik_(&stepik), structure_(&structure), watch_(&watch), keys_(&keys)
{}

async::task<events::verdict> on_structure_sync_due::operator()(
    const events::structure_sync_due& e, events::message_context& context) const
{
    const auto turn = co_await structure_->claim(e.course_id, context.envelope.id);
    if (!turn)
        co_return events::verdict::ack();
    if (!turn->course.is_connected) {
        co_await structure_->fail(*turn); // paused: it is due when the author resumes it
        co_return events::verdict::ack();
    }
    const auto change = co_await read(*turn, context);
    if (!change.has_value()) {
        co_await watch_->failed(e.course_id, change.error());
        co_await structure_->fail(*turn);
        co_return events::verdict::ack();
    }
    if (change->differs)
        context.log.info("the course's structure changed",
            {{"course_id", e.course_id}, {"lessons", change->now.lessons.size()}, {"steps", change->steps},
                {"added", change->added.size()}, {"moved", change->moved.size()},
                {"vanished", change->vanished.size()},
                {"without_tasks", change->lessons_without_tasks.size()}});
    co_await watch_->judge(e.course_id);
    co_return events::verdict::ack();
}

async::task<base::result<structure_change>> on_structure_sync_due::read(
    const structure_turn& turn, events::message_context& context) const
{
    const auto app = unseal(*keys_, turn.course);
    if (!app.has_value())
        co_return app.error();
    const auto course = co_await stepik_->course(*app);
    if (!course.has_value())
        co_return course.error();
    co_await watch_->saw(app->course_id, *course);
    const auto facts = co_await read_structure(*stepik_, *app, *course);
    if (!facts.has_value())
        co_return facts.error();
    const auto because = context.envelope.as_cause();
    auto change = co_await structure_->save(turn, *facts, because);
    co_return change;
}

} // namespace coursegate::stepik_sync
