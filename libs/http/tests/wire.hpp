// Both ends of a connection by hand: a peer that says exactly these bytes, and a server that answers from a
// script.
#pragma once

#include "coursegate/async/task.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

namespace coursegate::http::wire {

namespace asio = boost::asio;
using tcp = asio::ip::tcp;

struct reply
{
    int status = 0;
    std::string head;
    std::map<std::string, std::string> headers; // names in lower case
    std::string body;
    bool is_cut = false; // the connection ended before the reply was whole
};

class peer
{
public:
    explicit peer(tcp::socket s) : socket(std::move(s)) {}

    // False when the other side is gone.
    async::task<bool> say(std::string text)
    {
        boost::system::error_code ec;
        co_await asio::async_write(socket, asio::buffer(text), asio::redirect_error(asio::use_awaitable, ec));
        co_return !ec;
    }

    // Up to and with `mark`, or what came before the end.
    async::task<std::string> hear_until(std::string mark)
    {
        bool is_open =
            true; // by name: g++ 12.2 breaks a coroutine without variables that awaits in a condition
        while (is_open && heard_.find(mark) == std::string::npos)
            is_open = co_await more();
        co_return take(is_open ? heard_.find(mark) + mark.size() : heard_.size());
    }

    async::task<std::string> hear_bytes(std::size_t count)
    {
        bool is_open = true;
        while (is_open && heard_.size() < count)
            is_open = co_await more();
        co_return take(std::min(count, heard_.size()));
    }

    async::task<std::string> hear_all()
    {
        bool is_open = true;
        while (is_open)
            is_open = co_await more();
        co_return take(heard_.size());
    }

    async::task<reply> hear_reply(bool to_head = false)
    {
        reply out;
        out.head = co_await hear_until("\r\n\r\n");
        if (out.head.size() < 12) {
            out.is_cut = true;
            co_return out;
        }
        out.status = std::stoi(out.head.substr(9, 3));
        for (std::size_t at = out.head.find("\r\n") + 2; at < out.head.size();) {
            const auto end = out.head.find("\r\n", at);
            const auto colon = out.head.find(": ", at);
            if (colon < end) {
                auto name = out.head.substr(at, colon - at);
                std::transform(name.begin(), name.end(), name.begin(), ::tolower);
                out.headers[name] = out.head.substr(colon + 2, end - colon - 2);
            }
            at = end + 2;
        }
        if (to_head)
            co_return out;
        if (out.headers.count("content-length")) {
            const auto size = std::stoul(out.headers["content-length"]);
            out.body = co_await hear_bytes(size);
            out.is_cut = out.body.size() < size;
        }
        else if (out.headers.count("transfer-encoding"))
            for (;;) {
                const auto line = co_await hear_until("\r\n");
                if (line.size() < 3) {
                    out.is_cut = true;
                    break;
                }
                const auto size = std::stoul(line, nullptr, 16);
                out.body += co_await hear_bytes(size);
                co_await hear_bytes(2);
                if (size == 0)
                    break;
            }
        co_return out;
    }

    async::task<bool> more()
    {
        if (has_ended_)
            co_return false;
        char space[16 * 1024];
        boost::system::error_code ec;
        const auto count = co_await socket.async_read_some(
            asio::buffer(space), asio::redirect_error(asio::use_awaitable, ec));
        heard_.append(space, count);
        was_reset = was_reset || ec == asio::error::connection_reset;
        has_ended_ = static_cast<bool>(ec);
        co_return !ec;
    }

    void reset() // the ugly end: RST instead of FIN
    {
        boost::system::error_code ignored;
        socket.set_option(asio::socket_base::linger(true, 0), ignored);
        socket.close(ignored);
    }

    tcp::socket socket;
    bool was_reset = false;

private:
    std::string take(std::size_t count)
    {
        auto out = heard_.substr(0, count);
        heard_.erase(0, count);
        return out;
    }

    std::string heard_;
    bool has_ended_ = false;
};

inline async::task<std::shared_ptr<peer>> dial(int port)
{
    const auto ex = co_await asio::this_coro::executor;
    tcp::socket socket(ex);
    const tcp::endpoint there(asio::ip::address_v4::loopback(), static_cast<std::uint16_t>(port));
    co_await socket.async_connect(there, asio::use_awaitable);
    co_return std::make_shared<peer>(std::move(socket));
}

// Runs `script` on each connection, telling it the connection's number (from 1); closes the connection after
// it.
class scripted_server
{
public:
    using script = std::function<async::task<void>(peer&, int)>;

    scripted_server(asio::io_context& loop, script s) : state_(std::make_shared<state>(loop, std::move(s)))
    {
        asio::co_spawn(loop, run(state_), asio::detached);
    }
    ~scripted_server()
    {
        boost::system::error_code ignored;
        state_->acceptor.close(ignored);
        for (auto& p : state_->open)
            if (const auto known = p.lock())
                known->socket.close(ignored);
    }

    int port() const { return state_->acceptor.local_endpoint().port(); }
    int accepted() const { return state_->accepted; }
    std::string url(const std::string& target = "/") const
    {
        return fmt::format("http://127.0.0.1:{}{}", port(), target);
    }

private:
    struct state
    {
        state(asio::io_context& loop, script s)
            : acceptor(loop, tcp::endpoint(asio::ip::address_v4::loopback(), 0)), play(std::move(s))
        {}
        tcp::acceptor acceptor;
        script play;
        int accepted = 0;
        std::vector<std::weak_ptr<peer>> open;
    };

    static async::task<void> serve(std::shared_ptr<state> s, std::shared_ptr<peer> p, int number)
    {
        co_await s->play(*p, number);
        boost::system::error_code ignored;
        p->socket.close(ignored);
    }

    static async::task<void> run(std::shared_ptr<state> s)
    {
        for (;;) {
            boost::system::error_code ec;
            auto socket = co_await s->acceptor.async_accept(asio::redirect_error(asio::use_awaitable, ec));
            if (ec)
                co_return;
            const auto p = std::make_shared<peer>(std::move(socket));
            s->open.push_back(p);
            asio::co_spawn(s->acceptor.get_executor(), serve(s, p, ++s->accepted), asio::detached);
        }
    }

    std::shared_ptr<state> state_;
};

// A port nobody listens on (any more).
inline int dead_port(asio::io_context& loop)
{
    tcp::acceptor a(loop, tcp::endpoint(asio::ip::address_v4::loopback(), 0));
    return a.local_endpoint().port();
}

} // namespace coursegate::http::wire
