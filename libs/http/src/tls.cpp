// The only file of this library that includes Asio's TLS.
#include "transport.hpp"

#include "coursegate/base/error.hpp"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace coursegate::http {

namespace asio = boost::asio;
using boost::system::error_code;

namespace {

class tls_transport final : public transport
{
public:
    tls_transport(
        asio::ip::tcp::socket s, std::shared_ptr<asio::ssl::context> context, const std::string& host)
        : context_(std::move(context)), stream_(std::move(s), *context_), host_(host)
    {}

    async::task<std::string> open() override
    {
        auto* ssl = stream_.native_handle();
        error_code ec;
        asio::ip::make_address(host_, ec);
        if (ec && SSL_set_tlsext_host_name(ssl, host_.c_str()) != 1) // SNI is for names only
            co_return "TLS: the host name can't be sent";
        stream_.set_verify_callback(asio::ssl::host_name_verification(host_), ec);
        if (!ec)
            co_await stream_.async_handshake(
                asio::ssl::stream_base::client, asio::redirect_error(asio::use_awaitable, ec));
        if (!ec)
            co_return std::string{};
        const auto verified = SSL_get_verify_result(ssl);
        co_return verified == X509_V_OK
            ? "TLS: " + ec.message()
            : std::string("TLS: the certificate is refused: ") + X509_verify_cert_error_string(verified);
    }

    async::task<std::size_t> read_some(asio::mutable_buffer into, error_code& ec) override
    {
        // A connection cut without TLS's own goodbye is stream_truncated here, not eof.
        co_return co_await stream_.async_read_some(into, asio::redirect_error(asio::use_awaitable, ec));
    }

    async::task<error_code> write(pieces what, std::size_t& written) override
    {
        // A record that went out in part can't be read by the peer, and Asio counts it as nothing written.
        error_code ec;
        while (!ec && asio::buffer_size(what) > 0) {
            const auto count =
                co_await stream_.async_write_some(what, asio::redirect_error(asio::use_awaitable, ec));
            written += count;
            advance(what, count);
        }
        co_return ec;
    }

private:
    asio::ip::tcp::socket& socket() override { return stream_.next_layer(); }

    std::shared_ptr<asio::ssl::context> context_;
    asio::ssl::stream<asio::ip::tcp::socket> stream_;
    std::string host_;
};

} // namespace

struct tls::impl
{
    std::shared_ptr<asio::ssl::context> context;
};

tls::tls(const client_settings& s) : impl_(std::make_shared<impl>())
{
    impl_->context = std::make_shared<asio::ssl::context>(asio::ssl::context::tls_client);
    auto& context = *impl_->context;
    auto* native = context.native_handle();
    SSL_CTX_set_min_proto_version(native, TLS1_2_VERSION);
    SSL_CTX_set_mode(native, SSL_MODE_RELEASE_BUFFERS); // kept connections are idle most of the time
    static constexpr unsigned char alpn[] = {8, 'h', 't', 't', 'p', '/', '1', '.', '1'};
    SSL_CTX_set_alpn_protos(native, alpn, sizeof alpn);
    context.set_verify_mode(s.verify_tls ? asio::ssl::verify_peer : asio::ssl::verify_none);
    error_code ec;
    if (s.ca_file.empty())
        context.set_default_verify_paths(ec);
    else
        context.load_verify_file(s.ca_file, ec);
    if (ec && s.verify_tls)
        throw base::bad_configuration("the CA file can't be used: " + ec.message());
}

tls::~tls() = default;

std::shared_ptr<transport> tls::wrap(asio::ip::tcp::socket socket, const std::string& host)
{
    return std::make_shared<tls_transport>(std::move(socket), impl_->context, host);
}

} // namespace coursegate::http
