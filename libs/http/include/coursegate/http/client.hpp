// The HTTP client: one per process. TLS (verified by default), resolver, kept connections, gzip, and per host
// a limiter, a circuit breaker and metrics. Not reaching the host is a value: an everyday outcome for these
// daemons.
#pragma once

#include "coursegate/async/task.hpp"
#include "coursegate/base/result.hpp"
#include "coursegate/http/message.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace coursegate::http {

enum class errc
{
    bad_url = 1, // not http:// or https://, or no host
    not_sent,    // no connection, TLS refused, resolver failed, connection lost before a byte of the request
                 // went out: the server can't have seen it
    unknown_outcome, // the request (or part of it) went out and no whole answer came: it may have taken
                     // effect
    deadline,        // the call's deadline ran out while waiting for the limiter or a connection: not sent
    circuit_open,    // the host failed too often lately; not sent
    too_large,       // the answer exceeds max_response_bytes
    bad_answer,      // not HTTP, or a gzip stream that is broken or cut
};
const std::error_category& http_category() noexcept;
std::error_code make_error_code(errc e) noexcept;

// True for errors after which the request can't have had an effect at the other side. This is what keeps an
// action from being done twice: whoever sends something that must not happen twice sends it again only after
// this said true, and reads back what became of it otherwise. With retries and redirects it speaks of all
// tries together.
bool surely_not_sent(const base::error& e);

struct client_request
{
    std::string method = "GET";
    std::string url;
    http::headers headers;
    std::string body;
    std::chrono::milliseconds deadline{10'000};       // for everything, waiting and retries included
    std::size_t max_response_bytes = 8 * 1024 * 1024; // after decompression
    int max_redirects = 0;                            // followed only where asked for, same scheme only
    // Tries after the first. Only requests that are safe to repeat: GET and HEAD, or where `idempotent` says
    // so. With backoff, honouring Retry-After (a longer one than what is left of the deadline ends the call
    // with the answer).
    int retries = 0;
    bool idempotent = false;
    bool accept_gzip = true;
};

struct client_response
{
    int status = 0;
    http::headers headers;
    std::string body; // decompressed; has simdjson::SIMDJSON_PADDING spare capacity
    std::chrono::steady_clock::time_point last_byte_at{};

    // Retry-After as a duration, seconds or date form; nullopt without one.
    std::optional<std::chrono::milliseconds> retry_after() const;
};

struct client_settings
{
    std::string user_agent = "coursegate/0.1";
    std::string ca_file; // empty: the system's certificates (loaded at the first https call)
    bool verify_tls = true;
    std::chrono::milliseconds connect_timeout{5'000};
    std::chrono::milliseconds keep_idle{
        30'000}; // a kept connection unused for longer is closed (by the next call)
    std::size_t connections_per_host = 16;
    double requests_per_second =
        0;                 // per host; 0: no limit. At most a tenth of a second's worth (or one) at once
    int circuit_after = 5; // consecutive transport errors or 5xx open the circuit
    std::chrono::milliseconds circuit_open{10'000}; // then one request is let through as a trial
};

// Lives on one executor (one thread, or a strand); all members are called there. Calls in progress keep what
// they need alive. A cancelled call throws boost::system::system_error(operation_aborted) and leaves nothing
// behind here; whether its request arrived is then as unknown as after unknown_outcome.
//
// A crash during send(): whether the other side has seen the request is not known, as after unknown_outcome.
//
// Neither the log nor an error's detail ever holds a query string, a header or a body: only method and host.
class client
{
public:
    client(async::executor ex, client_settings s = {});
    ~client();

    // Errors: every errc above. An HTTP status of any kind is a value, not an error. Throws
    // std::invalid_argument when `method` is not a token.
    async::task<base::result<client_response>> send(client_request r);

    // For answers that come bit by bit (server-sent events). `on_chunk` gets the body of a 2xx answer as it
    // arrives; false from it ends the call. Returns the status once the answer has ended. The deadline counts
    // up to the head, and again for each silence. No retries, no redirects, no gzip; max_response_bytes does
    // not apply. Errors: as send(); a body that is cut off is unknown_outcome.
    async::task<base::result<int>> stream(
        client_request r, std::function<bool(std::string_view chunk)> on_chunk);

    // "closed", "open", "trial" (one request may try) per host: for health sentences.
    std::string circuit_state(const std::string& url) const;

private:
    struct impl;
    std::shared_ptr<impl> impl_;
};

} // namespace coursegate::http

template <>
struct std::is_error_code_enum<coursegate::http::errc> : std::true_type
{};
