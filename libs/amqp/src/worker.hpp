// The thread behind a publisher or a consumer: it owns the connection, tries the addresses in order, and
// reconnects for ever with backoff. What it does with a connection is serve() of the class derived from it.
#pragma once

#include "connection.hpp"

#include "coursegate/async/signal.hpp"
#include "coursegate/async/task.hpp"
#include "coursegate/base/backoff.hpp"

#include <atomic>
#include <chrono>
#include <exception>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

namespace coursegate::metrics {
class counter;
class gauge;
} // namespace coursegate::metrics

namespace coursegate::amqp {

class worker
{
public:
    worker(async::executor ex, settings s, std::string role);
    virtual ~worker();
    worker(const worker&) = delete;
    worker& operator=(const worker&) = delete;

    // Starts the thread; returns when serve() called ready() for the first time. Throws base::dependency_down
    // when every address had its connect_timeout (and there was one more to spare), std::runtime_error at
    // once when the broker refuses the topology; the thread has ended then.
    async::task<void> start_thread();

    // Asks the thread to end and waits for it. The last thing the thread does is over when this returns.
    async::task<void> stop_thread();

    // The same for destructors: blocks.
    void join() noexcept;

    struct status
    {
        bool connected = false;
        bool blocked = false;
        std::string why; // the last failure, or the alarm that blocks
    };
    status current() const; // any thread

    const settings& configuration() const { return settings_; }

protected:
    // On the thread. serve() returns when stopping() and everything is done; an exception means the
    // connection is lost and another one is made.
    virtual void serve(connection& c) = 0;
    // On the thread, when a connection failed or was lost, when its loss begins to last (again and again),
    // and once at the end.
    virtual void without_connection(bool at_the_end) = 0;

    // The broker has confirmed or taken something: only now is a connection worth the next one's short
    // backoff. One that is closed again and again right after its beginning must not be tried in a circle.
    void progressed() { backoff_.reset(); }
    void ready(); // serve() has declared, consumes, may publish
    void set_blocked(bool blocked, const std::string& reason);
    bool stopping() const { return stopping_; }
    void wake() { wake_.ring(); } // any thread: look for work

    const async::executor& executor() const { return executor_; }
    const std::string& role() const { return role_; }
    wake_up& wake_source() { return wake_; }

private:
    void run();
    void pause(std::chrono::milliseconds d);
    void lost(const std::string& why, const std::exception_ptr& refused);

    async::executor executor_;
    settings settings_;
    std::string role_;
    wake_up wake_;
    std::atomic<bool> stopping_{false};
    async::signal changed_; // connected for the first time, refused, or ended

    mutable std::mutex mutex_; // status_, was_ready_, refused_, ended_
    status status_;
    bool was_ready_ = false;
    std::exception_ptr refused_;
    bool ended_ = true;

    base::backoff backoff_;
    std::size_t next_address_ = 0;
    std::thread thread_;
    metrics::counter& reconnects_;
    metrics::gauge& blocked_;
    metrics::gauge& connected_;
};

} // namespace coursegate::amqp
