// One connection of the server: requests one after another until either side ends it.
#pragma once

#include "bell.hpp"
#include "server_core.hpp"
#include "watchdog.hpp"

#include <boost/asio/cancellation_signal.hpp>
#include <boost/beast/core/flat_buffer.hpp>

namespace coursegate::http {

class connection : public std::enable_shared_from_this<connection>
{
public:
    connection(std::shared_ptr<server_core> core, boost::asio::ip::tcp::socket socket);

    void begin(); // before serve()/refuse()
    async::task<void> serve();
    async::task<void> refuse(); // 503: too many connections
    void end();                 // after them, however they ended

    void finish_up(); // the server stops: close when idle, else make the current request the last one;
                      // streams close
    void abort();     // the time for that is over

private:
    struct exchange;
    class stream;

    enum class phase
    {
        idle, // between requests
        reading,
        handling, // or a stream that has nothing to say at the moment
        writing,
        lingering, // answered for the last time; taking what the peer still sends
    };

    async::task<bool> read(exchange& x); // false: nothing to answer, close. A refusal is x.refusal.
    bool examine_head(exchange& x, bool is_complete); // false: refused
    bool split_target(exchange& x);
    std::string peer_address(const http::headers& h) const;
    bool is_trusted(std::string_view address) const; // one of the proxies
    bool came_by_tls(const http::headers& h) const;
    async::task<void> handle(std::shared_ptr<exchange> x);
    async::task<bool> answer(exchange& x, response& r);
    async::task<void> answer_stream(std::shared_ptr<exchange> x);
    async::task<void> linger(bool is_request_whole);
    std::string head(const exchange& x, const response& r, bool is_stream) const;
    void record(const exchange& x, int status, std::size_t bytes);
    template <class Body>
    void start(std::shared_ptr<exchange> x, Body body);
    void watch_peer();
    void bark(); // the deadline of the current phase has passed

    std::shared_ptr<server_core> core_;
    boost::asio::ip::tcp::socket socket_;
    std::string peer_;
    boost::beast::flat_buffer buffer_;
    std::shared_ptr<watchdog> watchdog_;
    phase phase_ = phase::idle;
    bool timed_out_ = false;
    bool first_ = true;
    bool last_ = false;                 // close after the current answer
    std::shared_ptr<exchange> current_; // while its handler or stream runs
    std::shared_ptr<stream> stream_;
    std::array<char, 512> discarded_{};
    std::size_t discarded_total_ = 0;
};

} // namespace coursegate::http
