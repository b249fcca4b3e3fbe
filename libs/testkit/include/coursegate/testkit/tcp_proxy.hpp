// A small TCP proxy inside the test program, for faults of the network between a daemon and PostgreSQL,
// RabbitMQ or an HTTP server (netem is not in these kernels).
//
//   testkit::tcp_proxy between{"127.0.0.1", 5432};
//   settings.url = base::secret(between.url(database.url()));   // the same URL by way of the proxy
//   between.cut();                                              // every connection is reset
//
// Runs on a thread of its own; every function may be called from any thread and has taken effect when it
// returns.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

namespace coursegate::testkit {

class tcp_proxy
{
public:
    tcp_proxy(std::string host, int port);      // where to connect to; throws when it can't listen
    explicit tcp_proxy(const std::string& url); // host and port of that URL
    ~tcp_proxy();
    tcp_proxy(const tcp_proxy&) = delete;

    int port() const; // on 127.0.0.1
    std::string url(
        const std::string& original) const; // `original` with host and port replaced by the proxy's

    void cut();           // resets every open connection, both ways; new ones are accepted
    void refuse(bool on); // new connections are reset at once, as by a server that is down
    void pause();         // a hole that swallows nothing: bytes stay where they are, connections stay open
    void resume();
    void delay(std::chrono::milliseconds each_way); // per chunk and direction; 0: none
    void half_close(); // ends the direction server → client of every open connection; the other one goes on
    void cut_after_sent(std::uint64_t bytes); // cuts when that many more bytes have gone client → server
    void cut_after_received(std::uint64_t bytes); // or server → client, the last byte included

    std::size_t open() const;       // connections now
    std::size_t accepted() const;   // connections ever
    std::uint64_t sent() const;     // bytes client → server, ever
    std::uint64_t received() const; // bytes server → client, ever

private:
    struct impl;
    std::unique_ptr<impl> impl_;
};

} // namespace coursegate::testkit
