#include "coursegate/http/client.hpp"

#include "host.hpp"
#include "roundtrip.hpp"
#include "text.hpp"
#include "watchdog.hpp"

#include "coursegate/base/backoff.hpp"
#include "coursegate/base/clock.hpp"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <charconv>
#include <stdexcept>
#include <unordered_map>

namespace coursegate::http {

namespace asio = boost::asio;
using boost::system::error_code;
using tcp = asio::ip::tcp;
using std::chrono::steady_clock;
using time_point = steady_clock::time_point;

namespace {

class category final : public std::error_category
{
public:
    const char* name() const noexcept override { return "http"; }
    std::string message(int code) const override
    {
        switch (static_cast<errc>(code)) {
        case errc::bad_url:
            return "bad address";
        case errc::not_sent:
            return "not sent";
        case errc::unknown_outcome:
            return "unknown outcome";
        case errc::deadline:
            return "deadline passed before it was sent";
        case errc::circuit_open:
            return "circuit open";
        case errc::too_large:
            return "answer too large";
        case errc::bad_answer:
            return "bad answer";
        }
        return "unknown http error";
    }
};

std::string_view slug(errc e)
{
    switch (e) {
    case errc::bad_url:
        return "bad_url";
    case errc::not_sent:
        return "not_sent";
    case errc::unknown_outcome:
        return "unknown_outcome";
    case errc::deadline:
        return "deadline";
    case errc::circuit_open:
        return "circuit_open";
    case errc::too_large:
        return "too_large";
    case errc::bad_answer:
        return "bad_answer";
    }
    return "other";
}

std::string_view status_class(int status)
{
    if (status == 429)
        return "429";
    switch (status / 100) {
    case 2:
        return "2xx";
    case 3:
        return "3xx";
    case 4:
        return "4xx";
    case 5:
        return "5xx";
    default:
        return "other";
    }
}

// Answers that say "later", or that a proxy gave in place of the server.
bool is_worth_repeating(int status)
{
    return status == 408 || status == 429 || status == 500 || status == 502 || status == 503 || status == 504;
}

bool is_redirect(int status)
{
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

bool is_safe(const client_request& r)
{
    return r.method == "GET" || r.method == "HEAD" || r.idempotent;
}

std::optional<std::chrono::milliseconds> retry_after_of(const http::headers& h)
{
    using std::chrono::milliseconds;
    const auto text = h.get("Retry-After");
    if (!text)
        return std::nullopt;
    const auto value = trimmed(*text);
    constexpr milliseconds longest = std::chrono::hours(24 * 365);
    if (!value.empty() && value.find_first_not_of("0123456789") == std::string_view::npos) {
        std::int64_t seconds = 0;
        const auto [end, ec] = std::from_chars(value.data(), value.data() + value.size(), seconds);
        if (ec != std::errc{} || seconds > longest.count() / 1000)
            return longest; // more digits than fit: never
        return milliseconds(seconds * 1000);
    }
    const auto date = parse_http_date(value);
    if (!date)
        return std::nullopt;
    const milliseconds wait = *date - std::chrono::floor<milliseconds>(std::chrono::system_clock::now());
    return std::clamp(wait, milliseconds(0), longest);
}

// What several tries together came to.
struct outcome
{
    std::optional<errc> failure;
    std::string detail;
    bool may_have_arrived = false; // some try's request went out, or may have
    time_point last_byte_at{};
};

} // namespace

const std::error_category& http_category() noexcept
{
    static const category instance;
    return instance;
}

std::error_code make_error_code(errc e) noexcept
{
    return {static_cast<int>(e), http_category()};
}

bool surely_not_sent(const base::error& e)
{
    return e.code == errc::bad_url || e.code == errc::not_sent || e.code == errc::deadline ||
           e.code == errc::circuit_open;
}

std::optional<std::chrono::milliseconds> client_response::retry_after() const
{
    return retry_after_of(headers);
}

struct client::impl
{
    impl(async::executor ex, client_settings s) : executor(std::move(ex)), settings(std::move(s)) {}

    struct call
    {
        const client_request& request;
        url where;
        time_point deadline;
        std::optional<std::chrono::milliseconds> silence;
        bool allow_gzip;
    };

    std::shared_ptr<host> host_of(const url& where);
    async::task<std::shared_ptr<transport>> connect(
        std::shared_ptr<host> h, time_point deadline, outcome& out);
    async::task<outcome> try_once(const call& c, answer& into);
    async::task<outcome> try_repeatedly(const call& c, answer& into, int retries);

    async::executor executor;
    client_settings settings;
    std::unordered_map<std::string, std::shared_ptr<host>> hosts;
    std::unique_ptr<http::tls> tls; // made at the first https call: the certificates cost memory
};

std::shared_ptr<host> client::impl::host_of(const url& where)
{
    for (auto& [origin, known] : hosts)
        known->close_idle();
    auto& h = hosts[where.origin()];
    if (!h)
        h = std::make_shared<host>(executor, where, settings);
    return h;
}

async::task<std::shared_ptr<transport>> client::impl::connect(
    std::shared_ptr<host> h, time_point deadline, outcome& out)
{
    const auto stop_connecting = steady_clock::now() + settings.connect_timeout;
    const auto end = std::min(deadline, stop_connecting);
    const auto fail = [&](std::string why) {
        const bool is_overdue = steady_clock::now() >= deadline;
        out.failure = is_overdue ? errc::deadline : errc::not_sent;
        out.detail = is_overdue ? "the deadline passed while connecting" : std::move(why);
    };

    if (h->where().is_tls && !tls)
        try {
            tls = std::make_unique<http::tls>(settings);
        }
        catch (const base::bad_configuration& e) {
            fail(e.what());
            co_return nullptr;
        }

    std::string why;
    const auto addresses = co_await h->addresses(end, why);
    if (addresses.empty()) {
        fail(why.empty() ? "the name was not resolved in time" : why);
        co_return nullptr;
    }

    for (std::size_t i = 0; i < addresses.size(); ++i) {
        const auto now = steady_clock::now();
        if (now >= end)
            break;
        // An address that never answers must leave time for the ones behind it.
        const auto share = now + (end - now) / static_cast<long>(addresses.size() - i);
        tcp::socket socket(executor);
        error_code ec;
        {
            time_limit limit(executor, share, [&socket] {
                error_code ignored;
                socket.close(ignored);
            });
            co_await socket.async_connect(addresses[i], asio::redirect_error(asio::use_awaitable, ec));
            if (ec == asio::error::operation_aborted && !limit.has_cut())
                throw boost::system::system_error(ec);
            if (ec || limit.has_cut()) {
                why = limit.has_cut() ? "no connection in time" : "no connection: " + ec.message();
                continue;
            }
        }
        socket.set_option(tcp::no_delay(true), ec);
        socket.non_blocking(true, ec);
        const auto t =
            h->where().is_tls ? tls->wrap(std::move(socket), h->where().host) : make_plain(std::move(socket));
        time_limit limit(executor, end, [t] { t->close(); });
        why = co_await t->open();
        if (why.empty() && !limit.has_cut())
            co_return t;
        const auto state = co_await asio::this_coro::cancellation_state;
        if (state.cancelled() != asio::cancellation_type::none)
            throw boost::system::system_error(asio::error::operation_aborted);
        if (limit.has_cut())
            why = "TLS: no handshake in time";
        t->close();
    }
    h->forget_addresses();
    fail(why);
    co_return nullptr;
}

async::task<outcome> client::impl::try_once(const call& c, answer& into)
{
    outcome out;
    const auto h = host_of(c.where);
    const auto circuit_is_open = [&] {
        out.failure = errc::circuit_open;
        out.detail = "it failed too often lately";
    };
    if (!h->may_try()) {
        circuit_is_open();
        co_return out;
    }
    const auto slot = co_await h->acquire(c.deadline);
    if (!slot || !co_await h->take_turn(c.deadline)) {
        out.failure = errc::deadline;
        out.detail = slot ? "the limiter's turn comes after the deadline"
                          : "no connection was free before the deadline";
        co_return out;
    }
    auto attempt = h->begin_try();
    if (!attempt) {
        circuit_is_open();
        co_return out;
    }

    const auto began = steady_clock::now();
    std::shared_ptr<transport> connection = h->take_kept();
    bool is_kept = connection != nullptr;
    bool may_have_arrived = false;
    for (;;) {
        out = outcome{};
        out.may_have_arrived = may_have_arrived;
        if (!connection)
            connection = co_await connect(h, c.deadline, out);
        if (!connection)
            break;
        const timing limits{c.deadline, c.silence};
        const auto trip = co_await exchange(
            executor, connection, c.where, c.request, settings.user_agent, c.allow_gzip, limits, into);
        out.failure = trip.failure;
        out.detail = trip.detail;
        out.may_have_arrived = may_have_arrived = may_have_arrived || trip.went_out;
        out.last_byte_at = trip.last_byte_at;
        if (trip.can_be_kept)
            h->keep(connection);
        else
            connection->close();

        // A kept connection may have been closed by the other side just as we took it. When nothing of the
        // request went out, it is simply sent on a new one; when it did, only what may be repeated is.
        const bool is_stale =
            is_kept && !trip.overdue && !trip.came_back &&
            (trip.failure == errc::not_sent || (trip.failure == errc::unknown_outcome && is_safe(c.request)));
        if (!is_stale)
            break;
        h->observe("kept_closed", steady_clock::now() - began);
        is_kept = false;
        connection = nullptr;
        into.reset();
    }

    const std::chrono::duration<double> took = steady_clock::now() - began;
    h->observe(out.failure ? slug(*out.failure) : status_class(into.status), took);
    // What the circuit counts is a server that can't be used. Too large an answer, or 429, comes from one
    // that can.
    if (out.failure)
        attempt->end(*out.failure == errc::too_large ? host::outcome::good : host::outcome::bad);
    else
        attempt->end(into.status >= 500 ? host::outcome::bad : host::outcome::good);
    co_return out;
}

async::task<outcome> client::impl::try_repeatedly(const call& c, answer& into, int retries)
{
    const int tries = is_safe(c.request) ? 1 + std::max(0, retries) : 1;
    base::backoff pause;
    bool may_have_arrived = false;
    for (int n = 1;; ++n) {
        into.reset();
        auto out = co_await try_once(c, into);
        out.may_have_arrived = may_have_arrived = may_have_arrived || out.may_have_arrived;
        const bool is_answer = !out.failure;
        const bool again = is_answer
                               ? is_worth_repeating(into.status)
                               : *out.failure == errc::not_sent || *out.failure == errc::unknown_outcome ||
                                     *out.failure == errc::bad_answer;
        if (!again || n >= tries)
            co_return out;
        std::chrono::milliseconds wait = pause.next();
        if (is_answer)
            wait = std::max(wait, retry_after_of(into.headers).value_or(wait));
        const auto next = steady_clock::now() + wait;
        // The last answer is worth more than a try that can't be made.
        if (next >= c.deadline || !host_of(c.where)->may_try())
            co_return out;
        asio::steady_timer timer(executor, next);
        co_await timer.async_wait(asio::use_awaitable);
        if (!host_of(c.where)->may_try())
            co_return out;
    }
}

client::client(async::executor ex, client_settings s)
    : impl_(std::make_shared<impl>(std::move(ex), std::move(s)))
{}

client::~client() = default;

namespace {

base::error describe(const outcome& o, const client_request& r, const url& where)
{
    // "Not sent" of the last try is not the truth when an earlier one went out.
    auto code = *o.failure;
    const auto as_error = base::fail(code, "");
    if (o.may_have_arrived && surely_not_sent(as_error))
        code = errc::unknown_outcome;
    return base::fail(code, r.method + " " + where.authority() + ": " + o.detail);
}

void check_method(const client_request& r)
{
    if (!is_token(r.method))
        throw std::invalid_argument("not an HTTP method");
}

} // namespace

async::task<base::result<client_response>> client::send(client_request r)
{
    const auto self = impl_;
    check_method(r);
    auto where = parse_url(r.url);
    if (!where)
        co_return where.error();

    const auto deadline = steady_clock::now() + r.deadline;
    bool may_have_arrived = false;
    for (int redirects = 0;; ++redirects) {
        whole_answer answer(r.max_response_bytes);
        const impl::call c{r, *where, deadline, std::nullopt, r.accept_gzip};
        auto out = co_await self->try_repeatedly(c, answer, r.retries);
        out.may_have_arrived = may_have_arrived = may_have_arrived || out.may_have_arrived;
        if (out.failure)
            co_return describe(out, r, *where);

        const auto location = answer.headers.get("Location");
        if (is_redirect(answer.status) && location && redirects < r.max_redirects) {
            auto next = resolve(*where, *location);
            // Never from https to http (what is secret would go out in the clear), nor the other way round
            // unasked.
            if (next && next->is_tls == where->is_tls) {
                if (next->host != where->host || next->port != where->port) {
                    r.headers.remove("Authorization");
                    r.headers.remove("Cookie");
                }
                if (answer.status == 303 ||
                    ((answer.status == 301 || answer.status == 302) && r.method == "POST")) {
                    if (r.method != "HEAD")
                        r.method = "GET";
                    r.body.clear();
                    r.headers.remove("Content-Type");
                }
                where = std::move(next);
                continue;
            }
        }
        client_response response;
        response.status = answer.status;
        response.headers = std::move(answer.headers);
        response.body = std::move(answer.body);
        response.last_byte_at = out.last_byte_at;
        co_return response;
    }
}

async::task<base::result<int>> client::stream(
    client_request r, std::function<bool(std::string_view)> on_chunk)
{
    const auto self = impl_;
    check_method(r);
    const auto where = parse_url(r.url);
    if (!where)
        co_return where.error();
    streamed_answer answer(std::move(on_chunk));
    const impl::call c{r, *where, steady_clock::now() + r.deadline, r.deadline, false};
    const auto out = co_await self->try_once(c, answer);
    if (out.failure)
        co_return describe(out, r, *where);
    co_return answer.status;
}

std::string client::circuit_state(const std::string& url) const
{
    const auto where = parse_url(url);
    if (!where)
        return "closed";
    const auto known = impl_->hosts.find(where->origin());
    return known == impl_->hosts.end() ? "closed" : std::string(known->second->circuit());
}

} // namespace coursegate::http
