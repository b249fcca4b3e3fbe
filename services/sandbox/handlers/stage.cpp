#include "handlers/stage.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <nlohmann/json.hpp>
#include <zlib.h>

#include <algorithm>
#include <set>
#include <stdexcept>

namespace coursegate::sandbox {

namespace asio = boost::asio;

namespace {

constexpr int default_timeout_ms = 15'000; // beyond the deadline of 10 s that callers have

http::response json_text(int status, std::string body)
{
    return http::response::text(status, std::move(body), "application/json");
}

http::response failed_200(const std::string& message)
{
    nlohmann::ordered_json body{{"Status", "Failed"}};
    if (!message.empty())
        body["Message"] = message;
    return json_text(200, body.dump());
}

http::response proxy_page(int status, const std::string& title)
{
    return http::response::text(status,
        "<html>\r\n<head><title>" + title + "</title></head>\r\n<body>\r\n<center><h1>" + title +
            "</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n",
        "text/html");
}

http::response cut(http::abort_kind how)
{
    http::response out;
    out.abort = how;
    return out;
}

// What each service says with an HTTP status of its own.
http::response refusal(target t, int status, int retry_after)
{
    if (t == target::boomstream) {
        const std::string message = status == 401 || status == 403 ? "Unauthorized"
                                    : status == 404                ? "Method not found"
                                    : status == 429                ? "Too many requests"
                                                                   : "Internal error";
        auto out = json_text(status, R"({"Status":"Failed","Message":")" + message + "\"}");
        if (status == 429)
            out.headers.set("Retry-After", std::to_string(retry_after));
        return out;
    }
    switch (status) {
    case 401: {
        auto out = json_text(401, R"({"detail":"Authentication credentials were not provided."})");
        out.headers.set("WWW-Authenticate", "Bearer realm=\"api\"");
        return out;
    }
    case 403:
        return json_text(403, R"({"detail":"You do not have permission to perform this action."})");
    case 404:
        return json_text(404, R"({"detail":"Not found."})");
    case 429: {
        auto out = json_text(429, R"({"detail":"Request was throttled. Expected available in )" +
                                      std::to_string(retry_after) + R"( seconds."})");
        out.headers.set("Retry-After", std::to_string(retry_after));
        return out;
    }
    default:
        return proxy_page(500, "500 Internal Server Error");
    }
}

} // namespace

struct stage::impl : std::enable_shared_from_this<stage::impl>
{
    explicit impl(world& w) : the_world(w) {}

    // A timer that stop() can end, for as long as somebody waits on it.
    struct wait
    {
        wait(impl& o, const asio::any_io_executor& ex, std::chrono::milliseconds d) : owner(o), timer(ex, d)
        {
            owner.waiting.insert(&timer);
        }
        ~wait() { owner.waiting.erase(&timer); }
        wait(const wait&) = delete;

        impl& owner;
        asio::steady_timer timer;
    };

    // The body goes out bit by bit.
    void slow_down(http::response& r, const asio::any_io_executor& ex, std::size_t bytes_per_second)
    {
        constexpr std::chrono::milliseconds beat{50};
        const std::size_t piece = std::max<std::size_t>(1, bytes_per_second / 20);
        auto body = std::make_shared<const std::string>(std::move(r.body));
        r.body.clear();
        r.stream = [self = shared_from_this(), ex, body, piece](
                       http::stream_writer& out) -> async::task<void> {
            for (std::size_t at = 0; at < body->size(); at += piece) {
                const bool is_read = co_await out.write(std::string_view(*body).substr(at, piece));
                if (!is_read || self->stopping)
                    co_return;
                wait waiting(*self, ex, beat);
                const auto [ec] = co_await waiting.timer.async_wait(asio::as_tuple(asio::use_awaitable));
                static_cast<void>(ec); // ended by stop(): the next look sees it
            }
        };
    }

    world& the_world;
    std::set<asio::steady_timer*> waiting;
    bool stopping = false;
};

stage::stage(world& w) : impl_(std::make_shared<impl>(w)) {}
stage::~stage() = default;

async::task<void> stage::start()
{
    impl_->stopping = false;
    co_return;
}

async::task<void> stage::stop()
{
    impl_->stopping = true;
    for (auto* timer : impl_->waiting)
        timer->cancel();
    co_return;
}

async::task<http::response> stage::play(target t, http::request& r, answer a)
{
    const auto self = impl_; // the server may end calls after we are gone
    auto& w = self->the_world;
    const auto arrived = std::chrono::steady_clock::now();
    const auto executor = co_await asio::this_coro::executor;

    call entry;
    entry.target = t;
    entry.method = r.method;
    entry.path = path_pattern(r.path);
    entry.at = w.now();
    const auto limit = t == target::stepik ? w.settings.stepik_per_second : w.settings.boomstream_per_second;
    const bool within_limit = w.calls.begin(t, entry.at, limit);

    fault_plan::decision
        decided; // of a call above the limit: none, so that a counted fault waits for the next
    if (within_limit)
        decided = w.faults.decide(t, r.path);
    auto& fault = decided.fault;
    const bool answers = !fault || fault->effect.value_or(done_before(fault->kind));
    const auto pause = std::chrono::milliseconds(w.settings.latency_ms + decided.latency_ms);
    bool stopped = self->stopping;
    if (pause.count() > 0 && !stopped) {
        impl::wait waiting(*self, executor, pause);
        const auto [ec] = co_await waiting.timer.async_wait(asio::as_tuple(asio::use_awaitable));
        stopped = static_cast<bool>(ec);
    }

    http::response out;
    answering about;
    if (stopped) {
        out = cut(http::abort_kind::before_head);
    }
    else if (!within_limit) {
        entry.fault = "limit";
        out = refusal(t, 429, 1);
    }
    else if (answers) {
        out = a(about);
    }

    if (fault && !stopped) {
        entry.fault = to_string(fault->kind);
        switch (fault->kind) {
        case fault_kind::latency:
            break; // decide() adds latency up apart
        case fault_kind::status_401:
            out = refusal(t, 401, 0);
            break;
        case fault_kind::status_403:
            out = refusal(t, 403, 0);
            break;
        case fault_kind::status_404:
            out = refusal(t, 404, 0);
            break;
        case fault_kind::status_429:
            out = refusal(t, 429, fault->retry_after);
            break;
        case fault_kind::status_500:
            out = refusal(t, 500, 0);
            break;
        case fault_kind::bad_gateway_html:
            out = proxy_page(502, "502 Bad Gateway");
            break;
        case fault_kind::timeout_before:
        case fault_kind::timeout_after: {
            const auto silence = std::chrono::milliseconds(fault->millis.value_or(default_timeout_ms));
            impl::wait waiting(*self, executor, silence);
            const auto [ec] = co_await waiting.timer.async_wait(asio::as_tuple(asio::use_awaitable));
            static_cast<void>(ec); // ended by stop() or not: there is no answer either way
            out = cut(http::abort_kind::before_head);
            break;
        }
        case fault_kind::drop:
        case fault_kind::drop_after:
            out = cut(http::abort_kind::before_head);
            break;
        case fault_kind::truncated:
            out.abort = http::abort_kind::truncated;
            break;
        case fault_kind::failed_200:
            about.failed = true;
            out = failed_200(fault->message.value_or("Temporary error"));
            break;
        case fault_kind::empty_body:
            out = json_text(200, "");
            break;
        }
    }
    else if (!stopped) {
        entry.detail = about.detail;
        if (about.grades != nullptr && !about.served.empty())
            about.grades->mark_served(about.served, w.now());
    }
    if (fault && !about.detail.empty())
        entry.detail = about.detail;

    entry.failed = about.failed;
    entry.status = out.abort == http::abort_kind::before_head ? 0 : out.status;
    entry.micros =
        std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - arrived)
            .count();
    w.calls.end(std::move(entry));
    if (w.settings.bytes_per_second > 0 && out.abort == http::abort_kind::none && !out.body.empty())
        self->slow_down(out, executor, static_cast<std::size_t>(w.settings.bytes_per_second));
    co_return out;
}

void compress(http::response& r, const http::request& to, bool enabled)
{
    if (!enabled || to.headers.get("Accept-Encoding").value_or("").find("gzip") == std::string::npos)
        return;
    z_stream z{};
    constexpr int gzip_window = 15 + 16;
    if (deflateInit2(&z, 1, Z_DEFLATED, gzip_window, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        throw std::runtime_error("deflateInit2 failed");
    std::string packed(deflateBound(&z, static_cast<uLong>(r.body.size())), '\0');
    z.next_in = reinterpret_cast<Bytef*>(r.body.data());
    z.avail_in = static_cast<uInt>(r.body.size());
    z.next_out = reinterpret_cast<Bytef*>(packed.data());
    z.avail_out = static_cast<uInt>(packed.size());
    const int done = deflate(&z, Z_FINISH);
    packed.resize(z.total_out);
    deflateEnd(&z);
    if (done != Z_STREAM_END)
        throw std::runtime_error("deflate failed");
    r.body = std::move(packed);
    r.headers.set("Content-Encoding", "gzip");
    r.headers.set("Vary", "Accept-Encoding");
}

} // namespace coursegate::sandbox
