// course_connected: an author connected a course, changed its keys, or resumed it: structure and sweep are
// due now. Level, not edge: the leader finds a connected course without this message, too, only later.
#pragma once

#include "coursegate/events/course_connected.hpp"
#include "coursegate/events/subscriptions.hpp"
#include "storage/structure_store.hpp"

namespace coursegate::stepik_sync {

class on_course_connected
{
public:
    explicit on_course_connected(structure_store& structure) : structure_(&structure) {}

    async::task<events::verdict> operator()(
        const events::course_connected& e, events::message_context& context) const;

private:
    structure_store* structure_;
};

} // namespace coursegate::stepik_sync
