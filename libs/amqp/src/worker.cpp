#include "worker.hpp"

#include "coursegate/log/log.hpp"
#include "coursegate/metrics/metrics.hpp"

#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <functional>

namespace coursegate::amqp {

namespace {

// Signals belong to the program's main thread; SIGPIPE, which a write into a cut TLS connection may raise, to
// nobody.
std::thread start_without_signals(const std::string& name, std::function<void()> body)
{
    sigset_t none{};
    sigset_t before{};
    sigfillset(&none);
    for (const int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP})
        sigdelset(&none, fault);
    pthread_sigmask(SIG_SETMASK, &none, &before);
    std::thread thread;
    try {
        thread = std::thread(std::move(body));
    }
    catch (...) {
        pthread_sigmask(SIG_SETMASK, &before, nullptr);
        throw;
    }
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    pthread_setname_np(thread.native_handle(), name.substr(0, 15).c_str());
    return thread;
}

} // namespace

worker::worker(async::executor ex, settings s, std::string role)
    : executor_(std::move(ex)), settings_(std::move(s)), role_(std::move(role)), changed_(executor_),
      backoff_({std::chrono::milliseconds(200), std::chrono::milliseconds(5'000)}),
      reconnects_(metrics::get_counter("coursegate_amqp_reconnects_total",
          "Connections to RabbitMQ that were lost or failed", {{"role", role_}})),
      blocked_(metrics::get_gauge("coursegate_amqp_blocked",
          "1 while RabbitMQ blocks this connection (memory or disk alarm)", {{"role", role_}})),
      connected_(metrics::get_gauge(
          "coursegate_amqp_connected", "1 while the connection to RabbitMQ is usable", {{"role", role_}}))
{}

worker::~worker() = default; // the owner has called join()

async::task<void> worker::start_thread()
{
    {
        const std::lock_guard lock(mutex_);
        ended_ = false;
    }
    stopping_ = false;
    thread_ = start_without_signals("amqp-" + role_, [this] { run(); });

    const auto tries = static_cast<int>(settings_.addresses.size()) + 1;
    const auto deadline = std::chrono::steady_clock::now() + tries * settings_.connect_timeout;
    std::string why;
    for (;;) {
        std::exception_ptr refused;
        {
            const std::lock_guard lock(mutex_);
            if (was_ready_)
                co_return;
            refused = refused_;
            why = status_.why;
        }
        const auto now = std::chrono::steady_clock::now();
        if (refused) {
            co_await stop_thread();
            std::rethrow_exception(refused);
        }
        if (now >= deadline)
            break;
        co_await changed_.wait_for(std::chrono::duration_cast<std::chrono::microseconds>(deadline - now));
    }
    co_await stop_thread();
    throw base::dependency_down(why.empty() ? "RabbitMQ can't be reached" : why);
}

async::task<void> worker::stop_thread()
{
    stopping_ = true;
    wake_.ring();
    for (;;) {
        {
            const std::lock_guard lock(mutex_);
            if (ended_)
                break;
        }
        co_await changed_.wait_for(std::chrono::seconds(1));
    }
    join();
}

void worker::join() noexcept
{
    stopping_ = true;
    wake_.ring();
    if (thread_.joinable())
        thread_.join();
}

worker::status worker::current() const
{
    const std::lock_guard lock(mutex_);
    return status_;
}

void worker::ready()
{
    connected_.set(1);
    {
        const std::lock_guard lock(mutex_);
        status_ = status{true, false, {}};
        was_ready_ = true;
    }
    changed_.set();
}

void worker::set_blocked(bool blocked, const std::string& reason)
{
    if (blocked)
        log::warning("RabbitMQ blocks this connection", {{"role", role_}, {"reason", reason}});
    else
        log::info("RabbitMQ no longer blocks this connection", {{"role", role_}});
    blocked_.set(blocked ? 1 : 0);
    const std::lock_guard lock(mutex_);
    status_.blocked = blocked;
    status_.why = reason;
}

void worker::lost(const std::string& why, const std::exception_ptr& refused)
{
    reconnects_.increment();
    connected_.set(0);
    blocked_.set(0);
    bool was_connected = false;
    {
        const std::lock_guard lock(mutex_);
        was_connected = status_.connected;
        status_ = status{false, false, why};
        if (!was_ready_)
            refused_ = refused;
    }
    // Once as a warning; each further try of a long outage only for those who look closely.
    log::write(was_connected || backoff_.failures() == 0 ? log::level::warning : log::level::debug,
        "no connection to RabbitMQ", {{"role", role_}, {"reason", why}, {"tries", backoff_.failures() + 1}});
    changed_.set();
}

void worker::run()
{
    while (!stopping_) {
        const auto& addresses = settings_.addresses;
        try {
            if (addresses.empty())
                throw connection_lost("AMQP_URL names no address");
            connection c(addresses[next_address_], settings_, role_);
            serve(c);
            c.close();
            break;
        }
        catch (const refused_by_broker& e) {
            lost(e.what(), std::make_exception_ptr(std::runtime_error(e.what())));
        }
        catch (const std::exception& e) {
            lost(e.what(), nullptr);
        }
        without_connection(false);
        if (stopping_)
            break;
        // The next address at once; a pause only after all of them have failed.
        next_address_ = addresses.empty() ? 0 : (next_address_ + 1) % addresses.size();
        if (next_address_ == 0)
            pause(backoff_.next());
    }
    without_connection(true);
    connected_.set(0);
    {
        const std::lock_guard lock(mutex_);
        status_.connected = false;
        ended_ = true;
    }
    changed_.set();
}

void worker::pause(std::chrono::milliseconds d)
{
    const auto until = std::chrono::steady_clock::now() + d;
    for (auto now = std::chrono::steady_clock::now(); now < until && !stopping_;
         now = std::chrono::steady_clock::now())
    {
        // In slices, because the deadlines of messages that wait go on meanwhile.
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - now);
        wait_for_work(
            -1, false, wake_, std::min<std::chrono::milliseconds>(left, std::chrono::milliseconds(500)));
        without_connection(false);
    }
}

} // namespace coursegate::amqp
