// One connection to the broker, with librabbitmq underneath. Owned and used by one thread; the only class
// that talks to amqp.h.
//
// librabbitmq has no thread of its own: it reads, and sends heartbeats, only inside drain() and the requests.
// The owner waits with poll() on fd() and its own wake-up, and calls drain() at least every heartbeat / 2.
#pragma once

#include "coursegate/amqp/settings.hpp"
#include "coursegate/base/error.hpp"

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

struct amqp_connection_state_t_;
struct amqp_frame_t_;

namespace coursegate::amqp {

// The connection is gone or was never there (socket, heartbeat, time-out, login, connection.close).
class connection_lost : public base::dependency_down
{
public:
    using base::dependency_down::dependency_down;
};

// The broker refused a request and closed the channel: a queue that exists with other arguments (406), no
// permission (403), no such exchange (404). The connection is of no use afterwards.
class refused_by_broker : public std::runtime_error
{
public:
    refused_by_broker(int code, const std::string& what) : std::runtime_error(what), code_(code) {}
    int code() const { return code_; }

private:
    int code_;
};

struct properties
{
    std::string content_type{}, message_id{}, type{}, correlation_id{}, user_id{};
    std::int64_t timestamp = 0;                   // seconds since 1970; 0: none
    std::map<std::string, std::string> headers{}; // received ones that are no strings: as JSON text
};

struct message
{
    std::string consumer_tag{}, exchange{}, routing_key{};
    std::uint64_t tag = 0;
    bool redelivered = false;
    properties props{};
    std::string body{};
};

// What the broker sends without being asked for it. drain() calls these on the owner's thread.
class incoming
{
public:
    virtual ~incoming() = default;
    virtual void on_delivery(message) {}
    virtual void on_return(message) {} // mandatory, and no queue: its confirm follows
    virtual void on_confirm(std::uint64_t /*tag*/, bool /*multiple*/, bool /*accepted*/) {}
    virtual void on_cancel(const std::string& /*consumer_tag*/) {} // the queue was deleted under the consumer
    virtual void on_blocked(bool /*blocked*/, const std::string& /*reason*/) {}
};

using arguments = std::vector<std::pair<std::string, std::variant<std::string, std::int64_t>>>;

class connection
{
public:
    // Connects, logs in and opens the channel. Throws connection_lost.
    connection(const broker_address& to, const settings& s, const std::string& role);
    ~connection(); // drops the socket: the broker takes back what was not acked
    connection(const connection&) = delete;
    connection& operator=(const connection&) = delete;

    void close() noexcept; // says goodbye first; waits 1 s for the answer at most

    int fd() const;
    const std::string& user() const { return user_; }
    std::chrono::milliseconds heartbeat() const { return heartbeat_; } // as agreed with the broker

    // Takes in everything that has arrived, and returns when there is no more. Sends a heartbeat when one is
    // due. Throws connection_lost, refused_by_broker.
    void drain(incoming& to);

    // False: the next publish would block in the library until the broker reads on.
    bool writable() const;

    // Between cork(true) and cork(false) the kernel fills whole packets: librabbitmq writes each message in
    // three pieces, and a batch costs half the CPU this way.
    void cork(bool on);

    // Mandatory and persistent. No answer is waited for: see on_confirm. Throws connection_lost.
    void publish(const std::string& exchange, const std::string& routing_key, const properties& p,
        std::string_view body);
    void ack(std::uint64_t tag, bool multiple);
    void requeue(std::uint64_t tag, bool multiple);

    // Requests wait for their answer, at most the connect time-out; what arrives meanwhile is kept for
    // drain(). All throw connection_lost and refused_by_broker.
    void confirm_select();
    void set_prefetch(int count); // for the consumers started after it
    void consume(const std::string& queue, const std::string& consumer_tag);
    void cancel(const std::string& consumer_tag);
    void declare_queue(const std::string& name, const arguments& a);
    void declare_exchange(const std::string& name, const std::string& type, const arguments& a);
    void bind(const std::string& queue, const std::string& exchange, const std::string& routing_key);
    void delete_queue(const std::string& name);
    void delete_exchange(const std::string& name);
    std::optional<message> get(const std::string& queue); // one message, unacked; nullopt: the queue is empty

    // Messages ready; nullopt when there is no such queue. On a channel of its own, which the broker closes
    // for an unknown queue.
    std::optional<std::uint64_t> ready(const std::string& queue);

private:
    void open_socket(const broker_address& to, const settings& s);
    void log_in(const broker_address& to, const settings& s, const std::string& role);
    void take(const amqp_frame_t_& frame, incoming& to);
    void take_content_end(incoming& to);
    void check(int status, const char* what) const;
    template <class Reply>
    void check_reply(const Reply& reply, const char* what);
    [[noreturn]] void closed_by_broker(const void* method, unsigned id, const char* what);

    // A message arrives as method, header and body frames; nothing else comes between them on a channel.
    enum class content
    {
        none,
        delivery,
        returned,
        got,
    };

    amqp_connection_state_t_* state_ = nullptr;
    std::string user_, where_;
    std::chrono::milliseconds heartbeat_{0};
    bool tls_ = false;
    bool second_channel_ = false;
    content partial_ = content::none;
    message partial_message_;
    std::uint64_t partial_missing_ = 0; // bytes of the body still to come
    std::optional<message> got_;
};

// For tools that connect once: the first address of the list that answers. Throws base::dependency_down with
// the last address's reason.
std::unique_ptr<connection> connect_to_any(const settings& s, const std::string& role);

// Wakes a thread that waits in poll().
class wake_up
{
public:
    wake_up();
    ~wake_up();
    wake_up(const wake_up&) = delete;
    wake_up& operator=(const wake_up&) = delete;

    void ring() noexcept; // any thread
    void clear() noexcept;
    int fd() const { return fd_; }

private:
    int fd_;
};

// Returns when `socket` (may be -1) can be read (or written, where asked for), `wake` rang, or the time is
// over.
void wait_for_work(int socket, bool for_writing, wake_up& wake, std::chrono::milliseconds longest);

} // namespace coursegate::amqp
