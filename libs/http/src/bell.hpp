// One coroutine waits, others ring. Ringing before anybody waits is remembered.
#pragma once

#include "coursegate/async/task.hpp"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace coursegate::http {

class bell
{
public:
    explicit bell(const async::executor& ex) : timer_(ex, boost::asio::steady_timer::time_point::max()) {}

    void ring()
    {
        rung_ = true;
        timer_.cancel();
    }

    // A timer that never fires rather than a stored handler: a loop that is destroyed early frees the waiting
    // coroutine.
    async::task<void> wait()
    {
        boost::system::error_code ignored;
        while (!rung_)
            co_await timer_.async_wait(boost::asio::redirect_error(boost::asio::use_awaitable, ignored));
        rung_ = false;
    }

private:
    boost::asio::steady_timer timer_;
    bool rung_ = false;
};

} // namespace coursegate::http
