#include "handlers/on_course_connected.hpp"

namespace coursegate::stepik_sync {

async::task<events::verdict> on_course_connected::operator()(
    const events::course_connected& e, events::message_context& context) const
{
    const auto because = context.envelope.as_cause();
    co_await structure_->course_connected(e.course_id, because);
    co_return events::verdict::ack();
}

} // namespace coursegate::stepik_sync
