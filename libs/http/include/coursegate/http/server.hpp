// The HTTP server: a table of routes, a coroutine per connection, and once for everybody: header and body
// limits, read, write and whole-request deadlines, request and trace id, 404 against 405, access log,
// metrics, security headers, the exception boundary (one request → 500 that never tells why).
#pragma once

#include "coursegate/async/component.hpp"
#include "coursegate/http/message.hpp"
#include "coursegate/log/log.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace coursegate::http {

struct request
{
    std::string method; // "GET"
    std::string target; // as sent
    std::string path;   // decoded, without the query
    http::query query;
    std::map<std::string, std::string> path_parameters; // {id} of the route's pattern
    http::headers headers;
    std::string body;
    std::string remote_address; // the peer's; X-Forwarded-For only behind a trusted proxy
    std::string request_id;     // from X-Request-Id when well-formed, else new
    std::string traceparent;    // from the header of that name when well-formed, else new
    log::logger log;            // carries request_id and trace_id
};

// A stream that stays open (server-sent events). Awaiting write() gives back-pressure; false: the reader is
// gone.
class stream_writer
{
public:
    virtual ~stream_writer() = default;
    virtual async::task<bool> write(std::string_view bytes) = 0;
    virtual bool is_open() const = 0; // becomes false when the peer closes or the server stops
};

// How a response ends that is cut on purpose. Only a stand-in for somebody else's server (services/sandbox,
// tests) sets it, to play a server or a network that fails.
enum class abort_kind
{
    none,
    before_head, // close the connection without writing a byte
    truncated,   // write the head with the whole body's Content-Length, the first half of `body`, then close
};

struct response
{
    int status = 200;
    http::headers headers;
    std::string body;

    // When set, `body` is ignored: the head goes out, then this runs with a chunked stream until it returns.
    // It must come back within a second of is_open() turning false.
    std::function<async::task<void>(stream_writer&)> stream;

    // Additive, for stand-ins only: anything but `none` also ends keep-alive.
    abort_kind abort = abort_kind::none;

    static response json(int status, const nlohmann::json& body);
    static response text(
        int status, std::string body, std::string content_type = "text/plain; charset=utf-8");
    static response html(int status, std::string body);
    static response redirect(std::string location, int status = 303);
    // {"error": slug, "message": …, "field": …}; `field` is left out when empty.
    static response error(int status, std::string slug, std::string message, std::string field = {});
};

using handler = std::function<async::task<response>(request&)>;

struct route
{
    std::string method; // "GET"
    std::string
        pattern; // "/v1/users/{id}"; with a {secret_…} in it, the access log shows it instead of the path
    http::handler handler;
};

struct server_settings
{
    std::string host = "127.0.0.1";
    int port = 0;                                       // 0: any free one, see port()
    std::string set_by = "HOST, PORT";                  // settings that name host and port, for complaints
    std::size_t header_limit = 16 * 1024;               // bytes; 431 above
    std::size_t body_limit = 1024 * 1024;               // bytes; 413 above
    std::chrono::milliseconds read_deadline{15'000};    // a whole request must have arrived
    std::chrono::milliseconds idle_deadline{60'000};    // between two requests on a kept connection
    std::chrono::milliseconds handler_deadline{30'000}; // then 503
    std::chrono::milliseconds write_deadline{
        30'000}; // a whole response (each write of a stream) must be gone
    std::size_t max_connections = 12'000;
    std::string metrics_name = "http"; // label `server`
    bool access_log = true;
    bool security_headers = true; // nosniff, Referrer-Policy, frame-ancestors, CSP default-src 'self'
    // Called with each answer that the server itself gives to a request that has arrived (404, 405, 500, 503
    // and so on: JSON), to put it into other words; a site shows people a page. Must not throw, and leaves
    // the status.
    std::function<void(const request&, response&)> word_refusal;
    // Addresses of reverse proxies whose X-Forwarded-For is believed; from anybody else it says whatever he
    // likes.
    std::vector<std::string> trusted_proxies;
};

// Lives on one executor (one thread, or a strand); all members are called there. Handlers run on it too. A
// handler that outlives its deadline is cancelled (its pending wait throws operation_aborted) while the
// caller gets the 503.
//
// A crash at any point loses the requests in progress and nothing else: the server keeps no state of its own.
// A caller that had no answer can't tell whether the handler's work was committed; handlers are written for
// that.
class server final : public async::component
{
public:
    // Throws std::logic_error when two routes have the same method and pattern, or a pattern is malformed.
    server(async::executor ex, server_settings s, std::vector<route> routes);
    ~server() override;

    std::string_view name() const override { return "http-server"; }
    // Throws base::bad_configuration naming the address and its settings when it is taken or not ours.
    async::task<void> start() override;
    async::task<void> stop() override; // stops accepting, lets requests finish (at most 10 s), closes streams
    async::health check() const override;

    int port() const; // after start()

private:
    struct impl;
    std::shared_ptr<impl> impl_;
};

} // namespace coursegate::http
