// Writing several pieces as one system call.
#pragma once

#include "coursegate/async/task.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/system/error_code.hpp>

#include <algorithm>
#include <array>
#include <string_view>

namespace coursegate::http {

using pieces = std::array<boost::asio::const_buffer, 3>;

inline boost::asio::const_buffer piece(std::string_view bytes)
{
    return {bytes.data(), bytes.size()};
}

inline void advance(pieces& what, std::size_t count)
{
    for (auto& p : what) {
        const auto taken = std::min(count, p.size());
        p += taken;
        count -= taken;
    }
}

// Writes all of `what` to a socket in non-blocking mode, trying at once before it waits: an answer that fits
// into the socket's buffer costs one sendmsg and no trip through the event loop. `written` counts also when
// it fails.
async::task<boost::system::error_code> write_all(
    boost::asio::ip::tcp::socket& socket, pieces what, std::size_t& written);

} // namespace coursegate::http
