#include "coursegate/db/pool.hpp"

#include "access.hpp"
#include "connection.hpp"
#include "coursegate/log/log.hpp"
#include "coursegate/metrics/metrics.hpp"

#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/prefer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <thread>
#include <vector>

namespace coursegate::db {

namespace asio = boost::asio;

namespace {

constexpr auto watch_every = std::chrono::seconds(5);

struct job
{
    std::function<void(transaction&)> body;
    commit_mode mode = commit_mode::at_the_end;
    std::function<void(std::exception_ptr)> done; // resumes the coroutine; called once or dropped
};

} // namespace

// Workers wait in a stack: the one that worked last goes next, so that a quiet daemon keeps one connection
// warm and does not open the others. A watcher looks every few seconds whether a worker waits for a server
// that is gone.
struct pool::impl
{
    explicit impl(settings s) : options(std::move(s))
    {
        if (options.connections < 1)
            options.connections = 1;
        for (int i = 0; i < options.connections; ++i)
            workers.push_back(std::make_unique<worker>(options, &attached));
    }

    struct worker
    {
        worker(const settings& s, const attachments* attached) : link(s, attached) {}
        connection link;
        std::condition_variable called;
        bool is_called = false;
        std::thread thread;
    };

    void ensure_threads() // mutex held
    {
        if (threads_running || stopping)
            return;
        threads_running = true;
        for (auto& w : workers) {
            ++alive;
            w->thread = std::thread([this, one = w.get()] { work(*one); });
        }
        watcher = std::thread([this] { watch(); });
    }

    void submit(job j)
    {
        const std::lock_guard lock(mutex);
        if (stopping) {
            j.done(std::make_exception_ptr(unavailable("the database pool is stopped")));
            return;
        }
        ensure_threads();
        jobs.push_back(std::move(j));
        queue_length.set(static_cast<double>(jobs.size()));
        call_one();
    }

    void call_one() // mutex held
    {
        if (idle.empty())
            return;
        worker* next = idle.back();
        idle.pop_back();
        next->is_called = true;
        next->called.notify_one();
    }

    void work(worker& me)
    {
        std::unique_lock lock(mutex);
        for (;;) {
            if (jobs.empty()) {
                if (stopping)
                    break;
                me.is_called = false;
                idle.push_back(&me);
                me.called.wait(lock, [&] { return me.is_called; });
                continue;
            }
            job next = std::move(jobs.front());
            jobs.pop_front();
            queue_length.set(static_cast<double>(jobs.size()));
            lock.unlock();
            run(me, next);
            lock.lock();
        }
        --alive;
        lock.unlock();
        ended.notify_all();
    }

    void run(worker& me, job& next)
    {
        std::exception_ptr fault;
        try {
            const auto then = me.link.transact(next.body, next.mode, [this] { return !is_stopping(); });
            for (const auto& call : then.calls)
                call();
            for (const auto& topic : then.topics)
                for (const auto& wake : waiting_for(topic))
                    wake();
            succeeded();
        }
        catch (const base::dependency_down& e) {
            failed(e.what());
            fault = std::current_exception();
        }
        catch (...) {
            succeeded(); // the server answered; what it or the body said is the caller's business
            fault = std::current_exception();
        }
        // The body and its captures belong to the coroutine: gone before that goes on.
        next.body = nullptr;
        next.done(std::move(fault));
    }

    void watch()
    {
        std::unique_lock lock(mutex);
        while (!ended.wait_for(lock, watch_every, [this] { return alive == 0; }))
            for (auto& w : workers)
                if (w->link.sever_if_stuck())
                    log::error("the database did not answer within its own limits; connection dropped");
    }

    std::vector<std::function<void()>> waiting_for(const std::string& topic)
    {
        const std::lock_guard lock(wakes_mutex);
        const auto found = wakes.find(topic);
        return found == wakes.end() ? std::vector<std::function<void()>>{} : found->second;
    }

    bool is_stopping()
    {
        const std::lock_guard lock(mutex);
        return stopping;
    }

    void succeeded()
    {
        const std::lock_guard lock(health_mutex);
        last_good = base::now();
        last_fault.clear();
    }

    void failed(const char* what)
    {
        const std::lock_guard lock(health_mutex);
        last_fault = what;
    }

    void begin_stop()
    {
        const std::lock_guard lock(mutex);
        stopping = true;
        while (!idle.empty())
            call_one();
    }

    void join()
    {
        for (auto& w : workers)
            if (w->thread.joinable())
                w->thread.join();
        if (watcher.joinable())
            watcher.join();
    }

    settings options;
    attachments attached;

    std::mutex wakes_mutex;
    std::map<std::string, std::vector<std::function<void()>>> wakes;

    metrics::gauge& queue_length =
        metrics::get_gauge("coursegate_db_queue_length", "Transactions waiting for a connection of the pool");

    std::mutex mutex;
    std::deque<job> jobs;
    std::vector<worker*> idle;
    bool stopping = false;
    bool threads_running = false;
    int alive = 0;
    std::condition_variable ended;
    std::vector<std::unique_ptr<worker>> workers;
    std::thread watcher;

    std::mutex health_mutex;
    std::string last_fault;
    std::optional<base::time_point> last_good;
};

// The executor of the awaiting coroutine is used, not this one: several loops may share a pool.
pool::pool(async::executor, settings s) : impl_(std::make_shared<impl>(std::move(s))) {}

pool::~pool()
{
    impl_->begin_stop();
    impl_->join();
}

async::task<void> pool::start()
{
    const std::function<void(transaction&)> nothing = [](transaction&) {
    }; // BEGIN and COMMIT reach the server
    co_await run(nothing, commit_mode::at_the_end);
}

async::task<void> pool::stop()
{
    const auto self = impl_;
    self->begin_stop();
    // Bodies end by themselves within their statement timeout; the loop goes on meanwhile.
    for (;;) {
        {
            const std::lock_guard lock(self->mutex);
            if (self->alive == 0)
                break;
        }
        co_await async::sleep_for(std::chrono::milliseconds(2));
    }
    self->join();
}

async::health pool::check() const
{
    async::health out;
    const std::lock_guard lock(impl_->health_mutex);
    out.ok = impl_->last_fault.empty();
    out.detail = impl_->last_fault;
    out.last_work = impl_->last_good;
    return out;
}

void pool::on_commit(std::string topic, std::function<void()> wake)
{
    const std::lock_guard lock(impl_->wakes_mutex);
    impl_->wakes[std::move(topic)].push_back(std::move(wake));
}

void pool::attach(std::type_index type, std::weak_ptr<void> what)
{
    impl_->attached.put(type, std::move(what));
}

async::task<void> pool::run(std::function<void(transaction&)> body, commit_mode mode)
{
    const auto self = impl_;
    const auto initiate = [&self, &body, mode](auto handler) {
        const auto ex = asio::prefer(asio::get_associated_executor(handler),
            asio::execution::outstanding_work.tracked); // keeps the loop alive
        auto resume = std::make_shared<decltype(handler)>(std::move(handler));
        job j;
        j.body = std::move(body);
        j.mode = mode;
        j.done = [ex, resume](std::exception_ptr fault) {
            asio::post(ex, [resume, fault]() mutable { std::move (*resume)(std::move(fault)); });
        };
        self->submit(std::move(j));
    };
    co_await asio::async_initiate<const asio::use_awaitable_t<>, void(std::exception_ptr)>(
        initiate, asio::use_awaitable);
}

} // namespace coursegate::db
