// Waiting while a dependency of ours is down. Nobody runs until one of those that wait has tried again with
// success; the messages stay with their handlers, unacked, so that neither they nor the broker turn in
// circles. The prefetch limits how many.
#pragma once

#include "coursegate/async/task.hpp"
#include "coursegate/base/backoff.hpp"

#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <functional>
#include <set>
#include <string>

namespace coursegate::metrics {
class gauge;
} // namespace coursegate::metrics

namespace coursegate::amqp {

// One executor.
class pause
{
public:
    explicit pause(async::executor ex);

    enum class turn
    {
        go,
        go_and_tell, // the one that tries whether the dependency is back: calls told() when it knows
        over,        // is_over() became true
    };

    // Waits for the end of a pause, if there is one. wake() makes it ask is_over() again.
    async::task<turn> wait_for_turn(std::function<bool()> is_over);

    void begin(const std::string& why); // a dependency was found to be down
    void told(bool is_back, const std::string& why);

    bool on() const { return on_; }
    const std::string& why() const { return why_; }

    // A wait of at most `d`, ended early by wake().
    async::task<void> nap(std::chrono::steady_clock::duration d);
    void wake();

private:
    void hold(const std::string& why);

    async::executor executor_;
    bool on_ = false;
    bool trying_ = false;
    std::string why_;
    std::chrono::steady_clock::time_point until_{};
    base::backoff backoff_;
    std::set<boost::asio::steady_timer*> naps_;
    metrics::gauge& gauge_;
};

} // namespace coursegate::amqp
