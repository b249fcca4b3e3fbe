// A connected byte stream, plain or TLS. Keeps OpenSSL out of everything but tls.cpp.
#pragma once

#include "write.hpp"

#include "coursegate/async/task.hpp"
#include "coursegate/http/client.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <memory>
#include <string>

namespace coursegate::http {

class transport
{
public:
    virtual ~transport() = default;

    // Once, before anything else. Not empty: a sentence saying why it failed.
    virtual async::task<std::string> open() = 0;

    // `ec` is asio::error::eof only when the peer has said properly that this is the end.
    virtual async::task<std::size_t> read_some(
        boost::asio::mutable_buffer into, boost::system::error_code& ec) = 0;

    // `written` may be 0 after an error only if the peer can't have got anything it could act on.
    virtual async::task<boost::system::error_code> write(pieces what, std::size_t& written) = 0;

    // Nothing has arrived: neither bytes nor the end. Never blocks.
    bool is_quiet();

    void close() noexcept; // ends pending operations

protected:
    virtual boost::asio::ip::tcp::socket& socket() = 0;
};

std::shared_ptr<transport> make_plain(boost::asio::ip::tcp::socket socket);

// Certificates and how they are checked.
class tls
{
public:
    // Throws base::bad_configuration when ca_file can't be used.
    explicit tls(const client_settings& s);
    ~tls();
    tls(const tls&) = delete;

    // `host` is asked for (SNI) and must be what the certificate is for.
    std::shared_ptr<transport> wrap(boost::asio::ip::tcp::socket socket, const std::string& host);

private:
    struct impl;
    std::shared_ptr<impl> impl_;
};

} // namespace coursegate::http
