// Reads a server-sent event stream from a loopback port, event by event, over a plain socket.
#pragma once

#include "coursegate/async/task.hpp"
#include "coursegate/http/sse.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/streambuf.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <deque>
#include <optional>
#include <string>
#include <vector>

namespace coursegate::web_gateway::tests {

class sse_client
{
public:
    sse_client(async::executor ex, int port) : socket_(ex), timer_(ex), port_(port) {}

    // Returns the status line. `headers` end with \r\n each.
    async::task<std::string> open(std::string target, std::string headers)
    {
        const auto loopback = boost::asio::ip::make_address("127.0.0.1");
        const boost::asio::ip::tcp::endpoint to(loopback, static_cast<unsigned short>(port_));
        co_await socket_.async_connect(to, boost::asio::use_awaitable);
        const auto request = "GET " + target + " HTTP/1.1\r\nHost: localhost\r\n" + headers + "\r\n";
        co_await boost::asio::async_write(socket_, boost::asio::buffer(request), boost::asio::use_awaitable);
        const auto size = co_await boost::asio::async_read_until(
            socket_, boost::asio::dynamic_buffer(raw_), "\r\n\r\n", boost::asio::use_awaitable);
        head_ = raw_.substr(0, size);
        raw_.erase(0, size);
        co_return head_.substr(0, head_.find("\r\n"));
    }

    // The next event, or nothing when none came within `limit` or the stream ended.
    async::task<std::optional<http::sse_event>> next(std::chrono::milliseconds limit)
    {
        const auto until = std::chrono::steady_clock::now() + limit;
        while (true) {
            take_chunks();
            if (!events_.empty()) {
                auto out = events_.front();
                events_.pop_front();
                co_return out;
            }
            if (ended_ || std::chrono::steady_clock::now() >= until)
                co_return std::nullopt;
            timer_.expires_at(until);
            timer_.async_wait([this](boost::system::error_code ec) {
                if (!ec)
                    socket_.cancel();
            });
            char bytes[4096];
            boost::system::error_code ec;
            const auto count = co_await socket_.async_read_some(
                boost::asio::buffer(bytes), boost::asio::redirect_error(boost::asio::use_awaitable, ec));
            timer_.cancel();
            raw_.append(bytes, count);
            if (ec && ec != boost::asio::error::operation_aborted)
                ended_ = true;
        }
    }

    void close()
    {
        boost::system::error_code ignored;
        timer_.cancel();
        socket_.close(ignored);
    }

    bool ended() const { return ended_; }
    const std::string& head() const { return head_; }
    const std::string& last_id() const { return parser_.last_id(); }
    const std::string& comments() const { return comments_; }
    boost::asio::ip::tcp::socket& socket() { return socket_; }

private:
    // Takes the chunked coding apart as far as it came.
    void take_chunks()
    {
        while (true) {
            const auto line = raw_.find("\r\n");
            if (line == raw_.npos)
                return;
            const auto size = std::stoul(raw_.substr(0, line), nullptr, 16);
            if (size == 0) {
                ended_ = true;
                return;
            }
            if (raw_.size() < line + 2 + size + 2)
                return;
            const auto body = raw_.substr(line + 2, size);
            raw_.erase(0, line + 2 + size + 2);
            if (body.starts_with(":"))
                comments_ += body;
            parser_.feed(body, [this](const http::sse_event& e) {
                events_.push_back(e);
                return true;
            });
        }
    }

    boost::asio::ip::tcp::socket socket_;
    boost::asio::steady_timer timer_;
    int port_;
    std::string raw_, head_, comments_;
    http::sse_parser parser_;
    std::deque<http::sse_event> events_;
    bool ended_ = false;
};

} // namespace coursegate::web_gateway::tests
