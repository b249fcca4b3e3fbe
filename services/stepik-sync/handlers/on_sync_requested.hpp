// sync_requested: somebody waits for one student's progress. One call, ahead of every sweep; answered by
// sync_completed whatever comes of it, and never retried behind the asker's back for longer than the client's
// own tries.
//
// Killed before the request was written down, or before its answer: the message comes again, finds the
// request open, and goes on. After the answer: it finds it answered. The row is saved as a sweep would save
// it, in the answer's transaction.
#pragma once

#include "clients/stepik_client.hpp"
#include "coursegate/base/keyring.hpp"
#include "coursegate/events/subscriptions.hpp"
#include "coursegate/events/sync_requested.hpp"
#include "handlers/connection_watch.hpp"
#include "storage/request_store.hpp"

namespace coursegate::stepik_sync {

class on_sync_requested
{
public:
    on_sync_requested(
        stepik_client& stepik, request_store& requests, connection_watch& watch, const base::keyring& keys);

    async::task<events::verdict> operator()(
        const events::sync_requested& e, events::message_context& context) const;

private:
    stepik_client* stepik_;
    request_store* requests_;
    connection_watch* watch_;
    const base::keyring* keys_;
};

} // namespace coursegate::stepik_sync
