// The budget of calls to Stepik, as the client sees it. storage/api_budget implements it over the database,
// shared by all instances.
#pragma once

#include "clients/stepik_error.hpp"
#include "coursegate/async/task.hpp"

#include <chrono>
#include <memory>

namespace coursegate::stepik_sync {

enum class lane
{
    sweep,     // pages, of which there are many: they wait in the database, not here
    structure, // a dozen calls in a row, seldom
    urgent,    // a person waits: goes ahead of every sweep
};

// The right to one call in flight, given back when it goes. Held until the answer is dealt with, so that
// there are never more answers in memory than calls allowed at once.
class call_permit
{
public:
    call_permit() = default;
    explicit call_permit(std::shared_ptr<void> hold) : hold_(std::move(hold)) {}
    call_permit(call_permit&&) = default;
    call_permit& operator=(call_permit&&) = default;
    call_permit(const call_permit&) = delete;

    void give_back() { hold_.reset(); }

private:
    std::shared_ptr<void> hold_;
};

class call_budget
{
public:
    virtual ~call_budget() = default;

    // Returns when the call may start, or soon with stepik_errc::rate_limited (Stepik wants more quiet than
    // is worth waiting for here) or stepik_errc::busy (no call came free in time): a message that waits is
    // one that no other can be handled for. Throws base::dependency_down when the database is gone or the
    // daemon stops.
    virtual async::task<base::result<call_permit>> enter(lane l) = 0;

    // Stepik wants quiet: nobody starts a call for this long, on any instance.
    virtual async::task<void> pause(std::chrono::milliseconds d) = 0;
};

} // namespace coursegate::stepik_sync
