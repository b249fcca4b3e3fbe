#include "connection.hpp"

#include <amqp.h>
#include <amqp_framing.h>
#include <amqp_ssl_socket.h>
#include <amqp_tcp_socket.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>

namespace coursegate::amqp {

namespace {

constexpr amqp_channel_t channel = 1;
constexpr amqp_channel_t looking_channel = 2;
constexpr int frame_max = 131'072;
constexpr auto system_certificates = "/etc/ssl/certs/ca-certificates.crt";

amqp_bytes_t bytes(std::string_view s)
{
    // The library takes `void*` but only reads.
    return {s.size(), const_cast<char*>(s.data())};
}

std::string text(amqp_bytes_t b)
{
    return b.len == 0 ? std::string{} : std::string(static_cast<const char*>(b.bytes), b.len);
}

timeval as_timeval(std::chrono::milliseconds d)
{
    timeval tv{};
    tv.tv_sec = static_cast<time_t>(d.count() / 1000);
    tv.tv_usec = static_cast<suseconds_t>(d.count() % 1000 * 1000);
    return tv;
}

// Why the last handshake of this thread did not trust the other side's certificate.
thread_local int last_verify_error = X509_V_OK;

int remember_verify_error(int ok, X509_STORE_CTX* store)
{
    if (ok == 0)
        last_verify_error = X509_STORE_CTX_get_error(store);
    return ok;
}

bool is_address(const std::string& host)
{
    in6_addr any{};
    return inet_pton(AF_INET, host.c_str(), &any) == 1 || inet_pton(AF_INET6, host.c_str(), &any) == 1;
}

// A header's value as text: strings as they are, everything else (x-death is an array of tables) as JSON.
nlohmann::json as_json(const amqp_field_value_t& v)
{
    switch (v.kind) {
    case AMQP_FIELD_KIND_UTF8:
    case AMQP_FIELD_KIND_BYTES:
        return text(v.value.bytes);
    case AMQP_FIELD_KIND_BOOLEAN:
        return v.value.boolean != 0;
    case AMQP_FIELD_KIND_I8:
        return v.value.i8;
    case AMQP_FIELD_KIND_U8:
        return v.value.u8;
    case AMQP_FIELD_KIND_I16:
        return v.value.i16;
    case AMQP_FIELD_KIND_U16:
        return v.value.u16;
    case AMQP_FIELD_KIND_I32:
        return v.value.i32;
    case AMQP_FIELD_KIND_U32:
        return v.value.u32;
    case AMQP_FIELD_KIND_I64:
        return v.value.i64;
    case AMQP_FIELD_KIND_U64:
    case AMQP_FIELD_KIND_TIMESTAMP:
        return v.value.u64;
    case AMQP_FIELD_KIND_F32:
        return v.value.f32;
    case AMQP_FIELD_KIND_F64:
        return v.value.f64;
    case AMQP_FIELD_KIND_ARRAY: {
        auto list = nlohmann::json::array();
        for (int i = 0; i < v.value.array.num_entries; ++i)
            list.push_back(as_json(v.value.array.entries[i]));
        return list;
    }
    case AMQP_FIELD_KIND_TABLE: {
        auto table = nlohmann::json::object();
        for (int i = 0; i < v.value.table.num_entries; ++i)
            table[text(v.value.table.entries[i].key)] = as_json(v.value.table.entries[i].value);
        return table;
    }
    default:
        return nullptr;
    }
}

std::string as_text(const amqp_field_value_t& v)
{
    const auto j = as_json(v);
    return j.is_string() ? j.get<std::string>()
                         : j.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

properties read_properties(const amqp_basic_properties_t& p)
{
    properties out;
    const auto has = [&](amqp_flags_t flag) { return (p._flags & flag) != 0; };
    if (has(AMQP_BASIC_CONTENT_TYPE_FLAG))
        out.content_type = text(p.content_type);
    if (has(AMQP_BASIC_MESSAGE_ID_FLAG))
        out.message_id = text(p.message_id);
    if (has(AMQP_BASIC_TYPE_FLAG))
        out.type = text(p.type);
    if (has(AMQP_BASIC_CORRELATION_ID_FLAG))
        out.correlation_id = text(p.correlation_id);
    if (has(AMQP_BASIC_USER_ID_FLAG))
        out.user_id = text(p.user_id);
    if (has(AMQP_BASIC_TIMESTAMP_FLAG))
        out.timestamp = static_cast<std::int64_t>(p.timestamp);
    if (has(AMQP_BASIC_HEADERS_FLAG))
        for (int i = 0; i < p.headers.num_entries; ++i)
            out.headers[text(p.headers.entries[i].key)] = as_text(p.headers.entries[i].value);
    return out;
}

amqp_table_entry_t entry(std::string_view key, std::string_view value)
{
    amqp_table_entry_t e{};
    e.key = bytes(key);
    e.value.kind = AMQP_FIELD_KIND_UTF8;
    e.value.value.bytes = bytes(value);
    return e;
}

amqp_table_entry_t entry(std::string_view key, std::int64_t value)
{
    amqp_table_entry_t e{};
    e.key = bytes(key);
    e.value.kind = AMQP_FIELD_KIND_I64;
    e.value.value.i64 = value;
    return e;
}

amqp_table_entry_t flag(std::string_view key)
{
    amqp_table_entry_t e{};
    e.key = bytes(key);
    e.value.kind = AMQP_FIELD_KIND_BOOLEAN;
    e.value.value.boolean = 1;
    return e;
}

amqp_table_entry_t entry(std::string_view key, amqp_table_t value)
{
    amqp_table_entry_t e{};
    e.key = bytes(key);
    e.value.kind = AMQP_FIELD_KIND_TABLE;
    e.value.value.table = value;
    return e;
}

amqp_table_t table(std::vector<amqp_table_entry_t>& entries)
{
    return {static_cast<int>(entries.size()), entries.data()};
}

// The entries point into `a`.
std::vector<amqp_table_entry_t> entries_of(const arguments& a)
{
    std::vector<amqp_table_entry_t> out;
    out.reserve(a.size());
    for (const auto& [key, value] : a)
        out.push_back(std::visit([&key = key](const auto& v) { return entry(key, v); }, value));
    return out;
}

void set_option(int fd, int level, int name, int value)
{
    // Best effort: without it a dead peer is noticed by the heartbeat, later.
    ::setsockopt(fd, level, name, &value, sizeof value);
}

} // namespace

connection::connection(const broker_address& to, const settings& s, const std::string& role)
    : user_(to.user), where_(fmt::format("{}:{}", to.host, to.port)), tls_(to.tls)
{
    state_ = amqp_new_connection();
    if (state_ == nullptr)
        throw std::bad_alloc();
    try {
        open_socket(to, s);
        log_in(to, s, role);
    }
    catch (...) {
        amqp_destroy_connection(state_);
        throw;
    }
}

connection::~connection()
{
    if (state_ != nullptr)
        amqp_destroy_connection(state_);
}

void connection::close() noexcept
{
    const timeval patience = as_timeval(std::chrono::seconds(1));
    amqp_set_rpc_timeout(state_, &patience);
    amqp_connection_close(state_, AMQP_REPLY_SUCCESS);
}

int connection::fd() const
{
    return amqp_get_sockfd(state_);
}

void connection::open_socket(const broker_address& to, const settings& s)
{
    const timeval patience = as_timeval(s.connect_timeout);
    amqp_socket_t* socket = nullptr;
    if (to.tls) {
        socket = amqp_ssl_socket_new(state_);
        if (socket == nullptr)
            throw connection_lost("RabbitMQ: TLS is not available");
        const std::string& ca_file = s.ca_file.empty() ? system_certificates : s.ca_file;
        if (amqp_ssl_socket_set_cacert(socket, ca_file.c_str()) != AMQP_STATUS_OK)
            throw connection_lost(
                fmt::format("RabbitMQ: {} holds no certificates that can be read", ca_file));
        amqp_ssl_socket_set_ssl_versions(socket, AMQP_TLSv1_2, AMQP_TLSvLATEST);
        // The name is checked by OpenSSL during the handshake instead of by librabbitmq after it: 0.11 does
        // not know addresses in certificates, and its own check was repaired in 0.14 only.
        amqp_ssl_socket_set_verify_peer(socket, 1);
        amqp_ssl_socket_set_verify_hostname(socket, 0);
        auto* const context = static_cast<SSL_CTX*>(amqp_ssl_socket_get_context(socket));
        SSL_CTX_set_verify(context, SSL_VERIFY_PEER, remember_verify_error);
        X509_VERIFY_PARAM* const checks = SSL_CTX_get0_param(context);
        X509_VERIFY_PARAM_set_hostflags(checks, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
        const int named = is_address(to.host)
                              ? X509_VERIFY_PARAM_set1_ip_asc(checks, to.host.c_str())
                              : X509_VERIFY_PARAM_set1_host(checks, to.host.c_str(), to.host.size());
        if (named != 1)
            throw connection_lost(fmt::format("RabbitMQ: {} is no host name", to.host));
        last_verify_error = X509_V_OK;
    }
    else {
        socket = amqp_tcp_socket_new(state_);
        if (socket == nullptr)
            throw std::bad_alloc();
    }

    const int status = amqp_socket_open_noblock(socket, to.host.c_str(), to.port, &patience);
    if (status != AMQP_STATUS_OK) {
        if (to.tls && last_verify_error != X509_V_OK)
            throw connection_lost(fmt::format("RabbitMQ at {}: its certificate is not trusted: {}", where_,
                X509_verify_cert_error_string(last_verify_error)));
        throw connection_lost(
            fmt::format("RabbitMQ at {} can't be reached: {}", where_, amqp_error_string2(status)));
    }

    const int socket_fd = fd();
    const int seconds = static_cast<int>(std::max<std::int64_t>(s.heartbeat.count(), 1));
    set_option(socket_fd, IPPROTO_TCP, TCP_NODELAY, 1);
    set_option(socket_fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    set_option(socket_fd, IPPROTO_TCP, TCP_KEEPIDLE, seconds);
    set_option(socket_fd, IPPROTO_TCP, TCP_KEEPINTVL, seconds);
    set_option(socket_fd, IPPROTO_TCP, TCP_KEEPCNT, 2);
    // A publish that found the socket's buffer full waits inside the library without a limit of its own; this
    // one ends it when the other side takes nothing for so long.
    const auto taken_within = std::max<std::chrono::milliseconds>(s.confirm_deadline, s.heartbeat);
    set_option(socket_fd, IPPROTO_TCP, TCP_USER_TIMEOUT, static_cast<int>(taken_within.count()));
}

void connection::log_in(const broker_address& to, const settings& s, const std::string& role)
{
    const timeval patience = as_timeval(s.connect_timeout);
    amqp_set_handshake_timeout(state_, &patience);
    amqp_set_rpc_timeout(state_, &patience);

    // Without these the broker does not tell: a consumer whose queue was deleted would wait for ever, and a
    // publisher under an alarm would not know why no confirm comes.
    std::vector<amqp_table_entry_t> capabilities{flag("consumer_cancel_notify"), flag("connection.blocked"),
        flag("publisher_confirms"), flag("authentication_failure_close")};
    const std::string name = s.connection_name.empty() ? role : s.connection_name + " " + role;
    std::vector<amqp_table_entry_t> about{entry("product", std::string_view("coursegate")),
        entry("connection_name", std::string_view(name)), entry("capabilities", table(capabilities))};
    const amqp_table_t client = table(about);
    const auto heartbeat = static_cast<int>(std::clamp<std::int64_t>(s.heartbeat.count(), 1, 600));
    check_reply(amqp_login_with_properties(state_, to.vhost.c_str(), 0, frame_max, heartbeat, &client,
                    AMQP_SASL_METHOD_PLAIN, to.user.c_str(), to.password.expose().c_str()),
        "log in");
    heartbeat_ = std::chrono::seconds(amqp_get_heartbeat(state_));

    amqp_channel_open(state_, channel);
    check_reply(amqp_get_rpc_reply(state_), "open a channel");
}

void connection::check(int status, const char* what) const
{
    if (status == AMQP_STATUS_OK)
        return;
    throw connection_lost(fmt::format("RabbitMQ at {}: {}: {}", where_, what, amqp_error_string2(status)));
}

template <class Reply>
void connection::check_reply(const Reply& reply, const char* what)
{
    switch (reply.reply_type) {
    case AMQP_RESPONSE_NORMAL:
        return;
    case AMQP_RESPONSE_SERVER_EXCEPTION:
        closed_by_broker(reply.reply.decoded, reply.reply.id, what);
    case AMQP_RESPONSE_LIBRARY_EXCEPTION:
        check(reply.library_error, what);
        [[fallthrough]];
    case AMQP_RESPONSE_NONE:
        throw connection_lost(fmt::format("RabbitMQ at {}: {}: the connection ended", where_, what));
    }
}

// The broker has closed the channel or the connection: the closing is acknowledged, as the protocol wants it.
void connection::closed_by_broker(const void* method, unsigned id, const char* what)
{
    if (id == AMQP_CHANNEL_CLOSE_METHOD) {
        const auto* const m = static_cast<const amqp_channel_close_t*>(method);
        const auto sentence = fmt::format("RabbitMQ refused to {}: {}", what, text(m->reply_text));
        const int code = m->reply_code;
        amqp_channel_close_ok_t ok{};
        amqp_send_method(state_, channel, AMQP_CHANNEL_CLOSE_OK_METHOD, &ok);
        throw refused_by_broker(code, sentence);
    }
    if (id == AMQP_CONNECTION_CLOSE_METHOD) {
        const auto* const m = static_cast<const amqp_connection_close_t*>(method);
        const auto sentence =
            fmt::format("RabbitMQ at {} closed the connection: {}", where_, text(m->reply_text));
        amqp_connection_close_ok_t ok{};
        amqp_send_method(state_, 0, AMQP_CONNECTION_CLOSE_OK_METHOD, &ok);
        throw connection_lost(sentence);
    }
    throw connection_lost(fmt::format("RabbitMQ at {}: {}: unexpected method {:#010x}", where_, what, id));
}

void connection::drain(incoming& to)
{
    const timeval at_once{};
    for (;;) {
        amqp_maybe_release_buffers(
            state_); // frames are copied as they come: nothing of them is needed any more
        amqp_frame_t frame;
        const int status = amqp_simple_wait_frame_noblock(state_, &frame, &at_once);
        if (status == AMQP_STATUS_TIMEOUT)
            return;
        check(status, "read");
        take(frame, to);
    }
}

void connection::take(const amqp_frame_t& frame, incoming& to)
{
    if (frame.frame_type == AMQP_FRAME_HEADER && partial_ != content::none) {
        partial_message_.props =
            read_properties(*static_cast<const amqp_basic_properties_t*>(frame.payload.properties.decoded));
        partial_missing_ = frame.payload.properties.body_size;
        partial_message_.body.reserve(std::min<std::uint64_t>(partial_missing_, 1U << 20));
        if (partial_missing_ == 0)
            take_content_end(to);
        return;
    }
    if (frame.frame_type == AMQP_FRAME_BODY && partial_ != content::none) {
        const auto& part = frame.payload.body_fragment;
        partial_message_.body.append(static_cast<const char*>(part.bytes), part.len);
        partial_missing_ -= std::min<std::uint64_t>(partial_missing_, part.len);
        if (partial_missing_ == 0)
            take_content_end(to);
        return;
    }
    if (frame.frame_type != AMQP_FRAME_METHOD)
        return; // a heartbeat

    const auto& method = frame.payload.method;
    switch (method.id) {
    case AMQP_BASIC_DELIVER_METHOD: {
        const auto& m = *static_cast<const amqp_basic_deliver_t*>(method.decoded);
        partial_ = content::delivery;
        partial_message_ = message{};
        partial_message_.consumer_tag = text(m.consumer_tag);
        partial_message_.exchange = text(m.exchange);
        partial_message_.routing_key = text(m.routing_key);
        partial_message_.tag = m.delivery_tag;
        partial_message_.redelivered = m.redelivered != 0;
        return;
    }
    case AMQP_BASIC_RETURN_METHOD: {
        const auto& m = *static_cast<const amqp_basic_return_t*>(method.decoded);
        partial_ = content::returned;
        partial_message_ = message{};
        partial_message_.exchange = text(m.exchange);
        partial_message_.routing_key = text(m.routing_key);
        return;
    }
    case AMQP_BASIC_ACK_METHOD: {
        const auto& m = *static_cast<const amqp_basic_ack_t*>(method.decoded);
        to.on_confirm(m.delivery_tag, m.multiple != 0, true);
        return;
    }
    case AMQP_BASIC_NACK_METHOD: {
        const auto& m = *static_cast<const amqp_basic_nack_t*>(method.decoded);
        to.on_confirm(m.delivery_tag, m.multiple != 0, false);
        return;
    }
    case AMQP_BASIC_CANCEL_METHOD:
        to.on_cancel(text(static_cast<const amqp_basic_cancel_t*>(method.decoded)->consumer_tag));
        return;
    case AMQP_CONNECTION_BLOCKED_METHOD:
        to.on_blocked(true, text(static_cast<const amqp_connection_blocked_t*>(method.decoded)->reason));
        return;
    case AMQP_CONNECTION_UNBLOCKED_METHOD:
        to.on_blocked(false, {});
        return;
    case AMQP_CHANNEL_CLOSE_METHOD:
    case AMQP_CONNECTION_CLOSE_METHOD:
        closed_by_broker(method.decoded, method.id, "go on");
    default:
        return; // nothing else is sent to a client that did not ask
    }
}

void connection::take_content_end(incoming& to)
{
    const auto kind = std::exchange(partial_, content::none);
    auto whole = std::move(partial_message_);
    partial_message_ = message{};
    switch (kind) {
    case content::delivery:
        return to.on_delivery(std::move(whole));
    case content::returned:
        return to.on_return(std::move(whole));
    case content::got:
        got_ = std::move(whole);
        return;
    case content::none:
        return;
    }
}

bool connection::writable() const
{
    pollfd p{fd(), POLLOUT, 0};
    return ::poll(&p, 1, 0) == 1;
}

void connection::cork(bool on)
{
    set_option(fd(), IPPROTO_TCP, TCP_CORK, on ? 1 : 0);
}

void connection::publish(
    const std::string& exchange, const std::string& routing_key, const properties& p, std::string_view body)
{
    amqp_basic_properties_t out{};
    out._flags = AMQP_BASIC_DELIVERY_MODE_FLAG;
    out.delivery_mode = AMQP_DELIVERY_PERSISTENT;
    const auto set = [&](const std::string& value, amqp_flags_t flag_bit, amqp_bytes_t& member) {
        if (value.empty())
            return;
        out._flags |= flag_bit;
        member = bytes(value);
    };
    set(p.content_type, AMQP_BASIC_CONTENT_TYPE_FLAG, out.content_type);
    set(p.message_id, AMQP_BASIC_MESSAGE_ID_FLAG, out.message_id);
    set(p.type, AMQP_BASIC_TYPE_FLAG, out.type);
    set(p.correlation_id, AMQP_BASIC_CORRELATION_ID_FLAG, out.correlation_id);
    set(p.user_id, AMQP_BASIC_USER_ID_FLAG, out.user_id);
    if (p.timestamp != 0) {
        out._flags |= AMQP_BASIC_TIMESTAMP_FLAG;
        out.timestamp = static_cast<std::uint64_t>(p.timestamp);
    }
    std::vector<amqp_table_entry_t> headers;
    if (!p.headers.empty()) {
        headers.reserve(p.headers.size());
        for (const auto& [key, value] : p.headers)
            headers.push_back(entry(key, std::string_view(value)));
        out._flags |= AMQP_BASIC_HEADERS_FLAG;
        out.headers = table(headers);
    }
    check(amqp_basic_publish(state_, channel, bytes(exchange), bytes(routing_key), 1, 0, &out, bytes(body)),
        "publish");
}

void connection::ack(std::uint64_t tag, bool multiple)
{
    check(amqp_basic_ack(state_, channel, tag, multiple ? 1 : 0), "ack");
}

void connection::requeue(std::uint64_t tag, bool multiple)
{
    check(amqp_basic_nack(state_, channel, tag, multiple ? 1 : 0, 1), "hand back a message");
}

void connection::confirm_select()
{
    amqp_confirm_select(state_, channel);
    check_reply(amqp_get_rpc_reply(state_), "confirm");
}

void connection::set_prefetch(int count)
{
    amqp_basic_qos(state_, channel, 0, static_cast<std::uint16_t>(std::clamp(count, 1, 65'535)), 0);
    check_reply(amqp_get_rpc_reply(state_), "set the prefetch");
}

void connection::consume(const std::string& queue, const std::string& consumer_tag)
{
    amqp_basic_consume(state_, channel, bytes(queue), bytes(consumer_tag), 0, 0, 0, amqp_empty_table);
    check_reply(amqp_get_rpc_reply(state_), "consume");
}

void connection::cancel(const std::string& consumer_tag)
{
    amqp_basic_cancel(state_, channel, bytes(consumer_tag));
    check_reply(amqp_get_rpc_reply(state_), "cancel a consumer");
}

void connection::declare_queue(const std::string& name, const arguments& a)
{
    auto entries = entries_of(a);
    amqp_queue_declare(state_, channel, bytes(name), 0, 1, 0, 0, table(entries));
    check_reply(amqp_get_rpc_reply(state_), "declare a queue");
}

void connection::declare_exchange(const std::string& name, const std::string& type, const arguments& a)
{
    auto entries = entries_of(a);
    amqp_exchange_declare(state_, channel, bytes(name), bytes(type), 0, 1, 0, 0, table(entries));
    check_reply(amqp_get_rpc_reply(state_), "declare an exchange");
}

void connection::bind(const std::string& queue, const std::string& exchange, const std::string& routing_key)
{
    amqp_queue_bind(state_, channel, bytes(queue), bytes(exchange), bytes(routing_key), amqp_empty_table);
    check_reply(amqp_get_rpc_reply(state_), "bind a queue");
}

void connection::delete_queue(const std::string& name)
{
    amqp_queue_delete(state_, channel, bytes(name), 0, 0);
    check_reply(amqp_get_rpc_reply(state_), "delete a queue");
}

void connection::delete_exchange(const std::string& name)
{
    amqp_exchange_delete(state_, channel, bytes(name), 0);
    check_reply(amqp_get_rpc_reply(state_), "delete an exchange");
}

std::optional<message> connection::get(const std::string& queue)
{
    const auto reply = amqp_basic_get(state_, channel, bytes(queue), 0);
    check_reply(reply, "get a message");
    if (reply.reply.id != AMQP_BASIC_GET_OK_METHOD)
        return std::nullopt;
    const auto& m = *static_cast<const amqp_basic_get_ok_t*>(reply.reply.decoded);
    partial_ = content::got;
    partial_message_ = message{};
    partial_message_.exchange = text(m.exchange);
    partial_message_.routing_key = text(m.routing_key);
    partial_message_.tag = m.delivery_tag;
    partial_message_.redelivered = m.redelivered != 0;

    got_.reset();
    incoming nobody;
    const timeval patience = as_timeval(2 * heartbeat_);
    while (!got_) {
        amqp_frame_t frame;
        check(amqp_simple_wait_frame_noblock(state_, &frame, &patience), "read");
        take(frame, nobody);
    }
    return std::exchange(got_, std::nullopt);
}

std::optional<std::uint64_t> connection::ready(const std::string& queue)
{
    if (!second_channel_) {
        amqp_channel_open(state_, looking_channel);
        check_reply(amqp_get_rpc_reply(state_), "open a channel");
        second_channel_ = true;
    }
    const auto* const ok =
        amqp_queue_declare(state_, looking_channel, bytes(queue), 1, 0, 0, 0, amqp_empty_table);
    if (ok != nullptr)
        return ok->message_count;
    const auto reply = amqp_get_rpc_reply(state_);
    if (reply.reply_type == AMQP_RESPONSE_SERVER_EXCEPTION && reply.reply.id == AMQP_CHANNEL_CLOSE_METHOD &&
        static_cast<const amqp_channel_close_t*>(reply.reply.decoded)->reply_code == AMQP_NOT_FOUND)
    {
        amqp_channel_close_ok_t closed{};
        amqp_send_method(state_, looking_channel, AMQP_CHANNEL_CLOSE_OK_METHOD, &closed);
        second_channel_ = false;
        return std::nullopt;
    }
    check_reply(reply, "look at a queue");
    return std::nullopt;
}

std::unique_ptr<connection> connect_to_any(const settings& s, const std::string& role)
{
    std::string why = "AMQP_URL names no address";
    for (const auto& address : s.addresses) {
        try {
            return std::make_unique<connection>(address, s, role);
        }
        catch (const connection_lost& e) {
            why = e.what();
        }
    }
    throw base::dependency_down(why);
}

wake_up::wake_up() : fd_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC))
{
    if (fd_ < 0)
        throw std::system_error(errno, std::generic_category(), "eventfd");
}

wake_up::~wake_up()
{
    ::close(fd_);
}

void wake_up::ring() noexcept
{
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = ::write(fd_, &one, sizeof one); // full: it rings already
}

void wake_up::clear() noexcept
{
    std::uint64_t count = 0;
    [[maybe_unused]] const auto got = ::read(fd_, &count, sizeof count);
}

void wait_for_work(int socket, bool for_writing, wake_up& wake, std::chrono::milliseconds longest)
{
    pollfd watched[2] = {
        {wake.fd(), POLLIN, 0}, {socket, static_cast<short>(POLLIN | (for_writing ? POLLOUT : 0)), 0}};
    const nfds_t count = socket < 0 ? 1 : 2;
    const auto patience = static_cast<int>(std::clamp<std::int64_t>(longest.count(), 0, 3'600'000));
    if (::poll(watched, count, patience) > 0 && (watched[0].revents & POLLIN) != 0)
        wake.clear();
}

} // namespace coursegate::amqp
