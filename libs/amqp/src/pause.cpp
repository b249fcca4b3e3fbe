#include "pause.hpp"

#include "coursegate/log/log.hpp"
#include "coursegate/metrics/metrics.hpp"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <utility>

namespace coursegate::amqp {

namespace asio = boost::asio;
using steady = std::chrono::steady_clock;

pause::pause(async::executor ex)
    : executor_(std::move(ex)), backoff_({std::chrono::milliseconds(500), std::chrono::milliseconds(30'000)}),
      gauge_(metrics::get_gauge(
          "coursegate_consumer_paused", "1 while consuming pauses because a dependency of ours is down"))
{}

async::task<pause::turn> pause::wait_for_turn(std::function<bool()> is_over)
{
    for (;;) {
        if (is_over())
            co_return turn::over;
        if (!on_)
            co_return turn::go;
        const auto now = steady::now();
        if (!trying_ && now >= until_) {
            trying_ = true;
            co_return turn::go_and_tell;
        }
        const steady::duration left = trying_ ? steady::duration(std::chrono::hours(1)) : until_ - now;
        co_await nap(left);
    }
}

void pause::begin(const std::string& why)
{
    if (on_)
        return; // others that were running find out too
    log::warning("consuming pauses: a dependency is down", {{"reason", why}});
    hold(why);
}

void pause::told(bool is_back, const std::string& why)
{
    trying_ = false;
    if (!is_back)
        return hold(why);
    log::info("consuming goes on");
    on_ = false;
    backoff_.reset();
    gauge_.set(0);
    wake();
}

void pause::hold(const std::string& why)
{
    on_ = true;
    why_ = why;
    until_ = steady::now() + backoff_.next();
    gauge_.set(1);
    wake();
}

async::task<void> pause::nap(steady::duration d)
{
    struct listed
    {
        listed(std::set<asio::steady_timer*>& s, asio::steady_timer& t) : all(s), timer(t)
        {
            all.insert(&timer);
        }
        ~listed() { all.erase(&timer); }
        listed(const listed&) = delete;
        std::set<asio::steady_timer*>& all;
        asio::steady_timer& timer;
    };
    asio::steady_timer timer{executor_, std::min<steady::duration>(d, std::chrono::hours(24))};
    const listed entry{naps_, timer};
    boost::system::error_code woken;
    co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, woken));
}

void pause::wake()
{
    for (auto* const timer : naps_)
        timer->cancel();
}

} // namespace coursegate::amqp
