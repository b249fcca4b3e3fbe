#include "coursegate/async/workers.hpp"

#include "coursegate/metrics/metrics.hpp"

#include <boost/asio/async_result.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/prefer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <mutex>

namespace coursegate::async {

namespace asio = boost::asio;

struct workers::impl
{
    explicit impl(workers_settings s)
        : options(std::move(s)), threads(static_cast<std::size_t>(options.threads)),
          pending_gauge(metrics::get_gauge("coursegate_workers_pending",
              "Pieces of work that run on, or wait for, the threads of a pool", {{"pool", options.name}}))
    {}

    // False: full, or stopping.
    bool enter()
    {
        const std::lock_guard lock(mutex);
        if (stopping || pending >= static_cast<std::size_t>(options.threads) + options.queue)
            return false;
        pending_gauge.set(static_cast<double>(++pending));
        return true;
    }

    void leave()
    {
        const std::lock_guard lock(mutex);
        pending_gauge.set(static_cast<double>(--pending));
    }

    bool is_idle()
    {
        const std::lock_guard lock(mutex);
        return pending == 0;
    }

    workers_settings options;
    asio::thread_pool threads;
    metrics::gauge& pending_gauge;
    std::mutex mutex;
    std::size_t pending = 0;
    bool stopping = false;
};

workers::workers(workers_settings s) : impl_(std::make_shared<impl>(std::move(s))) {}

workers::~workers()
{
    impl_->threads.join();
}

std::string_view workers::name() const
{
    return impl_->options.name;
}

task<void> workers::start()
{
    co_return;
}

task<void> workers::stop()
{
    const auto self = impl_;
    {
        const std::lock_guard lock(self->mutex);
        self->stopping = true;
    }
    while (!self->is_idle())
        co_await sleep_for(std::chrono::milliseconds(2));
}

health workers::check() const
{
    return {};
}

task<void> workers::submit(std::function<void()> work)
{
    const auto self = impl_;
    if (!self->enter())
        throw busy(self->options.name + " has too much to do");
    const auto initiate = [&self, &work](auto handler) {
        const auto ex = asio::prefer(asio::get_associated_executor(handler),
            asio::execution::outstanding_work.tracked); // keeps the loop alive
        auto resume = std::make_shared<decltype(handler)>(std::move(handler));
        asio::post(self->threads, [self, ex, resume, work = std::move(work)]() mutable {
            std::exception_ptr fault;
            try {
                work();
            }
            catch (...) {
                fault = std::current_exception();
            }
            work = nullptr; // its captures are gone before the coroutine goes on
            asio::post(ex, [resume, fault]() mutable { std::move (*resume)(std::move(fault)); });
            self->leave();
        });
    };
    co_await asio::async_initiate<const asio::use_awaitable_t<>, void(std::exception_ptr)>(
        initiate, asio::use_awaitable);
}

} // namespace coursegate::async
