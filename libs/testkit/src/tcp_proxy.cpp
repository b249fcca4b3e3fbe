#include "coursegate/testkit/tcp_proxy.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <array>
#include <future>
#include <limits>
#include <list>
#include <stdexcept>
#include <thread>

namespace coursegate::testkit {

namespace asio = boost::asio;
using tcp = asio::ip::tcp;

namespace {

constexpr auto never = std::numeric_limits<std::uint64_t>::max();

// "scheme://user:password@host:port/…": where host and port begin and end.
struct authority
{
    std::size_t begin, end;
    std::string host;
    int port;
};

authority find_authority(const std::string& url)
{
    const auto scheme = url.find("://");
    if (scheme == std::string::npos)
        throw std::runtime_error("not a URL");
    authority out;
    out.end = std::min(url.find_first_of("/?", scheme + 3), url.size());
    const auto at = url.rfind('@', out.end);
    out.begin = at == std::string::npos || at < scheme ? scheme + 3 : at + 1;
    const auto place = url.substr(out.begin, out.end - out.begin);
    const auto colon = place.rfind(':');
    const auto name = url.substr(0, scheme);
    out.host = place.substr(0, colon);
    if (colon != std::string::npos)
        out.port = std::stoi(place.substr(colon + 1));
    else
        out.port = name.starts_with("postgres") ? 5432
                   : name == "amqp"             ? 5672
                   : name == "amqps"            ? 5671
                   : name == "https"            ? 443
                                                : 80;
    return out;
}

} // namespace

// Everything but the thread lives on the loop; the outside asks by post and waits for the answer.
struct tcp_proxy::impl
{
    struct link : std::enable_shared_from_this<link>
    {
        explicit link(tcp::socket c) : client(std::move(c)), server(client.get_executor()) {}

        void reset()
        {
            for (auto* s : {&client, &server}) {
                boost::system::error_code ignored;
                s->set_option(asio::socket_base::linger(true, 0), ignored); // RST, not FIN
                s->close(ignored);
            }
        }

        tcp::socket client;
        tcp::socket server;
        bool answers_ended = false; // by half_close()
    };

    impl(std::string h, int p)
        : host(std::move(h)), target_port(p),
          acceptor(loop, tcp::endpoint(asio::ip::address_v4::loopback(), 0)), flow(loop)
    {
        flow.expires_at(asio::steady_timer::time_point::max());
        listening_port = acceptor.local_endpoint().port();
        asio::co_spawn(loop, accept(), asio::detached);
        thread = std::thread([this] { loop.run(); });
    }

    ~impl()
    {
        ask([this] {
            boost::system::error_code ignored;
            acceptor.close(ignored);
            paused = false;
            flow.cancel();
            cut();
            loop.stop();
            return 0;
        });
        thread.join();
    }

    template <class F>
    auto ask(F f) -> decltype(f())
    {
        std::promise<decltype(f())> answer;
        asio::post(loop, [&] { answer.set_value(f()); });
        return answer.get_future().get();
    }

    void cut()
    {
        const auto now = links; // reset() ends their coroutines, which leave the list
        for (const auto& l : now)
            l->reset();
    }

    asio::awaitable<void> accept()
    {
        for (;;) {
            boost::system::error_code fault;
            tcp::socket client =
                co_await acceptor.async_accept(asio::redirect_error(asio::use_awaitable, fault));
            if (fault)
                co_return;
            ++accepted;
            auto l = std::make_shared<link>(std::move(client));
            if (refusing)
                l->reset();
            else
                asio::co_spawn(loop, serve(l), asio::detached);
        }
    }

    asio::awaitable<void> serve(std::shared_ptr<link> l)
    {
        links.push_back(l);
        boost::system::error_code fault;
        tcp::resolver resolver(loop);
        const auto found = co_await resolver.async_resolve(
            host, std::to_string(target_port), asio::redirect_error(asio::use_awaitable, fault));
        if (!fault)
            co_await asio::async_connect(l->server, found, asio::redirect_error(asio::use_awaitable, fault));
        if (fault) {
            l->reset();
            links.remove(l);
            co_return;
        }
        l->client.set_option(tcp::no_delay(true), fault);
        l->server.set_option(tcp::no_delay(true), fault);
        asio::co_spawn(loop, pump(l, false), [this, l](std::exception_ptr) { leave(l); });
        co_await pump(l, true);
        leave(l);
    }

    // A link goes when both directions have ended.
    void leave(const std::shared_ptr<link>& l)
    {
        if (!half_done.remove(l))
            half_done.push_back(l);
        else {
            boost::system::error_code ignored;
            l->client.close(ignored);
            l->server.close(ignored);
            links.remove(l);
        }
    }

    asio::awaitable<void> pump(std::shared_ptr<link> l, bool upwards)
    {
        tcp::socket& from = upwards ? l->client : l->server;
        tcp::socket& to = upwards ? l->server : l->client;
        std::uint64_t& total = upwards ? sent : received;
        std::uint64_t& budget = upwards ? sent_until_cut : received_until_cut;
        std::array<char, 16 * 1024> chunk;
        for (;;) {
            boost::system::error_code fault;
            auto n = co_await from.async_read_some(
                asio::buffer(chunk), asio::redirect_error(asio::use_awaitable, fault));
            if (fault) {
                boost::system::error_code ignored;
                if (fault == asio::error::eof)
                    to.shutdown(tcp::socket::shutdown_send, ignored);
                else
                    l->reset();
                co_return;
            }
            if (pause_each.count() > 0) {
                asio::steady_timer timer(loop, pause_each);
                co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, fault));
            }
            while (paused)
                co_await flow.async_wait(asio::redirect_error(asio::use_awaitable, fault));
            if (!upwards && l->answers_ended)
                continue; // swallowed: the client has seen the end already
            const bool last = budget != never && n >= budget;
            if (last)
                n = static_cast<std::size_t>(budget);
            if (budget != never)
                budget -= n;
            total += n;
            co_await asio::async_write(
                to, asio::buffer(chunk.data(), n), asio::redirect_error(asio::use_awaitable, fault));
            if (last) {
                budget = never;
                // The other side must get the bytes before the reset takes what it has not read yet.
                asio::steady_timer timer(loop, std::chrono::milliseconds(20));
                co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, fault));
                cut();
                co_return;
            }
            if (fault) {
                l->reset();
                co_return;
            }
        }
    }

    const std::string host;
    const int target_port;
    int listening_port = 0;

    asio::io_context loop;
    tcp::acceptor acceptor;
    asio::steady_timer flow; // cancelled by resume()
    std::list<std::shared_ptr<link>> links;
    std::list<std::shared_ptr<link>> half_done;
    bool refusing = false;
    bool paused = false;
    std::chrono::milliseconds pause_each{0};
    std::size_t accepted = 0;
    std::uint64_t sent = 0, received = 0;
    std::uint64_t sent_until_cut = never, received_until_cut = never;
    std::thread thread;
};

tcp_proxy::tcp_proxy(std::string host, int port) : impl_(std::make_unique<impl>(std::move(host), port)) {}

tcp_proxy::tcp_proxy(const std::string& url)
    : impl_(std::make_unique<impl>(find_authority(url).host, find_authority(url).port))
{}

tcp_proxy::~tcp_proxy() = default;

int tcp_proxy::port() const
{
    return impl_->listening_port;
}

std::string tcp_proxy::url(const std::string& original) const
{
    const auto place = find_authority(original);
    return original.substr(0, place.begin) + "127.0.0.1:" + std::to_string(port()) +
           original.substr(place.end);
}

void tcp_proxy::cut()
{
    impl_->ask([this] {
        impl_->cut();
        return 0;
    });
}

void tcp_proxy::refuse(bool on)
{
    impl_->ask([&] {
        impl_->refusing = on;
        return 0;
    });
}

void tcp_proxy::pause()
{
    impl_->ask([this] {
        impl_->paused = true;
        return 0;
    });
}

void tcp_proxy::resume()
{
    impl_->ask([this] {
        impl_->paused = false;
        impl_->flow.cancel();
        return 0;
    });
}

void tcp_proxy::delay(std::chrono::milliseconds each_way)
{
    impl_->ask([&] {
        impl_->pause_each = each_way;
        return 0;
    });
}

void tcp_proxy::half_close()
{
    impl_->ask([this] {
        for (const auto& l : impl_->links) {
            boost::system::error_code ignored;
            l->answers_ended = true;
            l->client.shutdown(tcp::socket::shutdown_send, ignored);
        }
        return 0;
    });
}

void tcp_proxy::cut_after_sent(std::uint64_t bytes)
{
    impl_->ask([&] {
        impl_->sent_until_cut = bytes;
        return 0;
    });
}

void tcp_proxy::cut_after_received(std::uint64_t bytes)
{
    impl_->ask([&] {
        impl_->received_until_cut = bytes;
        return 0;
    });
}

std::size_t tcp_proxy::open() const
{
    return impl_->ask([this] { return impl_->links.size(); });
}

std::size_t tcp_proxy::accepted() const
{
    return impl_->ask([this] { return impl_->accepted; });
}

std::uint64_t tcp_proxy::sent() const
{
    return impl_->ask([this] { return impl_->sent; });
}

std::uint64_t tcp_proxy::received() const
{
    return impl_->ask([this] { return impl_->received; });
}

} // namespace coursegate::testkit
