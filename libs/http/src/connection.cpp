#include "connection.hpp"

#include "parser.hpp"
#include "text.hpp"
#include "write.hpp"

#include "coursegate/base/error.hpp"
#include "coursegate/base/trace.hpp"
#include "coursegate/base/uuid.hpp"
#include "coursegate/log/log.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/beast/http/error.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace coursegate::http {

namespace asio = boost::asio;
namespace beast_http = boost::beast::http;
using boost::system::error_code;
using std::chrono::steady_clock;

namespace {

// What a last look at a peer costs that goes on sending after its last answer: closing a socket with unread
// bytes makes the kernel send a reset, which would take the answer away from the peer before he has read it.
constexpr std::chrono::milliseconds linger_time{1'000};
constexpr std::size_t linger_bytes = 256 * 1024;

// How long a stream may take to come back once its reader is gone, before it is cancelled.
constexpr std::chrono::milliseconds stream_notice{1'000};

class request_parser final : public message_parser<true>
{
public:
    explicit request_parser(request& r) : message_parser(r.headers), request_(r) {}

    int version = 11;
    std::size_t hosts = 0;
    std::string transfer_encoding;
    std::string expect;

private:
    void start_line(
        std::string_view method, std::string_view target, int version_sent, int, error_code&) override
    {
        request_.method = method;
        request_.target = target;
        version = version_sent;
    }
    void field(std::string_view name, std::string_view value, error_code&) override
    {
        if (equal_without_case(name, "Host"))
            ++hosts;
        else if (equal_without_case(name, "Transfer-Encoding"))
            transfer_encoding += (transfer_encoding.empty() ? "" : ", ") + std::string(value);
        else if (equal_without_case(name, "Expect"))
            expect = value;
    }
    void body_bytes(std::string_view bytes, error_code&) override { request_.body += bytes; }

    request& request_;
};

bool is_request_id(std::string_view text)
{
    return !text.empty() && text.size() <= 64 && std::all_of(text.begin(), text.end(), [](unsigned char c) {
        return c < 128 && (std::isalnum(c) || c == '-' || c == '_' || c == '.');
    });
}

bool has_no_body(int status)
{
    return status == 204 || status == 304;
}

} // namespace

// One request and what becomes of it. Shared with the handler's coroutine, which may outlive our interest in
// it.
struct connection::exchange
{
    explicit exchange(const async::executor& ex) : done(ex) {}

    http::request request;
    std::optional<request_parser> parser;
    router::match where;
    steady_clock::time_point began = steady_clock::now();
    bool keep_alive = false;
    std::optional<response> refusal; // ours, without asking a handler

    response reply;
    std::exception_ptr failure;
    bool finished = false;
    bool overdue = false;
    asio::cancellation_signal cancel;
    bell done;
};

class connection::stream final : public stream_writer
{
public:
    stream(connection& c, bool is_chunked) : connection_(c), is_chunked_(is_chunked) {}

    bool is_open() const override { return open_; }

    async::task<bool> write(std::string_view bytes) override
    {
        if (!open_)
            co_return false;
        if (bytes.empty()) // as a chunk it would mean the end
            co_return true;
        const auto size_line = is_chunked_ ? fmt::format("{:x}\r\n", bytes.size()) : std::string{};
        const pieces what = {piece(size_line), piece(bytes), piece(is_chunked_ ? "\r\n" : "")};
        auto& c = connection_;
        c.phase_ = phase::writing;
        c.watchdog_->set(c.core_->settings.write_deadline);
        const auto ec = co_await write_all(c.socket_, what, sent_);
        c.phase_ = phase::handling;
        if (open_)
            c.watchdog_->rest();
        if (ec) {
            broken_ = true;
            shut();
        }
        co_return open_;
    }

    // Tells the stream's coroutine; when it doesn't come back in time it is cancelled.
    void shut()
    {
        if (!open_)
            return;
        open_ = false;
        connection_.watchdog_->set(stream_notice);
    }
    void peer_is_gone()
    {
        broken_ = true;
        shut();
    }

    bool is_broken() const { return broken_; }
    std::size_t sent() const { return sent_; }

private:
    connection& connection_;
    bool is_chunked_;
    bool open_ = true;
    bool broken_ = false;
    std::size_t sent_ = 0;
};

connection::connection(std::shared_ptr<server_core> core, asio::ip::tcp::socket socket)
    : core_(std::move(core)), socket_(std::move(socket)),
      // Bounded: neither a header nor a chunk trailer (which Beast 1.81 doesn't limit) can grow beyond it.
      buffer_(core_->settings.header_limit + 8 * 1024)
{
    error_code ignored;
    const auto endpoint = socket_.remote_endpoint(ignored);
    peer_ = endpoint.address().to_string();
}

void connection::begin()
{
    watchdog_ = std::make_shared<watchdog>(core_->executor, [self = weak_from_this()] {
        if (const auto c = self.lock())
            c->bark();
    });
    core_->began();
}

void connection::end()
{
    watchdog_->close();
    error_code ignored;
    socket_.close(ignored);
    core_->connections.erase(this);
    core_->ended();
}

void connection::bark()
{
    error_code ignored;
    timed_out_ = true;
    if (stream_ && !stream_->is_open()) {
        socket_.close(ignored); // a write that hangs
        current_->cancel.emit(asio::cancellation_type::terminal);
    }
    else if (stream_) {
        stream_->peer_is_gone(); // doesn't read what we write
        socket_.close(ignored);
    }
    else if (phase_ == phase::handling) {
        current_->overdue = true;
        current_->done.ring();
    }
    else
        socket_.cancel(ignored); // the pending read or write comes back with operation_aborted
}

void connection::finish_up()
{
    last_ = true;
    error_code ignored;
    if (phase_ == phase::idle &&
        socket_.available(ignored) == 0) // what has arrived unread is still a request
        socket_.cancel(ignored);
    else if (stream_)
        stream_->shut();
}

void connection::abort()
{
    last_ = true;
    error_code ignored;
    if (stream_)
        stream_->peer_is_gone();
    socket_.close(ignored);
    if (current_ && !current_->finished) {
        current_->cancel.emit(asio::cancellation_type::terminal);
        if (!stream_) {
            current_->overdue = true;
            current_->done.ring();
        }
    }
}

async::task<void> connection::serve()
{
    while (!last_) {
        const auto x = std::make_shared<exchange>(core_->executor);
        const bool has_request = co_await read(*x);
        if (!has_request)
            break;
        if (!x->refusal)
            co_await handle(x);
        bool kept = false;
        if (x->refusal && x->parser->is_done() && core_->settings.word_refusal)
            core_->settings.word_refusal(x->request, *x->refusal);
        if (x->refusal)
            kept = co_await answer(*x, *x->refusal);
        else if (x->reply.stream && x->request.method != "HEAD" && !has_no_body(x->reply.status))
            co_await answer_stream(x);
        else
            kept = co_await answer(*x, x->reply);
        if (!kept) {
            co_await linger(x->parser->is_done());
            break;
        }
    }
}

async::task<bool> connection::read(exchange& x)
{
    const auto& limits = core_->settings;
    auto& parser = x.parser.emplace(x.request);
    parser.header_limit(static_cast<std::uint32_t>(limits.header_limit));
    parser.body_limit(limits.body_limit);

    // What a request may cost on the wire: chunk heads and extensions count too.
    const std::size_t most = limits.header_limit + 2 * limits.body_limit + 64 * 1024;
    std::size_t total = 0;
    bool head_seen = false;

    const auto refuse = [&x](int status, std::string slug, std::string message) {
        x.keep_alive = false;
        x.refusal = response::error(status, std::move(slug), std::move(message));
        if (x.request.request_id.empty())
            x.request.request_id = base::to_string(base::new_uuid());
    };

    phase_ = phase::idle;
    timed_out_ = false;
    watchdog_->set(first_ ? limits.read_deadline : limits.idle_deadline);
    first_ = false;

    for (;;) {
        if (phase_ == phase::idle) {
            // Old clients send an empty line after a body.
            while (buffer_.size() > 0 && (*static_cast<const char*>(buffer_.data().data()) == '\r' ||
                                             *static_cast<const char*>(buffer_.data().data()) == '\n'))
                buffer_.consume(1);
            if (buffer_.size() > 0) {
                phase_ = phase::reading;
                x.began = steady_clock::now();
                watchdog_->set(limits.read_deadline);
            }
        }
        bool need_more = true;
        if (buffer_.size() > 0) {
            error_code ec;
            const auto used = parser.put(buffer_.data(), ec);
            buffer_.consume(used);
            total += used;
            need_more = ec == beast_http::error::need_more || buffer_.size() == 0;
            if (ec == beast_http::error::need_more)
                ec = {};
            if (ec == beast_http::error::header_limit) {
                refuse(431, "header_too_large", "The header of this request is too large.");
                co_return true;
            }
            if (ec == beast_http::error::body_limit || total > most) {
                refuse(413, "body_too_large", "The body of this request is too large.");
                co_return true;
            }
            if (ec) {
                refuse(400, "malformed_request", "This is not a well-formed HTTP request.");
                co_return true;
            }
            if (!head_seen && parser.is_header_done()) {
                head_seen = true;
                if (total > limits.header_limit) {
                    refuse(431, "header_too_large", "The header of this request is too large.");
                    co_return true;
                }
                if (!examine_head(x, parser.is_done()))
                    co_return true;
                if (!parser.is_done() && buffer_.size() == 0 && parser.version == 11 &&
                    equal_without_case(parser.expect, "100-continue"))
                {
                    std::size_t written = 0;
                    const pieces what = {piece("HTTP/1.1 100 Continue\r\n\r\n"), {}, {}};
                    if (const auto failed = co_await write_all(socket_, what, written); failed)
                        co_return false;
                }
            }
            if (parser.is_done())
                break;
        }
        if (!need_more)
            continue;

        const auto room = buffer_.max_size() - buffer_.size();
        if (room == 0) {
            if (head_seen)
                refuse(400, "malformed_request", "A chunk head or trailer of this request is too long.");
            else
                refuse(431, "header_too_large", "The header of this request is too large.");
            co_return true;
        }
        const auto space = buffer_.prepare(std::min<std::size_t>(room, head_seen ? 16 * 1024 : 4 * 1024));
        error_code ec;
        const auto count =
            co_await socket_.async_read_some(space, asio::redirect_error(asio::use_awaitable, ec));
        buffer_.commit(count);
        if (timed_out_ && phase_ == phase::reading) {
            refuse(408, "request_timeout", "The request took too long to arrive.");
            co_return true;
        }
        if (ec || (last_ && phase_ == phase::idle && buffer_.size() == 0))
            co_return false;
    }

    x.keep_alive = parser.keep_alive();
    co_return true;
}

bool connection::split_target(exchange& x)
{
    auto& r = x.request;
    std::string_view target = r.target;
    // The absolute form is what a client sends that takes us for a proxy; servers must understand it (RFC
    // 9112 3.2.2).
    for (const std::string_view scheme : {"http://", "https://"})
        if (target.size() > scheme.size() && equal_without_case(target.substr(0, scheme.size()), scheme)) {
            const auto slash = target.find_first_of("/?", scheme.size());
            target = slash == std::string_view::npos ? "/" : target.substr(slash);
        }
    const auto question = target.find('?');
    const auto path = target.substr(0, question);
    if (path.empty() || path.front() != '/' || target.find('#') != std::string_view::npos)
        return false;
    auto decoded = percent_decode(path);
    if (!decoded)
        return false;
    r.path = std::move(*decoded);
    if (question != std::string_view::npos)
        r.query = query::parse(target.substr(question + 1));
    x.where = core_->router.find(r.method, path);
    r.path_parameters = std::move(x.where.parameters);
    return true;
}

bool connection::examine_head(exchange& x, bool is_complete)
{
    auto& r = x.request;
    const auto& parser = *x.parser;

    r.remote_address = peer_address(r.headers);
    const auto id = r.headers.get("X-Request-Id");
    r.request_id = id && is_request_id(*id) ? *id : base::to_string(base::new_uuid());
    r.traceparent = r.headers.get("traceparent").value_or("");
    if (base::trace_id_of(r.traceparent).empty())
        r.traceparent = base::new_traceparent();
    r.log =
        log::logger().with({{"request_id", r.request_id}, {"trace_id", base::trace_id_of(r.traceparent)}});

    // Unless we know where the request ends, and that it has, the connection ends with the refusal: what
    // follows on it may be no request.
    const auto refuse = [&](response with) {
        x.keep_alive = is_complete && with.status != 400 && with.status != 501 && parser.keep_alive();
        x.refusal = std::move(with);
        return false;
    };
    if (parser.version == 11 ? parser.hosts != 1 : parser.hosts > 1)
        return refuse(response::error(400, "malformed_request", "Exactly one Host header is needed."));
    if (!parser.transfer_encoding.empty()) {
        // One way to find the end of a message, or none: what we take for the end, a proxy in front must take
        // too.
        if (parser.version != 11)
            return refuse(response::error(400, "malformed_request", "Transfer-Encoding needs HTTP/1.1."));
        if (!equal_without_case(trimmed(parser.transfer_encoding), "chunked")) {
            auto no =
                response::error(501, "unknown_coding", "Only the transfer coding \"chunked\" is understood.");
            return refuse(std::move(no));
        }
    }
    if (!split_target(x))
        return refuse(
            response::error(400, "malformed_target", "The target of this request is not well-formed."));
    if (!x.where.found && x.where.allow.empty())
        return refuse(response::error(404, "not_found", "There is nothing here."));
    if (!x.where.found) {
        auto no =
            response::error(405, "method_not_allowed", "This can't be done here with " + r.method + ".");
        no.headers.set("Allow", x.where.allow);
        return refuse(std::move(no));
    }
    if (!parser.expect.empty() && !equal_without_case(parser.expect, "100-continue"))
        return refuse(response::error(417, "unknown_expectation", "Only 100-continue can be expected."));
    return true;
}

bool connection::is_trusted(std::string_view address) const
{
    const auto& trusted = core_->settings.trusted_proxies;
    return std::find(trusted.begin(), trusted.end(), address) != trusted.end();
}

// As the proxy says that ends TLS for us; nobody else's word counts.
bool connection::came_by_tls(const http::headers& h) const
{
    return equal_without_case(h.get("X-Forwarded-Proto").value_or(""), "https") && is_trusted(peer_);
}

std::string connection::peer_address(const http::headers& h) const
{
    if (!is_trusted(peer_))
        return peer_;
    // Each proxy appends the address it saw: the last one that isn't a proxy of ours is the caller.
    std::string all;
    for (const auto& [name, value] : h.all())
        if (equal_without_case(name, "X-Forwarded-For"))
            all += (all.empty() ? "" : ",") + value;
    std::string_view rest = all;
    while (!rest.empty()) {
        const auto comma = rest.rfind(',');
        const auto last = trimmed(comma == std::string_view::npos ? rest : rest.substr(comma + 1));
        error_code ec;
        asio::ip::make_address(std::string(last), ec);
        if (ec)
            break;
        if (!is_trusted(last))
            return std::string(last);
        rest = comma == std::string_view::npos ? std::string_view{} : rest.substr(0, comma);
    }
    return peer_;
}

template <class Body>
void connection::start(std::shared_ptr<exchange> x, Body body)
{
    core_->began();
    x->finished = false;
    asio::co_spawn(core_->executor, std::move(body),
        asio::bind_cancellation_slot(x->cancel.slot(), [x, core = core_](std::exception_ptr failure) {
            x->failure = failure;
            x->finished = true;
            x->done.ring();
            core->ended();
        }));
}

namespace {

async::task<void> ask(const route& r, request& q, response& out)
{
    auto answer = co_await r.handler(q);
    out = std::move(answer);
}

} // namespace

async::task<void> connection::handle(std::shared_ptr<exchange> x)
{
    phase_ = phase::handling;
    current_ = x;
    watchdog_->set(core_->settings.handler_deadline);
    auto body = [x] { return ask(*x->where.found, x->request, x->reply); };
    start(x, std::move(body));
    while (!x->finished && !x->overdue)
        co_await x->done.wait();
    watchdog_->rest();
    current_ = nullptr;

    const auto& log = x->request.log;
    if (!x->finished) {
        // It goes on (or unwinds) by itself on its own copy of the request; its late answer is nobody's.
        x->cancel.emit(asio::cancellation_type::terminal);
        log.error("handler overran its deadline",
            {{"method", x->request.method}, {"route", x->where.found->pattern}});
        x->keep_alive = false;
        x->refusal = response::error(503, "too_slow", "This takes too long at the moment. Please try again.");
        x->refusal->headers.set("Retry-After", "2");
        co_return;
    }
    if (!x->failure) {
        if (x->reply.status >= 200 && x->reply.status <= 599)
            co_return;
        log.error("handler answered with a status that is none",
            {{"route", x->where.found->pattern}, {"status", x->reply.status}});
    }
    else
        try {
            std::rethrow_exception(x->failure);
        }
        catch (const base::dependency_down& e) {
            log.warning("dependency down",
                {{"method", x->request.method}, {"route", x->where.found->pattern}, {"detail", e.what()}});
            x->refusal =
                response::error(503, "unavailable", "This is not available at the moment. Please try again.");
            x->refusal->headers.set("Retry-After", "2");
            co_return;
        }
        catch (const std::exception& e) {
            log.error("handler failed",
                {{"method", x->request.method}, {"route", x->where.found->pattern}, {"detail", e.what()}});
        }
        catch (...) {
            log.error("handler failed", {{"method", x->request.method}, {"route", x->where.found->pattern},
                                            {"detail", "not an exception"}});
        }
    x->refusal = response::error(500, "internal_error", "Something went wrong on our side.");
}

std::string connection::head(const exchange& x, const response& r, bool is_stream) const
{
    std::string out;
    out.reserve(640);
    out += "HTTP/1.1 ";
    const auto status = static_cast<unsigned>(r.status);
    out += static_cast<char>('0' + status / 100);
    out += static_cast<char>('0' + status / 10 % 10);
    out += static_cast<char>('0' + status % 10);
    out += ' ';
    out += reason_phrase(r.status);
    out += "\r\n";
    out += core_->date();
    bool custom_security = false;
    for (const auto& [name, value] : r.headers.all()) {
        // How the message is framed is ours to say.
        if (equal_without_case(name, "Content-Length") || equal_without_case(name, "Transfer-Encoding") ||
            equal_without_case(name, "Connection") || equal_without_case(name, "Date") ||
            equal_without_case(name, "X-Request-Id"))
            continue;
        custom_security = custom_security || equal_without_case(name, "Referrer-Policy") ||
                          equal_without_case(name, "Content-Security-Policy") ||
                          equal_without_case(name, "X-Content-Type-Options");
        out += name;
        out += ": ";
        out += value;
        out += "\r\n";
    }
    if (core_->settings.security_headers) {
        if (!custom_security)
            out += core_->security_lines;
        else
            for (std::string_view rest = core_->security_lines; !rest.empty();) {
                const auto line = rest.substr(0, rest.find('\n') + 1);
                rest.remove_prefix(line.size());
                if (!r.headers.has(line.substr(0, line.find(':'))))
                    out += line;
            }
    }
    if (core_->settings.security_headers && came_by_tls(x.request.headers))
        out += "Strict-Transport-Security: max-age=31536000\r\n";
    out += "X-Request-Id: ";
    out += x.request.request_id;
    out += "\r\n";
    if (is_stream) {
        if (x.parser->version == 11)
            out += "Transfer-Encoding: chunked\r\n";
        out += "Connection: close\r\n";
    }
    else {
        if (!has_no_body(r.status) && !r.stream)
            fmt::format_to(std::back_inserter(out), "Content-Length: {}\r\n", r.body.size());
        if (!x.keep_alive)
            out += "Connection: close\r\n";
        else if (x.parser->version != 11)
            out += "Connection: keep-alive\r\n";
    }
    out += "\r\n";
    return out;
}

void connection::record(const exchange& x, int status, std::size_t bytes)
{
    const auto took = std::chrono::duration<double>(steady_clock::now() - x.began);
    core_->observe(x.request.method, x.where, status, took);
    if (!core_->settings.access_log || !log::enabled(log::level::info))
        return;
    // Without the query, which may hold an e-mail address or a name.
    const auto ms = std::round(took.count() * 1e5) / 100;
    if (x.request.path.empty())
        log::info("request",
            {{"request_id", x.request.request_id}, {"status", status}, {"ms", ms}, {"bytes", bytes}});
    else {
        const bool is_secret = x.where.found && x.where.found->pattern.find("{secret_") != std::string::npos;
        x.request.log.info("request",
            {{"method", x.request.method}, {"path", is_secret ? x.where.found->pattern : x.request.path},
                {"status", status}, {"ms", ms}, {"bytes", bytes}});
    }
}

async::task<bool> connection::answer(exchange& x, response& r)
{
    error_code ignored;
    if (last_ || r.abort != abort_kind::none)
        x.keep_alive = false;
    if (r.abort == abort_kind::before_head) {
        record(x, r.status, 0);
        socket_.close(ignored);
        co_return false;
    }
    phase_ = phase::writing;
    timed_out_ = false;
    watchdog_->set(core_->settings.write_deadline);
    const bool bodiless = x.request.method == "HEAD" || has_no_body(r.status);
    const auto top = head(x, r, false); // counts the whole body, also where only half of it follows
    std::string_view body = bodiless ? std::string_view{} : std::string_view(r.body);
    if (r.abort == abort_kind::truncated)
        body = body.substr(0, body.size() / 2);
    const pieces what = {piece(top), piece(body), {}};
    std::size_t written = 0;
    const auto ec = co_await write_all(socket_, what, written);
    record(x, r.status, written > top.size() ? written - top.size() : 0);
    if (ec || r.abort == abort_kind::truncated)
        socket_.close(ignored);
    co_return !ec && x.keep_alive;
}

async::task<void> connection::answer_stream(std::shared_ptr<exchange> x)
{
    phase_ = phase::writing;
    timed_out_ = false;
    watchdog_->set(core_->settings.write_deadline);
    const auto top = head(*x, x->reply, true);
    const pieces what = {piece(top), {}, {}};
    std::size_t written = 0;
    const auto head_failed = co_await write_all(socket_, what, written);
    if (head_failed) {
        record(*x, x->reply.status, 0);
        co_return;
    }

    // Thousands of streams may stay open: what they don't need goes. The connection ends with the stream, so
    // nothing that was sent after the request counts.
    buffer_.clear();
    buffer_.shrink_to_fit();
    phase_ = phase::handling;
    watchdog_->rest();
    const bool is_chunked = x->parser->version == 11;
    const auto writer = std::make_shared<stream>(*this, is_chunked);
    stream_ = writer;
    current_ = x;
    if (last_) // the server began to stop while the handler ran
        stream_->shut();
    watch_peer();
    auto body = [x, writer] { return x->reply.stream(*writer); };
    start(x, std::move(body));
    while (!x->finished)
        co_await x->done.wait();
    stream_ = nullptr;
    current_ = nullptr;

    bool failed = false;
    if (x->failure)
        try {
            std::rethrow_exception(x->failure);
        }
        catch (const std::exception& e) {
            // After its reader is gone a stream usually ends by being cancelled.
            failed = writer->is_open();
            if (failed)
                x->request.log.error(
                    "stream failed", {{"route", x->where.found->pattern}, {"detail", e.what()}});
        }
    error_code ignored;
    if (failed || writer->is_broken())
        socket_.close(ignored); // without the last chunk: the reader can see that it isn't whole
    else if (is_chunked) {
        phase_ = phase::writing;
        watchdog_->set(core_->settings.write_deadline);
        const pieces ending = {piece("0\r\n\r\n"), {}, {}};
        const auto ending_failed = co_await write_all(socket_, ending, written);
        if (ending_failed)
            socket_.close(ignored);
    }
    socket_.cancel(ignored); // the look-out for the peer's end
    record(*x, x->reply.status, writer->sent());
}

// A reader that goes away while the stream has nothing to write shows only in a read.
void connection::watch_peer()
{
    socket_.async_read_some(
        asio::buffer(discarded_), [self = shared_from_this(), s = stream_](error_code ec, std::size_t count) {
            if (ec == asio::error::operation_aborted || self->stream_ != s)
                return;
            // Whatever it sends is not ours to answer, as the connection ends with the stream; but there is
            // an end to it.
            self->discarded_total_ += count;
            if (!ec && self->discarded_total_ < linger_bytes)
                return self->watch_peer();
            error_code ignored;
            s->peer_is_gone();
            self->socket_.close(ignored); // ends a write that is waiting
        });
}

async::task<void> connection::linger(bool is_request_whole)
{
    error_code ec;
    if (!socket_.is_open() || (is_request_whole && buffer_.size() == 0 && socket_.available(ec) == 0))
        co_return;
    phase_ = phase::lingering;
    socket_.shutdown(asio::ip::tcp::socket::shutdown_send, ec);
    watchdog_->set(linger_time);
    timed_out_ = false;
    std::size_t total = 0;
    while (!ec && !timed_out_ && total < linger_bytes)
        total += co_await socket_.async_read_some(
            asio::buffer(discarded_), asio::redirect_error(asio::use_awaitable, ec));
}

async::task<void> connection::refuse()
{
    const std::string_view body =
        R"({"error":"too_many_connections","message":"The server is full. Please try again."})";
    const auto top =
        fmt::format("HTTP/1.1 503 Service Unavailable\r\n{}Content-Type: application/json; charset=utf-8\r\n"
                    "Retry-After: 2\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            core_->date(), body.size());
    phase_ = phase::writing;
    watchdog_->set(linger_time);
    const pieces what = {piece(top), piece(body), {}};
    std::size_t written = 0;
    const auto ec = co_await write_all(socket_, what, written);
    if (!ec)
        co_await linger(false);
}

} // namespace coursegate::http
