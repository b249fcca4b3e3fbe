#include "coursegate/db/listener.hpp"

#include "conninfo.hpp"
#include "coursegate/base/backoff.hpp"
#include "coursegate/log/log.hpp"

#include <boost/asio/post.hpp>
#include <fmt/format.h>
#include <libpq-fe.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

namespace coursegate::db {

namespace asio = boost::asio;

namespace {

// Of one statement. statement_timeout is the server's; this is for the server that no longer says anything.
constexpr std::chrono::seconds answer_limit{5};

struct closer
{
    void operator()(PGconn* c) const { PQfinish(c); }
};
using handle = std::unique_ptr<PGconn, closer>;

struct clearer
{
    void operator()(PGresult* r) const { PQclear(r); }
};

std::string trimmed(const char* message)
{
    std::string out = message;
    return out.substr(0, out.find('\n'));
}

} // namespace

// libpq directly: libpqxx 6 would reconnect behind our back and lose what was told meanwhile.
struct listener::impl : std::enable_shared_from_this<impl>
{
    impl(async::executor e, const settings& s, std::chrono::milliseconds quiet)
        : ex(std::move(e)), options(connection_string(s)), ask_after_quiet(quiet)
    {
        wake_fd = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (wake_fd < 0)
            throw std::system_error(errno, std::generic_category(), "eventfd");
    }
    ~impl() { ::close(wake_fd); }

    struct channel
    {
        std::vector<std::function<void()>> wakes;
        std::atomic<bool> posted{false};
    };

    // Merged: a burst of notifications is one call, and one that comes after the call began is another.
    void tell(channel& c)
    {
        if (c.posted.exchange(true))
            return;
        asio::post(ex, [self = shared_from_this(), &c] {
            c.posted = false;
            if (!self->stopping)
                for (const auto& wake : c.wakes)
                    wake();
        });
    }

    void set_state(bool ok, std::string detail)
    {
        const std::lock_guard lock(mutex);
        connected = ok;
        fault = std::move(detail);
    }

    // True when woken to stop.
    bool wait(int fd, int limit_ms, bool& readable)
    {
        pollfd fds[2] = {{wake_fd, POLLIN, 0}, {fd, POLLIN, 0}};
        const int n = ::poll(fds, fd < 0 ? 1 : 2, limit_ms);
        readable = n > 0 && fd >= 0 && fds[1].revents != 0;
        return stopping;
    }

    // Why `sql` failed, "" when it did not. Not PQexec, which waits for ever.
    std::string ask(PGconn* c, const std::string& sql)
    {
        if (PQsendQuery(c, sql.c_str()) == 0)
            return trimmed(PQerrorMessage(c));
        const auto give_up = std::chrono::steady_clock::now() + answer_limit;
        for (;;) {
            while (PQisBusy(c) != 0) {
                const auto left =
                    std::chrono::ceil<std::chrono::milliseconds>(give_up - std::chrono::steady_clock::now());
                bool readable = false;
                if (wait(PQsocket(c), static_cast<int>(std::max<std::int64_t>(left.count(), 0)), readable))
                    return "stopped";
                if (!readable)
                    return fmt::format("no answer within {} s", answer_limit.count());
                if (PQconsumeInput(c) == 0)
                    return trimmed(PQerrorMessage(c));
            }
            const std::unique_ptr<PGresult, clearer> r(PQgetResult(c));
            if (!r)
                return {};
            const auto status = PQresultStatus(r.get());
            if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
                return trimmed(PQresultErrorMessage(r.get()));
        }
    }

    void run()
    {
        base::backoff pause({std::chrono::milliseconds(100), std::chrono::milliseconds(5'000)});
        bool said = false;
        while (!stopping) {
            std::string why = listen(pause, said);
            if (stopping)
                break;
            set_state(false, why);
            if (!said)
                log::warning("LISTEN connection lost", {{"error", why}});
            said = true;
            bool readable = false;
            wait(-1, static_cast<int>(pause.next().count()), readable);
        }
        set_state(false, "stopped");
        ended = true;
    }

    // One connection's life; returns why it ended.
    std::string listen(base::backoff& pause, bool& said)
    {
        const handle c(PQconnectdb(options.c_str()));
        if (PQstatus(c.get()) != CONNECTION_OK)
            return trimmed(PQerrorMessage(c.get()));
        for (const auto& [name, unused] : channels) {
            char* quoted = PQescapeIdentifier(c.get(), name.data(), name.size());
            const std::string sql = std::string("listen ") + (quoted != nullptr ? quoted : "");
            PQfreemem(quoted);
            if (auto why = ask(c.get(), sql); !why.empty())
                return why;
        }
        pause.reset();
        said = false;
        set_state(true, {});
        for (auto& [name, one] : channels) // something may have been said before we listened
            tell(one);

        for (;;) {
            bool readable = false;
            if (wait(PQsocket(c.get()), static_cast<int>(ask_after_quiet.count()), readable))
                return "stopped";
            if (!readable) // a line that is down without a sign is noticed by asking
                if (auto why = ask(c.get(), "select 1"); !why.empty())
                    return why;
            if (PQconsumeInput(c.get()) == 0)
                return trimmed(PQerrorMessage(c.get()));
            while (PGnotify* n = PQnotifies(c.get())) {
                if (const auto found = channels.find(n->relname); found != channels.end())
                    tell(found->second);
                PQfreemem(n);
            }
            if (PQstatus(c.get()) != CONNECTION_OK)
                return "connection closed by the server";
        }
    }

    void begin_stop()
    {
        stopping = true;
        const std::uint64_t one = 1;
        [[maybe_unused]] const auto written = ::write(wake_fd, &one, sizeof one);
    }

    void join()
    {
        if (thread.joinable())
            thread.join();
    }

    async::executor ex;
    const std::string options;
    const std::chrono::milliseconds ask_after_quiet;
    std::map<std::string, channel> channels;
    int wake_fd = -1;
    std::atomic<bool> stopping{false};
    std::atomic<bool> ended{false};
    std::thread thread;

    std::mutex mutex;
    bool connected = false;
    std::string fault = "not connected yet";
};

listener::listener(async::executor ex, settings s, std::chrono::milliseconds ask_after_quiet)
    : impl_(std::make_shared<impl>(std::move(ex), s, ask_after_quiet))
{}

listener::~listener()
{
    impl_->begin_stop();
    impl_->join();
}

void listener::on(std::string channel, std::function<void()> wake)
{
    impl_->channels[std::move(channel)].wakes.push_back(std::move(wake));
}

async::task<void> listener::start()
{
    if (!impl_->thread.joinable() && !impl_->stopping)
        impl_->thread = std::thread([self = impl_.get()] { self->run(); });
    co_return;
}

async::task<void> listener::stop()
{
    const auto self = impl_;
    self->begin_stop();
    // At once, unless the thread is just connecting to a host that does not answer (connect_timeout).
    while (self->thread.joinable() && !self->ended)
        co_await async::sleep_for(std::chrono::milliseconds(2));
    self->join();
}

async::health listener::check() const
{
    async::health out;
    const std::lock_guard lock(impl_->mutex);
    out.ok = impl_->connected;
    out.detail = impl_->fault;
    return out;
}

} // namespace coursegate::db
