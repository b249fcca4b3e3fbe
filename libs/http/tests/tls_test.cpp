// TLS as the client checks it, against a server with certificates made here. The only test that knows
// OpenSSL.
#include "wire.hpp"

#include "coursegate/http/client.hpp"
#include "coursegate/testkit/run.hpp"

#include <boost/asio/ssl.hpp>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <catch2/catch.hpp>

#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>

#include <unistd.h>

using namespace coursegate;
using namespace coursegate::http;
using namespace std::chrono_literals;
namespace asio = boost::asio;
namespace ssl = boost::asio::ssl;
using wire::tcp;

namespace {

template <auto Free>
struct deleter
{
    template <class T>
    void operator()(T* p) const
    {
        Free(p);
    }
};
using key = std::unique_ptr<EVP_PKEY, deleter<EVP_PKEY_free>>;
using certificate = std::unique_ptr<X509, deleter<X509_free>>;

struct signed_key
{
    key secret;
    certificate paper;
};

// `names`: subjectAltName, as in "DNS:localhost,IP:127.0.0.1"; a certificate authority when empty.
signed_key make(
    const std::string& common_name, const std::string& names, const signed_key* issuer, long days = 1)
{
    static long serial = 1;
    signed_key out{key(EVP_EC_gen("P-256")), certificate(X509_new())};
    auto* x = out.paper.get();
    X509_set_version(x, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x), ++serial);
    X509_gmtime_adj(X509_getm_notBefore(x), -3600 * 24 * 10);
    X509_gmtime_adj(X509_getm_notAfter(x), days * 3600 * 24);
    auto* subject = X509_get_subject_name(x);
    X509_NAME_add_entry_by_txt(
        subject, "CN", MBSTRING_UTF8, reinterpret_cast<const unsigned char*>(common_name.c_str()), -1, -1, 0);
    X509_set_pubkey(x, out.secret.get());
    auto* signer = issuer ? issuer->paper.get() : x;
    X509_set_issuer_name(x, X509_get_subject_name(signer));
    const auto extend = [&](int what, const std::string& value) {
        X509V3_CTX context;
        X509V3_set_ctx(&context, signer, x, nullptr, nullptr, 0);
        auto* extension = X509V3_EXT_conf_nid(nullptr, &context, what, value.c_str());
        X509_add_ext(x, extension, -1);
        X509_EXTENSION_free(extension);
    };
    if (names.empty()) {
        extend(NID_basic_constraints, "critical,CA:TRUE");
        extend(NID_key_usage, "critical,keyCertSign");
    }
    else
        extend(NID_subject_alt_name, names);
    X509_sign(x, (issuer ? issuer->secret : out.secret).get(), EVP_sha256());
    return out;
}

class tls_server
{
public:
    tls_server(
        asio::io_context& loop, const signed_key& with, bool old_protocol = false, bool says_goodbye = true)
        : state_(std::make_shared<state>(loop, says_goodbye))
    {
        auto* native = state_->context.native_handle();
        SSL_CTX_use_certificate(native, with.paper.get());
        SSL_CTX_use_PrivateKey(native, with.secret.get());
        if (old_protocol) {
            SSL_CTX_set_security_level(native, 0);
            SSL_CTX_set_min_proto_version(native, TLS1_VERSION);
            SSL_CTX_set_max_proto_version(native, TLS1_1_VERSION);
        }
        asio::co_spawn(loop, accept(state_), asio::detached);
    }
    ~tls_server()
    {
        boost::system::error_code ignored;
        state_->acceptor.close(ignored);
    }

    std::string url(const std::string& host, const std::string& target = "/") const
    {
        return "https://" + host + ":" + std::to_string(state_->acceptor.local_endpoint().port()) + target;
    }
    int handshakes() const { return state_->handshakes; }
    int requests() const { return state_->requests; }
    std::string asked_name() const { return state_->asked_name; }

private:
    struct state
    {
        state(asio::io_context& loop, bool goodbye)
            : acceptor(loop, tcp::endpoint(asio::ip::address_v4::loopback(), 0)),
              context(ssl::context::tls_server), says_goodbye(goodbye)
        {}
        tcp::acceptor acceptor;
        ssl::context context;
        bool says_goodbye;
        int handshakes = 0;
        int requests = 0;
        std::string asked_name;
    };

    static async::task<void> accept(std::shared_ptr<state> s)
    {
        for (;;) {
            boost::system::error_code ec;
            auto socket = co_await s->acceptor.async_accept(asio::redirect_error(asio::use_awaitable, ec));
            if (ec)
                co_return;
            asio::co_spawn(s->acceptor.get_executor(), serve(s, std::move(socket)), asio::detached);
        }
    }

    static async::task<void> serve(std::shared_ptr<state> s, tcp::socket socket)
    {
        ssl::stream<tcp::socket> stream(std::move(socket), s->context);
        boost::system::error_code ec;
        co_await stream.async_handshake(
            ssl::stream_base::server, asio::redirect_error(asio::use_awaitable, ec));
        if (ec)
            co_return;
        ++s->handshakes;
        if (const char* name = SSL_get_servername(stream.native_handle(), TLSEXT_NAMETYPE_host_name))
            s->asked_name = name;
        for (;;) {
            std::string request;
            co_await asio::async_read_until(stream, asio::dynamic_buffer(request), "\r\n\r\n",
                asio::redirect_error(asio::use_awaitable, ec));
            if (ec)
                co_return;
            ++s->requests;
            const bool until_end = request.find("/until-end") != std::string::npos;
            const std::string body(100'000, 's');
            const std::string text = until_end ? "HTTP/1.1 200 OK\r\n\r\n" + body
                                               : "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + body;
            co_await asio::async_write(
                stream, asio::buffer(text), asio::redirect_error(asio::use_awaitable, ec));
            if (ec)
                co_return;
            if (until_end) {
                if (s->says_goodbye)
                    co_await stream.async_shutdown(asio::redirect_error(asio::use_awaitable, ec));
                co_return;
            }
        }
    }

    std::shared_ptr<state> state_;
};

struct fixture
{
    fixture()
    {
        folder = std::filesystem::temp_directory_path() / ("coursegate-tls-" + std::to_string(::getpid()));
        std::filesystem::create_directories(folder);
        save(authority, folder / "ca.pem");
        save(stranger, folder / "stranger.pem");
        trusting.ca_file = folder / "ca.pem";
    }
    ~fixture() { std::filesystem::remove_all(folder); }

    static void save(const signed_key& k, const std::filesystem::path& where)
    {
        auto* file = std::fopen(where.c_str(), "w");
        PEM_write_X509(file, k.paper.get());
        std::fclose(file);
    }

    base::result<client_response> get(client& web, const std::string& url)
    {
        client_request r;
        r.url = url;
        return testkit::run(loop, [&]() -> async::task<base::result<client_response>> {
            auto out = co_await web.send(r);
            co_return out;
        });
    }
    base::result<client_response> get(const std::string& url, const client_settings& s)
    {
        client web(loop.get_executor(), s);
        return get(web, url);
    }

    asio::io_context loop{1};
    signed_key authority = make("Coursegate test CA", "", nullptr);
    signed_key stranger = make("Another CA", "", nullptr);
    signed_key good = make("server", "DNS:localhost,IP:127.0.0.1", &authority);
    std::filesystem::path folder;
    client_settings trusting;
};

void check_refused(const base::result<client_response>& a, const tls_server& server)
{
    REQUIRE_FALSE(a.has_value());
    CHECK(a.error().code == errc::not_sent);
    CHECK(surely_not_sent(a.error()));
    CHECK(a.error().detail.find("TLS") != std::string::npos);
    CHECK(server.requests() == 0);
}

} // namespace

TEST_CASE_METHOD(fixture,
    "a server whose certificate is signed by the CA and for its name is trusted, and the connection kept")
{
    tls_server server(loop, good);
    client web(loop.get_executor(), trusting);
    for (int i = 0; i < 3; ++i) {
        const auto a = get(web, server.url("localhost"));
        REQUIRE(a.has_value());
        CHECK(a->body == std::string(100'000, 's'));
    }
    CHECK(server.handshakes() == 1);
    CHECK(server.requests() == 3);
    CHECK(server.asked_name() == "localhost");
    CHECK(get(server.url("127.0.0.1"), trusting).has_value());
}

TEST_CASE_METHOD(fixture, "a server signed by an unknown CA is refused before anything is sent")
{
    tls_server server(loop, make("server", "DNS:localhost", &stranger));
    check_refused(get(server.url("localhost"), trusting), server);
    tls_server known(loop, good);
    check_refused(get(known.url("localhost"), client_settings{}), known); // the system's CAs don't know ours

    client_settings unverified;
    unverified.verify_tls = false;
    CHECK(get(server.url("localhost"), unverified).has_value());
}

TEST_CASE_METHOD(fixture, "a certificate for another name, or one that has expired, is refused")
{
    tls_server other(loop, make("localhost", "DNS:example.org", &authority));
    check_refused(get(other.url("localhost"), trusting), other);
    tls_server address(loop, make("server", "DNS:localhost", &authority));
    check_refused(get(address.url("127.0.0.1"), trusting), address);
    tls_server expired(loop, make("server", "DNS:localhost", &authority, -1));
    const auto a = get(expired.url("localhost"), trusting);
    check_refused(a, expired);
    CHECK(a.error().detail.find("expired") != std::string::npos);
}

TEST_CASE_METHOD(fixture, "TLS older than 1.2 is refused")
{
    tls_server server(loop, good, true);
    check_refused(get(server.url("localhost"), trusting), server);
}

TEST_CASE_METHOD(fixture, "what isn't TLS, and a CA file that isn't there, are not_sent")
{
    wire::scripted_server plain(loop, [](wire::peer& p, int) -> async::task<void> {
        co_await p.say("HTTP/1.1 400 Bad Request\r\n\r\n");
        const auto rest = co_await p.hear_all();
    });
    const auto a = get("https://localhost:" + std::to_string(plain.port()) + "/", trusting);
    REQUIRE_FALSE(a.has_value());
    CHECK(a.error().code == errc::not_sent);

    auto lost = trusting;
    lost.ca_file = folder / "nothing.pem";
    const auto b = get("https://localhost:" + std::to_string(plain.port()) + "/", lost);
    REQUIRE_FALSE(b.has_value());
    CHECK(b.error().code == errc::not_sent);
    CHECK(b.error().detail.find("CA file") != std::string::npos);
}

TEST_CASE_METHOD(fixture, "a handshake that never ends is not_sent after connect_timeout")
{
    wire::scripted_server silent(
        loop, [](wire::peer& p, int) -> async::task<void> { const auto rest = co_await p.hear_all(); });
    auto s = trusting;
    s.connect_timeout = 100ms;
    const auto a = get("https://localhost:" + std::to_string(silent.port()) + "/", s);
    REQUIRE_FALSE(a.has_value());
    CHECK(a.error().code == errc::not_sent);
}

TEST_CASE_METHOD(fixture, "a body that ends with the connection is whole only if TLS says so")
{
    tls_server polite(loop, good);
    const auto a = get(polite.url("localhost", "/until-end"), trusting);
    REQUIRE(a.has_value());
    CHECK(a->body.size() == 100'000);

    tls_server rude(loop, good, false, false);
    const auto b = get(rude.url("localhost", "/until-end"), trusting);
    REQUIRE_FALSE(b.has_value());
    CHECK(b.error().code == errc::unknown_outcome);
}
