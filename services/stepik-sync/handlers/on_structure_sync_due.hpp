// structure_sync_due: read a course's structure.
//
// Claim, read (a dozen calls), save in one transaction with the event. Killed in between: the message comes
// again and may claim again. Lost: the leader sends it again. A failed reading rests and is scheduled again,
// it is never parked.
#pragma once

#include "clients/stepik_client.hpp"
#include "coursegate/base/keyring.hpp"
#include "coursegate/events/structure_sync_due.hpp"
#include "coursegate/events/subscriptions.hpp"
#include "handlers/connection_watch.hpp"
#include "storage/structure_store.hpp"

namespace coursegate::stepik_sync {

class on_structure_sync_due
{
public:
    on_structure_sync_due(stepik_client& stepik, structure_store& structure, connection_watch& watch,
        const base::keyring& keys);

    async::task<events::verdict> operator()(
        const events::structure_sync_due& e, events::message_context& context) const;

private:
    async::task<base::result<structure_change>> read(
        const structure_turn& turn, events::message_context& context) const;

    stepik_client* stepik_;
    structure_store* structure_;
    connection_watch* watch_;
    const base::keyring* keys_;
};

} // namespace coursegate::stepik_sync
