#include "write.hpp"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace coursegate::http {

async::task<boost::system::error_code> write_all(
    boost::asio::ip::tcp::socket& socket, pieces what, std::size_t& written)
{
    namespace asio = boost::asio;
    boost::system::error_code ec;
    while (asio::buffer_size(what) > 0) {
        auto count = socket.write_some(what, ec);
        if (ec == asio::error::would_block || ec == asio::error::try_again) {
            ec = {};
            count = co_await socket.async_write_some(what, asio::redirect_error(asio::use_awaitable, ec));
        }
        written += count;
        if (ec)
            break;
        advance(what, count);
    }
    co_return ec;
}

} // namespace coursegate::http
