// sweep_page_due: one page of a course's grade book.
//
// Claim the page (transaction 1), read it from Stepik, save rows, passes, events and the done mark
// (transaction 2). Killed before the claim committed: the message comes again. Between claim and save: it
// comes again and, being the same message, may claim again; Stepik is asked a second time, which changes
// nothing there. After the save: the page is done and the second delivery finds nothing to do. A page that
// fails is not the message's fault: it is acked, and the leader schedules the page again after a rest, so
// Stepik being down for a night parks nothing. A page that the budget lets nobody ask for is put off until it
// does: waiting happens in the database, so that the queue's other messages come through.
#pragma once

#include "clients/stepik_client.hpp"
#include "coursegate/base/keyring.hpp"
#include "coursegate/events/subscriptions.hpp"
#include "coursegate/events/sweep_page_due.hpp"
#include "handlers/connection_watch.hpp"
#include "storage/structure_store.hpp"
#include "storage/sweep_store.hpp"

namespace coursegate::stepik_sync {

class on_sweep_page_due
{
public:
    on_sweep_page_due(stepik_client& stepik, sweep_store& sweeps, structure_store& structure,
        connection_watch& watch, const base::keyring& keys);

    async::task<events::verdict> operator()(
        const events::sweep_page_due& e, events::message_context& context) const;

private:
    async::task<bool> read_page(
        const page_claim& claim, const application& app, events::message_context& context) const;
    // Once per sweep: the course object shows the rights we have, how many learners there are, and whether it
    // was edited.
    async::task<void> look_at_course(const application& app) const;

    stepik_client* stepik_;
    sweep_store* sweeps_;
    structure_store* structure_;
    connection_watch* watch_;
    const base::keyring* keys_;
};

} // namespace coursegate::stepik_sync
