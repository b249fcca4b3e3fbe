// A deadline that moves with every step of a connection. Moving it later costs an assignment: the timer is
// touched only when the new deadline comes before the one it was set to, and looks again when it fires.
#pragma once

#include "coursegate/async/task.hpp"

#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <functional>
#include <memory>

namespace coursegate::http {

class watchdog : public std::enable_shared_from_this<watchdog>
{
public:
    using time_point = std::chrono::steady_clock::time_point;

    watchdog(const async::executor& ex, std::function<void()> bark) : timer_(ex), bark_(std::move(bark)) {}

    void set(time_point deadline)
    {
        deadline_ = deadline;
        if (deadline < armed_)
            arm(deadline);
    }
    void set(std::chrono::milliseconds from_now) { set(std::chrono::steady_clock::now() + from_now); }
    void rest() { deadline_ = time_point::max(); } // nothing to watch for now

    void close()
    {
        bark_ = nullptr;
        rest();
        timer_.cancel();
    }

private:
    void arm(time_point when)
    {
        armed_ = when;
        timer_.expires_at(when);
        timer_.async_wait([self = weak_from_this(), when](boost::system::error_code ec) {
            const auto dog = self.lock();
            if (!ec && dog && dog->armed_ == when)
                dog->fired();
        });
    }

    void fired()
    {
        armed_ = time_point::max();
        if (deadline_ == time_point::max() || !bark_)
            return;
        if (std::chrono::steady_clock::now() < deadline_)
            return arm(deadline_);
        rest();
        const auto bark = bark_; // it may close() us
        bark();
    }

    boost::asio::steady_timer timer_;
    std::function<void()> bark_;
    time_point deadline_ = time_point::max();
    time_point armed_ = time_point::max(); // what the timer is set to; max: not set
};

// A deadline for one step: `cut` is called when it comes, unless the step has ended before.
class time_limit
{
public:
    time_limit(const async::executor& ex, watchdog::time_point deadline, std::function<void()> cut)
        : dog_(std::make_shared<watchdog>(ex, [has_cut = has_cut_, cut = std::move(cut)] {
              *has_cut = true;
              cut();
          }))
    {
        dog_->set(deadline);
    }
    ~time_limit() { dog_->close(); }
    time_limit(const time_limit&) = delete;

    void move(watchdog::time_point deadline) { dog_->set(deadline); }
    bool has_cut() const { return *has_cut_; }

private:
    std::shared_ptr<bool> has_cut_ = std::make_shared<bool>(false);
    std::shared_ptr<watchdog> dog_;
};

} // namespace coursegate::http
