#include "transport.hpp"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <sys/socket.h>

namespace coursegate::http {

namespace {

namespace asio = boost::asio;

class plain final : public transport
{
public:
    explicit plain(asio::ip::tcp::socket s) : socket_(std::move(s)) {}

    async::task<std::string> open() override { co_return std::string{}; }

    async::task<std::size_t> read_some(asio::mutable_buffer into, boost::system::error_code& ec) override
    {
        co_return co_await socket_.async_read_some(into, asio::redirect_error(asio::use_awaitable, ec));
    }

    async::task<boost::system::error_code> write(pieces what, std::size_t& written) override
    {
        co_return co_await write_all(socket_, what, written);
    }

private:
    asio::ip::tcp::socket& socket() override { return socket_; }

    asio::ip::tcp::socket socket_;
};

} // namespace

bool transport::is_quiet()
{
    if (!socket().is_open())
        return false;
    char c = 0;
    const auto got = ::recv(socket().native_handle(), &c, 1, MSG_PEEK | MSG_DONTWAIT);
    return got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

void transport::close() noexcept
{
    boost::system::error_code ignored;
    socket().close(ignored);
}

std::shared_ptr<transport> make_plain(asio::ip::tcp::socket socket)
{
    return std::make_shared<plain>(std::move(socket));
}

} // namespace coursegate::http
