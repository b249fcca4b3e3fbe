#include "coursegate/http/server.hpp"

#include "connection.hpp"
#include "server_core.hpp"
#include "text.hpp"

#include "coursegate/base/error.hpp"
#include "coursegate/log/log.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <sys/resource.h>

#include <algorithm>
#include <array>

namespace coursegate::http {

namespace asio = boost::asio;
using boost::system::error_code;
using tcp = asio::ip::tcp;

namespace {

constexpr std::chrono::seconds stop_patience{10};
constexpr std::chrono::milliseconds accept_pause{100};
constexpr std::size_t most_refusals = 256;
// What else a daemon has open: databases, the broker, its own calls, those it refuses.
constexpr std::size_t other_descriptors = 2 * most_refusals;

// Anything else would let a caller make up label values.
constexpr std::array<const char*, 8> methods = {
    "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "other"};

} // namespace

server_core::server_core(async::executor ex, server_settings s, std::vector<route> routes)
    : executor(ex), settings(std::move(s)), router(std::move(routes)), acceptor(ex),
      all_ended(ex, asio::steady_timer::time_point::max())
{
    if (settings.security_headers)
        security_lines = "X-Content-Type-Options: nosniff\r\n"
                         "Referrer-Policy: strict-origin\r\n"
                         "Cross-Origin-Opener-Policy: same-origin\r\n"
                         "Permissions-Policy: camera=(), microphone=(), geolocation=()\r\n"
                         "Content-Security-Policy: default-src 'self'; object-src 'none'; base-uri 'none'; "
                         "frame-ancestors 'none'\r\n";
}

// Above the limit of open files nobody could be told to come back: accept() itself would fail.
void server_core::fit_into_open_files()
{
    rlimit files{};
    if (::getrlimit(RLIMIT_NOFILE, &files) != 0)
        return;
    const auto limit = static_cast<std::size_t>(files.rlim_cur);
    const auto room = std::max(limit, other_descriptors + 1) - other_descriptors;
    if (room >= settings.max_connections)
        return;
    log::warning("fewer connections than wanted fit into the limit of open files",
        {{"server", settings.metrics_name}, {"wanted", settings.max_connections}, {"connections", room},
            {"open_files_limit", limit}});
    settings.max_connections = room;
}

void server_core::ended()
{
    if (--running == 0)
        all_ended.cancel();
}

const std::string& server_core::date()
{
    const auto now = std::chrono::system_clock::now();
    const auto second = std::chrono::system_clock::to_time_t(now);
    if (second != date_second_) {
        date_second_ = second;
        date_line_ = "Date: " + to_http_date(now) + "\r\n";
    }
    return date_line_;
}

void server_core::observe(
    std::string_view method, const router::match& where, int status, std::chrono::duration<double> took)
{
    const auto known = std::find(methods.begin(), methods.end() - 1, method);
    const auto route_key = where.found ? where.index + 1 : 0;
    const auto key = (static_cast<std::uint64_t>(route_key) << 32) |
                     (static_cast<std::uint64_t>(known - methods.begin()) << 16) |
                     static_cast<std::uint64_t>(status);
    auto& histogram = histograms_[key];
    if (!histogram)
        histogram = &metrics::get_histogram("coursegate_http_requests_seconds",
            "Requests answered, by the time from the first byte to the last of the answer.",
            {{"server", settings.metrics_name}, {"method", *known},
                {"route", where.found ? where.found->pattern : "none"}, {"status", std::to_string(status)}});
    histogram->observe(took);
}

void server_core::welcome(tcp::socket socket)
{
    error_code ec;
    socket.set_option(tcp::no_delay(true), ec);
    socket.non_blocking(true, ec);
    if (ec)
        return; // reset before we came to it
    const bool is_full = connections.size() >= settings.max_connections;
    if (is_full && refusing >= most_refusals)
        return;
    const auto c = std::make_shared<connection>(shared_from_this(), std::move(socket));
    c->begin();
    if (is_full)
        ++refusing;
    else
        connections.insert(c.get());
    asio::co_spawn(
        executor, [c, is_full] { return is_full ? c->refuse() : c->serve(); },
        [c, is_full, self = shared_from_this()](std::exception_ptr failure) {
            if (is_full)
                --self->refusing;
            c->end();
            if (failure)
                try {
                    std::rethrow_exception(failure);
                }
                catch (const std::exception& e) {
                    log::error(
                        "connection failed", {{"server", self->settings.metrics_name}, {"detail", e.what()}});
                }
        });
}

async::task<void> server_core::accept()
{
    asio::steady_timer pause(executor);
    while (!stopping) {
        tcp::socket socket(executor);
        error_code ec;
        co_await acceptor.async_accept(socket, asio::redirect_error(asio::use_awaitable, ec));
        if (stopping)
            break;
        if (!ec) {
            welcome(std::move(socket));
            continue;
        }
        if (ec == asio::error::connection_aborted)
            continue;
        // Out of file descriptors or memory: those who are served free some; asking again at once would only
        // spin.
        log::error("can't accept connections", {{"server", settings.metrics_name}, {"detail", ec.message()}});
        pause.expires_after(accept_pause);
        co_await pause.async_wait(asio::redirect_error(asio::use_awaitable, ec));
    }
}

struct server::impl
{
    std::shared_ptr<server_core> core;
    int port = 0;
};

server::server(async::executor ex, server_settings s, std::vector<route> routes)
    : impl_(std::make_shared<impl>())
{
    impl_->core = std::make_shared<server_core>(std::move(ex), std::move(s), std::move(routes));
}

server::~server()
{
    auto& core = *impl_->core;
    core.stopping = true;
    error_code ignored;
    core.acceptor.close(ignored);
    const auto open = core.connections;
    for (auto* c : open)
        c->abort();
}

async::task<void> server::start()
{
    const auto core = impl_->core;
    const auto& s = core->settings;
    const auto where =
        (s.host.find(':') == std::string::npos ? s.host : "[" + s.host + "]") + ":" + std::to_string(s.port);
    const auto refuse = [&](const std::string& why) {
        error_code ignored;
        core->acceptor.close(ignored);
        throw base::bad_configuration("can't listen on " + where + " (" + s.set_by + "): " + why);
    };

    if (s.port < 0 || s.port > 65535)
        refuse("the port must be 0 to 65535");
    error_code ec;
    tcp::endpoint endpoint;
    const auto address = asio::ip::make_address(s.host, ec);
    if (!ec)
        endpoint = {address, static_cast<std::uint16_t>(s.port)};
    else {
        ec = {};
        tcp::resolver resolver(core->executor);
        const auto found = co_await resolver.async_resolve(s.host, std::to_string(s.port),
            tcp::resolver::passive | tcp::resolver::numeric_service,
            asio::redirect_error(asio::use_awaitable, ec));
        if (ec || found.empty())
            refuse("there is no such address");
        endpoint = found.begin()->endpoint();
    }
    auto& acceptor = core->acceptor;
    acceptor.open(endpoint.protocol(), ec);
    if (!ec)
        acceptor.set_option(tcp::acceptor::reuse_address(true), ec);
    if (!ec)
        acceptor.bind(endpoint, ec);
    if (!ec)
        acceptor.listen(asio::socket_base::max_listen_connections, ec);
    if (ec)
        refuse(ec.message());
    core->fit_into_open_files();
    impl_->port = acceptor.local_endpoint().port();
    core->stopping = false;

    core->began();
    asio::co_spawn(
        core->executor, [core] { return core->accept(); },
        [core](std::exception_ptr failure) {
            core->ended();
            if (!failure)
                return;
            try {
                std::rethrow_exception(failure);
            }
            catch (const std::exception& e) {
                error_code ignored;
                core->acceptor.close(ignored); // shows in check()
                log::error(
                    "stopped accepting", {{"server", core->settings.metrics_name}, {"detail", e.what()}});
            }
        });
}

async::task<void> server::stop()
{
    const auto core = impl_->core;
    core->stopping = true;
    error_code ignored;
    core->acceptor.close(ignored);
    const auto open = core->connections;
    for (auto* c : open)
        c->finish_up();

    if (core->running > 0) {
        asio::steady_timer patience(core->executor, stop_patience);
        patience.async_wait([core](error_code ec) {
            if (ec)
                return;
            log::warning("requests were cut off by the stop",
                {{"server", core->settings.metrics_name}, {"connections", core->connections.size()}});
            const auto left = core->connections;
            for (auto* c : left)
                c->abort();
        });
        // Also after that: nothing of ours may run once we have returned.
        while (core->running > 0)
            co_await core->all_ended.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
    }
}

async::health server::check() const
{
    async::health out;
    out.ok = impl_->core->acceptor.is_open() && !impl_->core->stopping;
    if (!out.ok)
        out.detail = "The HTTP server is not listening.";
    return out;
}

int server::port() const
{
    return impl_->port;
}

} // namespace coursegate::http
