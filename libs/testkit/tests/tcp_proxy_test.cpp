#include "coursegate/testkit/tcp_proxy.hpp"

#include "coursegate/testkit/run.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <catch2/catch.hpp>

#include <thread>

using namespace coursegate;
using namespace std::chrono_literals;
namespace asio = boost::asio;
using tcp = asio::ip::tcp;

namespace {

// Answers every byte with the same byte, one thread per connection.
struct echo_server
{
    echo_server()
        : acceptor(loop, tcp::endpoint(asio::ip::address_v4::loopback(), 0)), thread([this] { accept(); })
    {}
    ~echo_server()
    {
        stopping = true;
        boost::system::error_code ignored;
        tcp::socket last(loop);
        last.connect(acceptor.local_endpoint(), ignored); // wakes accept()
        last.close(ignored);
        thread.join();
        for (auto& c : connections)
            c.join();
    }

    void accept()
    {
        while (!stopping) {
            tcp::socket s = acceptor.accept();
            connections.emplace_back([peer = std::move(s)]() mutable {
                char c;
                boost::system::error_code fault;
                while (asio::read(peer, asio::buffer(&c, 1), fault) == 1)
                    asio::write(peer, asio::buffer(&c, 1), fault);
            });
        }
    }

    int port() const { return acceptor.local_endpoint().port(); }

    asio::io_context loop;
    tcp::acceptor acceptor;
    std::atomic<bool> stopping{false};
    std::vector<std::thread> connections;
    std::thread thread;
};

struct client
{
    explicit client(int port) : socket(loop)
    {
        socket.connect(tcp::endpoint(asio::ip::address_v4::loopback(), static_cast<unsigned short>(port)));
    }

    void say(const std::string& text)
    {
        boost::system::error_code ignored;
        asio::write(socket, asio::buffer(text), ignored);
    }

    std::string hear(std::size_t n)
    {
        std::string out(n, '\0');
        out.resize(asio::read(socket, asio::buffer(out), fault));
        return out;
    }

    asio::io_context loop;
    tcp::socket socket;
    boost::system::error_code fault;
};

} // namespace

TEST_CASE("bytes pass in both directions and are counted")
{
    echo_server server;
    testkit::tcp_proxy between("127.0.0.1", server.port());
    client c(between.port());
    c.say("hello");
    CHECK(c.hear(5) == "hello");
    CHECK(between.open() == 1);
    CHECK(between.accepted() == 1);
    CHECK(between.sent() == 5);
    CHECK(between.received() == 5);
}

TEST_CASE("a cut resets what is open and lets new connections in")
{
    echo_server server;
    testkit::tcp_proxy between("127.0.0.1", server.port());
    client c(between.port());
    c.say("a");
    CHECK(c.hear(1) == "a");
    between.cut();
    c.hear(1);
    CHECK(c.fault == asio::error::connection_reset);
    CHECK(testkit::eventually(2s, [&] { return between.open() == 0; }));

    client again(between.port());
    again.say("b");
    CHECK(again.hear(1) == "b");
}

TEST_CASE("refused connections end at once")
{
    echo_server server;
    testkit::tcp_proxy between("127.0.0.1", server.port());
    between.refuse(true);
    client c(between.port());
    c.hear(1);
    CHECK(c.fault);
    between.refuse(false);
    client again(between.port());
    again.say("b");
    CHECK(again.hear(1) == "b");
}

TEST_CASE("paused bytes wait and then arrive")
{
    echo_server server;
    testkit::tcp_proxy between("127.0.0.1", server.port());
    client c(between.port());
    c.say("a");
    CHECK(c.hear(1) == "a");
    between.pause();
    c.say("b");
    CHECK_FALSE(testkit::eventually(100ms, [&] { return c.socket.available() > 0; }));
    between.resume();
    CHECK(c.hear(1) == "b");
}

TEST_CASE("a delay holds each direction")
{
    echo_server server;
    testkit::tcp_proxy between("127.0.0.1", server.port());
    between.delay(40ms);
    client c(between.port());
    const auto began = std::chrono::steady_clock::now();
    c.say("a");
    CHECK(c.hear(1) == "a");
    CHECK(std::chrono::steady_clock::now() - began >= 80ms);
}

TEST_CASE("half a connection ends: the client sees the end, the server still hears")
{
    echo_server server;
    testkit::tcp_proxy between("127.0.0.1", server.port());
    client c(between.port());
    c.say("a");
    CHECK(c.hear(1) == "a");
    between.half_close();
    c.hear(1);
    CHECK(c.fault == asio::error::eof);
    c.say("b");
    CHECK(testkit::eventually(2s, [&] { return between.sent() == 2; }));
}

TEST_CASE("a connection can be cut after a number of bytes either way")
{
    echo_server server;
    testkit::tcp_proxy between("127.0.0.1", server.port());
    {
        client c(between.port());
        between.cut_after_received(3);
        c.say("abcdef");
        CHECK(c.hear(6) == "abc");
        CHECK(c.fault);
    }
    client c(between.port());
    between.cut_after_sent(2);
    c.say("abcdef");
    CHECK(c.hear(6).size() <= 2);
    CHECK(c.fault);
}

TEST_CASE("a URL is led through the proxy, whatever else stands in it")
{
    testkit::tcp_proxy between("postgresql://user:p%40ss@db.example:5433/name?x=a/b");
    const auto here = "127.0.0.1:" + std::to_string(between.port());
    CHECK(between.url("postgresql://user:p%40ss@db.example:5433/name?x=a/b") ==
          "postgresql://user:p%40ss@" + here + "/name?x=a/b");
    CHECK(between.url("amqp://u:p@host") == "amqp://u:p@" + here);
    CHECK(between.url("http://host/path") == "http://" + here + "/path");
    CHECK_THROWS(between.url("nonsense"));
}
