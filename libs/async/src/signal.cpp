#include "coursegate/async/signal.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <atomic>
#include <deque>

namespace coursegate::async {

namespace asio = boost::asio;

// set() writes `is_set`, then reads `is_waited_for`; wait_for() writes `is_waited_for`, then reads `is_set`.
// Both in sequentially consistent order, so at least one of the two sees the other: no wake-up is lost.
struct signal::impl : std::enable_shared_from_this<signal::impl>
{
    explicit impl(const executor& ex) : timer(ex) {}

    asio::steady_timer timer; // touched on its executor only
    std::atomic<bool> is_set{false};
    std::atomic<bool> is_waited_for{false};

    struct waiting
    {
        explicit waiting(impl& i) : owner(i) { owner.is_waited_for = true; }
        ~waiting() { owner.is_waited_for = false; }
        waiting(const waiting&) = delete;
        impl& owner;
    };
};

signal::signal(executor ex) : impl_(std::make_shared<impl>(ex)) {}

signal::~signal() = default;

void signal::set()
{
    if (impl_->is_set.exchange(true) || !impl_->is_waited_for)
        return;
    // May arrive when that wait is over already; wait_for() takes it for what it is then, a look at the
    // clock.
    asio::post(impl_->timer.get_executor(), [self = impl_] { self->timer.cancel(); });
}

task<bool> signal::wait_for(std::chrono::microseconds longest)
{
    const auto self = impl_;
    constexpr std::chrono::microseconds century = std::chrono::hours{24 * 365 * 100};
    const auto end = std::chrono::steady_clock::now() + std::min(longest, century);
    const impl::waiting registered{*self};
    for (;;) {
        if (self->is_set.exchange(false))
            co_return true;
        if (std::chrono::steady_clock::now() >= end)
            co_return false;
        self->timer.expires_at(end);
        boost::system::error_code woken;
        // When the coroutine itself was cancelled, the next turn's co_await throws operation_aborted.
        co_await self->timer.async_wait(asio::redirect_error(asio::use_awaitable, woken));
    }
}

struct semaphore::impl : std::enable_shared_from_this<semaphore::impl>
{
    struct waiter
    {
        explicit waiter(const executor& ex) : timer(ex, asio::steady_timer::time_point::max()) {}
        asio::steady_timer timer;
        bool granted = false;
    };

    impl(executor e, std::size_t permits) : ex(std::move(e)), free(permits) {}

    executor ex;
    std::size_t free;
    std::deque<std::shared_ptr<waiter>> queue;

    void give_back()
    {
        if (queue.empty()) {
            ++free;
            return;
        }
        const auto next = queue.front();
        queue.pop_front();
        next->granted = true;
        next->timer.cancel();
    }

    struct hold
    {
        explicit hold(std::shared_ptr<impl> o) : owner(std::move(o)) {}
        hold(const hold&) = delete;
        ~hold() { owner->give_back(); }
        std::shared_ptr<impl> owner;
    };

    // Takes its waiter out of the queue, or passes on a permit nobody took, when the waiting coroutine is
    // destroyed.
    struct place
    {
        place(impl& o, std::shared_ptr<waiter> w) : owner(o), mine(std::move(w))
        {
            owner.queue.push_back(mine);
        }
        place(const place&) = delete;
        ~place()
        {
            if (taken)
                return;
            if (mine->granted)
                owner.give_back();
            else
                std::erase(owner.queue, mine);
        }
        impl& owner;
        std::shared_ptr<waiter> mine;
        bool taken = false;
    };
};

semaphore::semaphore(executor ex, std::size_t permits) : impl_(std::make_shared<impl>(std::move(ex), permits))
{}

semaphore::~semaphore() = default;

std::size_t semaphore::waiting() const
{
    return impl_->queue.size();
}

task<semaphore::permit> semaphore::acquire()
{
    const auto self = impl_;
    if (self->free > 0 && self->queue.empty()) {
        --self->free;
        co_return permit{std::make_shared<impl::hold>(self)};
    }
    auto mine = std::make_shared<impl::waiter>(self->ex);
    impl::place place{*self, mine};
    while (!mine->granted) {
        boost::system::error_code woken;
        co_await mine->timer.async_wait(asio::redirect_error(asio::use_awaitable, woken));
    }
    auto hold = std::make_shared<impl::hold>(self);
    place.taken = true;
    co_return permit{std::move(hold)};
}

} // namespace coursegate::async
