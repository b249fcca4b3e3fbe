// Coroutines that wait for something to become free, first come first served, each up to its own deadline.
#pragma once

#include "coursegate/async/task.hpp"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>

#include <chrono>
#include <list>

namespace coursegate::http {

class waiting_room
{
public:
    using time_point = std::chrono::steady_clock::time_point;

    // True when called, false when the deadline came first. Throws operation_aborted when the caller is
    // cancelled.
    async::task<bool> wait(const async::executor& ex, time_point deadline)
    {
        place here(*this, ex, deadline);
        boost::system::error_code ec;
        co_await here.timer.async_wait(boost::asio::redirect_error(boost::asio::use_awaitable, ec));
        if (ec && !here.is_called)
            throw boost::system::system_error(boost::asio::error::operation_aborted);
        co_return here.is_called;
    }

    bool call_first()
    {
        if (places_.empty())
            return false;
        auto* p = places_.front();
        places_.pop_front();
        p->is_called = true;
        p->timer.cancel();
        return true;
    }
    void call_all()
    {
        while (call_first()) {
        }
    }
    bool is_empty() const { return places_.empty(); }

private:
    struct place
    {
        place(waiting_room& r, const async::executor& ex, time_point deadline) : room(r), timer(ex, deadline)
        {
            room.places_.push_back(this);
        }
        ~place()
        {
            if (!is_called)
                room.places_.remove(this);
        }
        place(const place&) = delete;

        waiting_room& room;
        boost::asio::steady_timer timer;
        bool is_called = false;
    };

    std::list<place*> places_;
};

} // namespace coursegate::http
