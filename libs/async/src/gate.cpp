#include "coursegate/async/gate.hpp"

#include "coursegate/log/log.hpp"
#include "coursegate/metrics/metrics.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <cassert>
#include <exception>
#include <list>
#include <vector>

namespace coursegate::async {

namespace asio = boost::asio;

struct gate::impl
{
    struct entry
    {
        std::string name;
        std::function<task<void>()> body; // outlives the coroutine: a lambda's captures live in here
        asio::cancellation_signal cancel;
    };

    explicit impl(executor e) : ex(std::move(e)) {}

    executor ex;
    bool closing = false;
    bool cancelled = false;
    std::list<std::shared_ptr<entry>> entries;
    std::vector<std::shared_ptr<asio::steady_timer>>
        waiting; // close() calls, each until the last entry is gone

    void ended(const std::shared_ptr<entry>& e, const std::exception_ptr& failure)
    {
        if (failure)
            report(*e, failure);
        entries.remove(e);
        if (!entries.empty())
            return;
        for (const auto& timer : waiting)
            timer->cancel();
    }

    void report(const entry& e, const std::exception_ptr& failure) const
    {
        std::string what = "an exception that is no std::exception";
        try {
            std::rethrow_exception(failure);
        }
        catch (const std::exception& caught) {
            if (cancelled && is_cancellation(caught))
                return; // it was asked to stop and did
            what = caught.what();
        }
        catch (...) {
        }
        metrics::get_counter("coursegate_background_failures_total",
            "Background coroutines that ended with an exception", {{"name", e.name}})
            .increment();
        log::error("background work failed", {{"name", e.name}, {"error", what}});
    }
};

gate::gate(executor ex) : impl_(std::make_shared<impl>(std::move(ex))) {}

gate::~gate()
{
    // During unwinding the first exception is the story to tell.
    if (impl_->entries.empty() || std::uncaught_exceptions() > 0)
        return;
    log::error("a gate was destroyed while work was running behind it",
        {{"name", impl_->entries.front()->name}, {"running", impl_->entries.size()}});
    assert(impl_->entries.empty());
}

bool gate::spawn(std::string name, std::function<task<void>()> body)
{
    if (impl_->closing)
        return false;
    auto e = std::make_shared<impl::entry>();
    e->name = std::move(name);
    e->body = std::move(body);
    impl_->entries.push_back(e);
    auto done = [self = impl_, e](std::exception_ptr failure) { self->ended(e, failure); };
    asio::co_spawn(
        impl_->ex, [e]() -> task<void> { return e->body(); },
        asio::bind_cancellation_slot(e->cancel.slot(), std::move(done)));
    return true;
}

bool gate::is_closing() const
{
    return impl_->closing;
}

std::size_t gate::running() const
{
    return impl_->entries.size();
}

task<void> gate::close(bool cancel)
{
    const auto self = impl_; // the gate may be gone when a cancelled close resumes
    self->closing = true;
    if (cancel) {
        self->cancelled = true;
        const auto entries =
            self->entries; // a copy: a cancelled coroutine may end, and leave the list, at once
        for (const auto& e : entries)
            e->cancel.emit(asio::cancellation_type::terminal);
    }
    while (!self->entries.empty()) {
        const auto timer =
            std::make_shared<asio::steady_timer>(self->ex, asio::steady_timer::time_point::max());
        self->waiting.push_back(timer);
        boost::system::error_code woken;
        co_await timer->async_wait(asio::redirect_error(asio::use_awaitable, woken));
        std::erase(self->waiting, timer);
    }
}

} // namespace coursegate::async
