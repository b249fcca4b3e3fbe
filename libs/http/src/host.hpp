// What the client knows about one (scheme, host, port): kept connections, who waits, limiter, circuit,
// addresses.
#pragma once

#include "transport.hpp"
#include "url.hpp"
#include "waiting_room.hpp"

#include "coursegate/async/task.hpp"
#include "coursegate/http/client.hpp"
#include "coursegate/metrics/metrics.hpp"

#include <boost/asio/ip/tcp.hpp>

#include <chrono>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace coursegate::http {

class host : public std::enable_shared_from_this<host>
{
public:
    using time_point = std::chrono::steady_clock::time_point;

    host(async::executor ex, const url& where, const client_settings& s);

    // The right to use one of connections_per_host; gives itself back.
    class slot
    {
    public:
        slot() = default;
        explicit slot(std::shared_ptr<host> h) : host_(std::move(h)) {}
        slot(slot&& other) noexcept : host_(std::move(other.host_)) {}
        slot& operator=(slot&& other) noexcept
        {
            std::swap(host_, other.host_);
            return *this;
        }
        ~slot()
        {
            if (host_)
                host_->give_back();
        }
        explicit operator bool() const { return host_ != nullptr; }

    private:
        std::shared_ptr<host> host_;
    };

    // Empty when the deadline came first.
    async::task<slot> acquire(time_point deadline);

    // Waits for the limiter's turn; false, at once, when that would be after the deadline.
    async::task<bool> take_turn(time_point deadline);

    // The circuit. A call asks may_try() early (nothing is taken), then begin_try() right before it goes out;
    // the attempt says how it ended, or counts as neither when it was dropped.
    enum class outcome
    {
        good,
        bad,
        neither
    };
    class attempt
    {
    public:
        attempt(std::shared_ptr<host> h, bool is_trial) : host_(std::move(h)), is_trial_(is_trial) {}
        attempt(attempt&& other) noexcept : host_(std::move(other.host_)), is_trial_(other.is_trial_) {}
        attempt& operator=(attempt&&) = delete;
        ~attempt() { end(outcome::neither); }
        void end(outcome o)
        {
            if (const auto h = std::exchange(host_, nullptr))
                h->ended(o, is_trial_);
        }

    private:
        std::shared_ptr<host> host_;
        bool is_trial_;
    };
    bool may_try() const;
    std::optional<attempt> begin_try();
    std::string_view circuit() const;

    // Addresses to connect to, cached briefly. Empty: `why` says it, or the deadline passed (`why` stays
    // empty).
    async::task<std::vector<boost::asio::ip::tcp::endpoint>> addresses(time_point deadline, std::string& why);
    void forget_addresses() { addresses_.clear(); }

    std::shared_ptr<transport> take_kept(); // one that is still good, or null
    void keep(std::shared_ptr<transport> t);
    void close_idle();

    void observe(std::string_view outcome, std::chrono::duration<double> took);

    const url& where() const { return where_; }

private:
    struct kept
    {
        std::shared_ptr<transport> connection;
        time_point since;
    };

    void give_back();
    void ended(outcome o, bool was_trial);
    void show_circuit();

    async::executor executor_;
    url where_;
    client_settings settings_;

    std::size_t in_use_ = 0;
    waiting_room room_;
    std::deque<kept> kept_; // the longest unused first

    time_point next_turn_{};

    int failures_ = 0;
    bool is_open_ = false;
    time_point open_until_{};
    bool trial_running_ = false;

    std::vector<boost::asio::ip::tcp::endpoint> addresses_;
    time_point addresses_until_{};
    bool resolving_ = false;
    std::string resolve_error_;
    waiting_room resolve_room_;

    metrics::gauge& circuit_gauge_;
    std::map<std::string, metrics::histogram*, std::less<>> histograms_;
};

} // namespace coursegate::http
