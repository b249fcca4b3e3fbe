#include "wire.hpp"

#include "coursegate/base/error.hpp"
#include "coursegate/base/trace.hpp"
#include "coursegate/http/server.hpp"
#include "coursegate/log/log.hpp"
#include "coursegate/metrics/metrics.hpp"
#include "coursegate/testkit/run.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include <sys/resource.h>

#include <chrono>
#include <random>
#include <string>
#include <vector>

using namespace coursegate;
using namespace coursegate::http;
using namespace std::chrono_literals;
using wire::dial;

namespace {

std::vector<std::string> log_lines;

struct captured_log
{
    captured_log()
    {
        log_lines.clear();
        before_ = log::set_sink([](std::string_view line) { log_lines.emplace_back(line); });
    }
    ~captured_log() { log::set_sink(before_); }

    bool has(std::string_view text) const
    {
        return std::any_of(log_lines.begin(), log_lines.end(),
            [&](const std::string& l) { return l.find(text) != std::string::npos; });
    }

private:
    log::sink before_;
};

route on(std::string method, std::string pattern, handler h)
{
    return route{std::move(method), std::move(pattern), std::move(h)};
}

route text_at(std::string method, std::string pattern, std::string text)
{
    return on(std::move(method), std::move(pattern),
        [text](request&) -> async::task<response> { co_return response::text(200, text); });
}

route echo_at(std::string pattern)
{
    return on("POST", std::move(pattern), [](request& r) -> async::task<response> {
        co_return response::text(200, std::to_string(r.body.size()) + ":" + r.body);
    });
}

// A server that starts and stops around one test.
struct served
{
    explicit served(std::vector<route> routes, server_settings s = {})
        : settings_(std::move(s)), routes_(std::move(routes))
    {}

    void run(std::function<async::task<void>(server&)> body)
    {
        server site(loop.get_executor(), settings_, routes_);
        testkit::run(loop, [&]() -> async::task<void> {
            co_await site.start();
            std::exception_ptr failure;
            try {
                co_await body(site);
            }
            catch (...) {
                failure = std::current_exception();
            }
            co_await site.stop();
            if (failure)
                std::rethrow_exception(failure);
        });
    }

    // Sends `text` on a new connection and returns the answer.
    void ask(std::string text, std::function<void(const wire::reply&)> check, bool to_head = false)
    {
        run([&](server& site) -> async::task<void> {
            const auto p = co_await dial(site.port());
            co_await p->say(text);
            const auto answer = co_await p->hear_reply(to_head);
            check(answer);
        });
    }

    boost::asio::io_context loop{1};

private:
    server_settings settings_;
    std::vector<route> routes_;
};

std::string get(const std::string& target, const std::string& more = {})
{
    return "GET " + target + " HTTP/1.1\r\nHost: x\r\n" + more + "\r\n";
}

// CHECK evaluates an expression with co_await in it more than once under g++ 12.2: these name it, then check
// it.
async::task<void> expect_body(wire::peer& p, std::string body)
{
    const auto r = co_await p.hear_reply();
    CHECK(r.body == body);
}

async::task<void> expect_status(wire::peer& p, int status)
{
    const auto r = co_await p.hear_reply();
    CHECK(r.status == status);
}

async::task<void> expect_rest(wire::peer& p, std::string rest)
{
    const auto r = co_await p.hear_all();
    CHECK(r == rest);
}

async::task<void> expect_head(wire::peer& p, std::string head)
{
    const auto r = co_await p.hear_until("\r\n\r\n");
    CHECK(r == head);
}

async::task<void> expect_soon(const bool& flag)
{
    const bool came = co_await testkit::eventually_async(10s, [&flag] { return flag; });
    CHECK(came);
}

std::string error_of(const wire::reply& r)
{
    return nlohmann::json::parse(r.body).at("error");
}

} // namespace

TEST_CASE("a route gets its path parameters and query decoded")
{
    served s({on("GET", "/v1/users/{id}/lessons/{lesson}", [](request& r) -> async::task<response> {
        auto ids = r.query.get_all("ids[]");
        co_return response::text(200, r.path_parameters["id"] + "|" + r.path_parameters["lesson"] + "|" +
                                          r.query.get("q").value_or("-") + "|" + ids.at(0) + ids.at(1) + "|" +
                                          r.path);
    })});
    s.ask(get("/v1/users/a%2Fb/lessons/%D1%8F?q=x+y%21&ids[]=1&ids%5B%5D=2"), [](const auto& r) {
        CHECK(r.status == 200);
        CHECK(r.body == "a/b|я|x y!|12|/v1/users/a/b/lessons/я");
    });
}

TEST_CASE("of two patterns that fit, the literal one answers")
{
    served s({text_at("GET", "/v1/grants/{id}", "one"), text_at("GET", "/v1/grants/stream", "stream"),
        text_at("DELETE", "/v1/grants/{id}", "gone")});
    s.run([](server& site) -> async::task<void> {
        const auto p = co_await dial(site.port());
        co_await p->say(get("/v1/grants/stream") + get("/v1/grants/7") +
                        "DELETE /v1/grants/stream HTTP/1.1\r\nHost: x\r\n\r\n");
        co_await expect_body(*p, "stream");
        co_await expect_body(*p, "one");
        co_await expect_body(*p, "gone");
    });
}

TEST_CASE("an unknown path is 404, a known one with another method 405 that says which")
{
    served s({text_at("GET", "/v1/users", "list"), text_at("POST", "/v1/users", "new"),
        text_at("GET", "/v1/users/{id}", "one")});
    s.run([](server& site) -> async::task<void> {
        const auto p = co_await dial(site.port());
        co_await p->say(
            get("/v1/nobody") + get("/v1/users/") + "DELETE /v1/users HTTP/1.1\r\nHost: x\r\n\r\n");
        for (int i = 0; i < 2; ++i) {
            const auto missing = co_await p->hear_reply();
            CHECK(missing.status == 404);
            CHECK(error_of(missing) == "not_found");
        }
        auto wrong = co_await p->hear_reply();
        CHECK(wrong.status == 405);
        CHECK(wrong.headers["allow"] == "GET, HEAD, POST");
        CHECK(error_of(wrong) == "method_not_allowed");
        CHECK(wrong.headers["content-type"] == "application/json; charset=utf-8");
    });
}

TEST_CASE("what the server itself answers can be put into other words")
{
    server_settings settings;
    settings.word_refusal = [](const request& r, response& answer) {
        answer.headers.set("Content-Type", "text/html");
        answer.body = "<p>" + r.path + " " + std::to_string(answer.status);
    };
    served s({text_at("GET", "/v1/users", "list"),
                 on("GET", "/broken",
                     [](request&) -> async::task<response> { throw std::runtime_error("secret"); })},
        settings);
    s.run([](server& site) -> async::task<void> {
        const auto p = co_await dial(site.port());
        co_await p->say(get("/nobody") + "DELETE /v1/users HTTP/1.1\r\nHost: x\r\n\r\n" + get("/broken") +
                        get("/v1/users"));
        co_await expect_body(*p, "<p>/nobody 404");
        auto wrong = co_await p->hear_reply();
        CHECK(wrong.status == 405);
        CHECK(wrong.headers["allow"] == "GET, HEAD");
        CHECK(wrong.headers["content-type"] == "text/html");
        CHECK(wrong.body == "<p>/v1/users 405");
        co_await expect_body(*p, "<p>/broken 500");
        co_await expect_body(*p, "list"); // a handler's own answer stays as it is
    });
}

TEST_CASE("HEAD is answered by the GET route, without the body")
{
    served s({text_at("GET", "/page", "twelve bytes")});
    s.run([](server& site) -> async::task<void> {
        const auto p = co_await dial(site.port());
        co_await p->say("HEAD /page HTTP/1.1\r\nHost: x\r\n\r\n" + get("/page"));
        auto head = co_await p->hear_reply(true);
        CHECK(head.status == 200);
        CHECK(head.headers["content-length"] == "12");
        co_await expect_body(*p, "twelve bytes");
    });
}

TEST_CASE("two routes for the same place are refused at once")
{
    boost::asio::io_context loop;
    const std::vector<route> twice = {text_at("GET", "/a/{x}", ""), text_at("GET", "/a/{y}", "")};
    CHECK_THROWS_AS(server(loop.get_executor(), {}, twice), std::logic_error);
    const std::vector<route> no_slash = {text_at("GET", "a", "")};
    CHECK_THROWS_AS(server(loop.get_executor(), {}, no_slash), std::logic_error);
    const std::vector<route> same_name = {text_at("GET", "/{a}/{a}", "")};
    CHECK_THROWS_AS(server(loop.get_executor(), {}, same_name), std::logic_error);
}

TEST_CASE("an address that is taken is named")
{
    boost::asio::io_context loop;
    wire::tcp::acceptor taken(loop, {boost::asio::ip::address_v4::loopback(), 0});
    server_settings s;
    s.port = taken.local_endpoint().port();
    server site(loop.get_executor(), s, {});
    testkit::run(loop, [&]() -> async::task<void> {
        std::string said;
        try {
            co_await site.start();
        }
        catch (const base::bad_configuration& e) {
            said = e.what();
        }
        CHECK(said == "can't listen on 127.0.0.1:" + std::to_string(s.port) +
                          " (HOST, PORT): Address already in use");
        CHECK_FALSE(site.check().ok);
        co_await site.stop();
    });
}

TEST_CASE("what is not a well-formed request is refused and the connection ended")
{
    const std::string start = "POST /echo HTTP/1.1\r\nHost: x\r\n";
    const std::vector<std::pair<std::string, int>> cases = {
        {"\x16\x03\x01 this is TLS\r\n\r\n", 400},
        {"GET /echo HTTP/1.1\r\n\r\n", 400},
        {"GET /echo HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", 400},
        {"GET echo HTTP/1.1\r\nHost: x\r\n\r\n", 400},
        {"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", 400},
        {"GET /%00 HTTP/1.1\r\nHost: x\r\n\r\n", 400},
        {"GET /%zz HTTP/1.1\r\nHost: x\r\n\r\n", 400},
        {start + "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", 400},
        {start + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
        {start + "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n", 400},
        {start + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501},
        {start + "Transfer-Encoding: gzip\r\n\r\nabc", 501},
        {start + "Transfer-Encoding: chunked\r\n\r\nxyz\r\n", 400},
        {start + "Content-Length: -1\r\n\r\n", 400},
        {start + "Expect: a miracle\r\nContent-Length: 1\r\n\r\n", 417},
        {"GET /echo HTTP/1.1\r\nHost: x\r\nBad Header: y\r\n\r\n", 400},
        {"POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
    };
    served s({echo_at("/echo"), text_at("GET", "/{any}", "")});
    s.run([&](server& site) -> async::task<void> {
        for (const auto& [text, status] : cases) {
            INFO(text);
            const auto p = co_await dial(site.port());
            co_await p->say(text);
            auto r = co_await p->hear_reply();
            CHECK(r.status == status);
            CHECK(r.headers["connection"] == "close");
            CHECK(r.headers.count("x-request-id") == 1);
            CHECK(r.headers["x-content-type-options"] == "nosniff");
            co_await expect_rest(*p, "");
            CHECK_FALSE(p->was_reset);
        }
    });
}

TEST_CASE("headers and bodies above their limits are told so, not just cut off")
{
    server_settings limits;
    limits.header_limit = 2048;
    limits.body_limit = 1000;
    const std::string chunked = "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
    std::string extensions = chunked;
    for (int i = 0; i < 400; ++i)
        extensions += "1;" + std::string(1500, 'e') + "\r\na\r\n";
    const std::vector<std::pair<std::string, int>> cases = {
        {get("/echo", "X-Long: " + std::string(4000, 'a') + "\r\n"), 431},
        {get("/" + std::string(4000, 'a')), 431},
        {"GET /" + std::string(60'000, 'a'), 431},
        {"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1001\r\n\r\n" + std::string(1001, 'b'), 413},
        {"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n", 413},
        {chunked + "3e9\r\n" + std::string(1001, 'b') + "\r\n0\r\n\r\n", 413},
        {chunked + "1f4\r\n" + std::string(500, 'b') + "\r\n1f5\r\n" + std::string(501, 'b') +
                "\r\n0\r\n\r\n",
            413},
        {extensions, 413},
        {chunked + "0\r\nX-Trailer: " + std::string(60'000, 't'), 400},
    };
    served s({echo_at("/echo")}, limits);
    s.run([&](server& site) -> async::task<void> {
        for (const auto& [text, status] : cases) {
            INFO(text.substr(0, 100));
            const auto p = co_await dial(site.port());
            co_await p->say(text);
            const auto r = co_await p->hear_reply();
            CHECK(r.status == status);
            co_await p->hear_all();
            CHECK_FALSE(p->was_reset);
        }
        const auto p = co_await dial(site.port());
        co_await p->say(
            "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n" + std::string(1000, 'b'));
        co_await expect_body(*p, "1000:" + std::string(1000, 'b'));
    });
}

TEST_CASE("a request means the same however its bytes are cut into packets")
{
    const std::string text = "POST /echo?a=1 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
                             "4;ext=1\r\nabcd\r\n6\r\nefghij\r\n0\r\nTrailer: x\r\n\r\n"
                             "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nxyz";
    served s({echo_at("/echo")});
    s.run([&](server& site) -> async::task<void> {
        for (std::size_t cut = 0; cut < text.size(); ++cut) {
            INFO(cut);
            const auto p = co_await dial(site.port());
            p->socket.set_option(wire::tcp::no_delay(true));
            co_await p->say(text.substr(0, cut));
            co_await async::yield();
            co_await async::yield();
            co_await p->say(text.substr(cut));
            co_await expect_body(*p, "10:abcdefghij");
            co_await expect_body(*p, "3:xyz");
        }
    });
}

TEST_CASE("a trailer can't smuggle in a header")
{
    served s({on("POST", "/who", [](request& r) -> async::task<response> {
        co_return response::text(200, r.headers.get("Authorization").value_or("nobody"));
    })});
    s.ask("POST /who HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nAuthorization: "
          "admin\r\n\r\n",
        [](const auto& r) { CHECK(r.body == "nobody"); });
}

TEST_CASE("requests in one packet are answered one after another")
{
    int at_once = 0, most = 0;
    served s({on("GET", "/{n}", [&](request& r) -> async::task<response> {
        most = std::max(most, ++at_once);
        co_await async::yield();
        --at_once;
        co_return response::text(200, r.path_parameters["n"]);
    })});
    s.run([&](server& site) -> async::task<void> {
        const auto p = co_await dial(site.port());
        std::string all;
        for (int i = 0; i < 50; ++i)
            all += get("/" + std::to_string(i));
        co_await p->say(all);
        for (int i = 0; i < 50; ++i)
            co_await expect_body(*p, std::to_string(i));
        CHECK(most == 1);
    });
}

TEST_CASE("a connection is kept or ended as the request asks")
{
    served s({text_at("GET", "/", "ok")});
    s.run([](server& site) -> async::task<void> {
        auto p = co_await dial(site.port());
        co_await p->say(get("/", "Connection: close\r\n"));
        auto r = co_await p->hear_reply();
        CHECK(r.headers["connection"] == "close");
        co_await expect_rest(*p, "");

        p = co_await dial(site.port());
        co_await p->say("GET / HTTP/1.0\r\n\r\n");
        r = co_await p->hear_reply();
        CHECK(r.body == "ok");
        co_await expect_rest(*p, "");

        p = co_await dial(site.port());
        co_await p->say("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
        r = co_await p->hear_reply();
        CHECK(r.headers["connection"] == "keep-alive");
        co_await p->say("\r\n" + get("http://elsewhere/"));
        co_await expect_body(*p, "ok");
    });
}

TEST_CASE("Expect: 100-continue is answered before the body, and not where the body isn't wanted")
{
    server_settings limits;
    limits.body_limit = 10;
    served s({echo_at("/echo")}, limits);
    s.run([](server& site) -> async::task<void> {
        auto p = co_await dial(site.port());
        co_await p->say(
            "POST /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n");
        co_await expect_head(*p, "HTTP/1.1 100 Continue\r\n\r\n");
        co_await p->say("abc");
        co_await expect_body(*p, "3:abc");

        p = co_await dial(site.port());
        co_await p->say(
            "POST /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 11\r\n\r\n");
        co_await expect_status(*p, 413);
        p = co_await dial(site.port());
        co_await p->say(
            "POST /nowhere HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n");
        co_await expect_status(*p, 404);
    });
}

TEST_CASE("a header or body that drips is cut at the deadline, however steadily it drips")
{
    server_settings limits;
    limits.read_deadline = 150ms;
    served s({echo_at("/echo")}, limits);
    s.run([](server& site) -> async::task<void> {
        for (const std::string start : {"POST /echo HTTP/1.1\r\nHost: x\r\nX-Slow: ",
                 "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n"})
        {
            const auto p = co_await dial(site.port());
            const auto began = std::chrono::steady_clock::now();
            co_await p->say(start);
            boost::asio::steady_timer drop(p->socket.get_executor());
            bool cut = false;
            // Drips until the answer is there.
            while (!cut && std::chrono::steady_clock::now() - began < 10s) {
                co_await p->say("a");
                drop.expires_after(10ms);
                co_await drop.async_wait(boost::asio::use_awaitable);
                cut = p->socket.available() > 0;
            }
            CHECK(cut);
            co_await expect_status(*p, 408);
            CHECK(std::chrono::steady_clock::now() - began >= 140ms);
        }
    });
}

TEST_CASE("a connection without a request is closed silently after its deadline")
{
    server_settings limits;
    limits.read_deadline = 100ms;
    limits.idle_deadline = 100ms;
    served s({text_at("GET", "/", "ok")}, limits);
    s.run([](server& site) -> async::task<void> {
        auto p = co_await dial(site.port());
        co_await expect_rest(*p, "");
        p = co_await dial(site.port());
        co_await p->say(get("/"));
        co_await expect_body(*p, "ok");
        co_await expect_rest(*p, "");
    });
}

TEST_CASE("the request id is taken over when it is one, and made otherwise")
{
    served s({on("GET", "/",
        [](request& r) -> async::task<response> { co_return response::text(200, r.request_id); })});
    s.run([](server& site) -> async::task<void> {
        const auto p = co_await dial(site.port());
        co_await p->say(get("/", "X-Request-Id: abc-1_2.3\r\n") + get("/", "X-Request-Id: a b\r\n") +
                        get("/") + get("/", "X-Request-Id: " + std::string(65, 'a') + "\r\n"));
        auto r = co_await p->hear_reply();
        CHECK(r.body == "abc-1_2.3");
        CHECK(r.headers["x-request-id"] == "abc-1_2.3");
        for (int i = 0; i < 3; ++i) {
            r = co_await p->hear_reply();
            CHECK(r.body.size() == 36);
            CHECK(r.headers["x-request-id"] == r.body);
        }
    });
}

TEST_CASE("the trace id of a request is its caller's, or one of its own, and is in every line about it")
{
    std::vector<std::string> traces;
    served s({on("GET", "/", [&](request& r) -> async::task<response> {
        traces.push_back(r.traceparent);
        const captured_log lines;
        r.log.info("handled");
        co_return response::text(200, log_lines.back());
    })});
    const std::string callers = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    s.run([&](server& site) -> async::task<void> {
        const auto p = co_await dial(site.port());
        co_await p->say(
            get("/", "traceparent: " + callers + "\r\n") + get("/", "traceparent: 00-x\r\n") + get("/"));
        for (int i = 0; i < 3; ++i) {
            const auto r = co_await p->hear_reply();
            REQUIRE(traces.size() > static_cast<std::size_t>(i));
            const auto trace = base::trace_id_of(traces[static_cast<std::size_t>(i)]);
            CHECK(trace.size() == 32);
            CHECK(r.body.find("\"trace_id\":\"" + trace + "\"") != std::string::npos);
        }
        CHECK(traces[0] == callers);
        CHECK(traces[1] != traces[2]);
    });
}

TEST_CASE("an exception in a handler is logged with its detail and answered without")
{
    captured_log lines;
    served s({on("GET", "/throw",
                  [](request&) -> async::task<response> {
                      throw std::runtime_error("the secret recipe");
                      co_return response{};
                  }),
        on("GET", "/odd",
            [](request&) -> async::task<response> {
                throw 7;
                co_return response{};
            }),
        on("GET", "/status",
            [](request&) -> async::task<response> { co_return response::text(7, "secret"); }),
        on("GET", "/inject",
            [](request& r) -> async::task<response> { co_return response::redirect(*r.query.get("to")); })});
    s.run([&](server& site) -> async::task<void> {
        const auto p = co_await dial(site.port());
        co_await p->say(get("/throw", "X-Request-Id: r1\r\n") + get("/odd") + get("/status") +
                        get("/inject?to=%0d%0aSet-Cookie:%20a=b"));
        for (int i = 0; i < 4; ++i) {
            const auto r = co_await p->hear_reply();
            CHECK(r.status == 500);
            CHECK(error_of(r) == "internal_error");
            CHECK(r.body.find("secret") == std::string::npos);
            CHECK(r.head.find("Set-Cookie") == std::string::npos);
        }
    });
    log::flush();
    CHECK(lines.has("the secret recipe"));
    CHECK(lines.has("\"request_id\":\"r1\""));
}

TEST_CASE("a dependency that is down is 503 and when to come back")
{
    served s({on("GET", "/", [](request&) -> async::task<response> {
        throw base::dependency_down("no PostgreSQL at 10.0.0.5");
        co_return response{};
    })});
    s.ask(get("/"), [](auto r) {
        CHECK(r.status == 503);
        CHECK(r.headers["retry-after"] == "2");
        CHECK(error_of(r) == "unavailable");
        CHECK(r.body.find("10.0.0.5") == std::string::npos);
    });
}

TEST_CASE("a handler that takes too long is cancelled and its caller told")
{
    server_settings limits;
    limits.handler_deadline = 100ms;
    bool cancelled = false;
    served s({on("GET", "/",
                 [&](request&) -> async::task<response> {
                     try {
                         co_await async::sleep_for(1h);
                     }
                     catch (const std::exception&) {
                         cancelled = true;
                         throw;
                     }
                     co_return response{};
                 })},
        limits);
    s.ask(get("/"), [](auto r) {
        CHECK(r.status == 503);
        CHECK(error_of(r) == "too_slow");
        CHECK(r.headers["connection"] == "close");
    });
    CHECK(cancelled);
}

TEST_CASE("every answer carries the security headers, and a handler may choose its own")
{
    served s({text_at("GET", "/", "ok"), on("GET", "/own", [](request&) -> async::task<response> {
                  auto r = response::html(200, "<p>");
                  r.headers.set("content-security-policy", "default-src 'none'");
                  co_return r;
              })});
    s.run([](server& site) -> async::task<void> {
        const auto p = co_await dial(site.port());
        co_await p->say(get("/") + get("/missing") + get("/own"));
        for (int i = 0; i < 3; ++i) {
            auto r = co_await p->hear_reply();
            CHECK(r.headers["x-content-type-options"] == "nosniff");
            CHECK(r.headers["referrer-policy"] == "strict-origin");
            if (i == 2)
                CHECK(r.headers["content-security-policy"] == "default-src 'none'");
            else
                CHECK(
                    r.headers["content-security-policy"].find("frame-ancestors 'none'") != std::string::npos);
            CHECK(r.headers.count("server") == 0);
            CHECK(r.headers["date"].size() == 29);
        }
    });
}

TEST_CASE("one connection too many is told to come back")
{
    server_settings limits;
    limits.max_connections = 2;
    served s({text_at("GET", "/", "ok")}, limits);
    s.run([](server& site) -> async::task<void> {
        auto first = co_await dial(site.port());
        const auto second = co_await dial(site.port());
        for (const auto& p : {first, second}) {
            co_await p->say(get("/"));
            co_await expect_body(*p, "ok");
        }
        auto third = co_await dial(site.port());
        co_await third->say(get("/"));
        auto r = co_await third->hear_reply();
        CHECK(r.status == 503);
        CHECK(r.headers["retry-after"] == "2");
        co_await expect_rest(*third, "");
        CHECK_FALSE(third->was_reset);

        first->socket.close();
        bool served_again = false;
        while (!served_again) { // the server may not have seen the end of the first yet
            third = co_await dial(site.port());
            co_await third->say(get("/"));
            served_again = (co_await third->hear_reply()).status == 200;
        }
        CHECK(served_again);
    });
}

TEST_CASE("where open files are few, connections are, too, and the log says so")
{
    struct limited
    {
        explicit limited(rlim_t files)
        {
            ::getrlimit(RLIMIT_NOFILE, &before);
            auto now = before;
            now.rlim_cur = files;
            REQUIRE(::setrlimit(RLIMIT_NOFILE, &now) == 0);
        }
        ~limited() { ::setrlimit(RLIMIT_NOFILE, &before); }
        limited(const limited&) = delete;
        rlimit before{};
    };
    const limited files(512 + 1);
    const captured_log log;
    served s({text_at("GET", "/", "ok")});
    s.run([](server& site) -> async::task<void> {
        const auto first = co_await dial(site.port());
        co_await first->say(get("/"));
        co_await expect_body(*first, "ok");
        const auto second = co_await dial(site.port());
        co_await second->say(get("/"));
        co_await expect_status(*second, 503);
    });
    CHECK(log.has("\"connections\":1,\"open_files_limit\":513"));
}

TEST_CASE("the address of the caller is the peer's, unless a trusted proxy says otherwise")
{
    const auto who = on("GET", "/",
        [](request& r) -> async::task<response> { co_return response::text(200, r.remote_address); });
    served plain({who});
    plain.ask(get("/", "X-Forwarded-For: 9.9.9.9\r\n"), [](const auto& r) { CHECK(r.body == "127.0.0.1"); });

    server_settings behind;
    behind.trusted_proxies = {"127.0.0.1", "10.0.0.2"};
    served proxied({who}, behind);
    proxied.ask(get("/", "X-Forwarded-For: 1.1.1.1, 9.9.9.9, 10.0.0.2\r\n"),
        [](const auto& r) { CHECK(r.body == "9.9.9.9"); });
    proxied.ask(
        get("/", "X-Forwarded-For: nonsense\r\n"), [](const auto& r) { CHECK(r.body == "127.0.0.1"); });
    proxied.ask(get("/"), [](const auto& r) { CHECK(r.body == "127.0.0.1"); });
}

TEST_CASE("browsers that came by TLS are told to come by TLS, on the word of a trusted proxy only")
{
    server_settings behind;
    behind.trusted_proxies = {"127.0.0.1"};
    served proxied({text_at("GET", "/", "ok")}, behind);
    proxied.ask(get("/", "X-Forwarded-Proto: https\r\n"),
        [](const auto& r) { CHECK(r.headers.at("strict-transport-security") == "max-age=31536000"); });
    proxied.ask(get("/", "X-Forwarded-Proto: http\r\n"),
        [](const auto& r) { CHECK(r.headers.count("strict-transport-security") == 0); });
    served plain({text_at("GET", "/", "ok")});
    plain.ask(get("/", "X-Forwarded-Proto: https\r\n"),
        [](const auto& r) { CHECK(r.headers.count("strict-transport-security") == 0); });
}

TEST_CASE("the access log names method, path, status and bytes, never the query")
{
    captured_log lines;
    server_settings settings;
    settings.metrics_name = "log-test";
    served s({text_at("GET", "/users/{id}", "12345")}, settings);
    s.ask(get("/users/7?email=ann%40example.org"), [](const auto& r) { CHECK(r.status == 200); });
    log::flush();
    CHECK(lines.has("\"path\":\"/users/7\""));
    CHECK(lines.has("\"bytes\":5"));
    CHECK_FALSE(lines.has("example.org"));
    const auto shown = metrics::expose();
    const auto at = shown.find("server=\"log-test\"");
    REQUIRE(at != std::string::npos);
    CHECK(shown.find("route=\"/users/{id}\"") != std::string::npos);
}

TEST_CASE("a stream arrives as it is written, and ends properly")
{
    served s({on("GET", "/stream", [](request&) -> async::task<response> {
        response r;
        r.headers.set("Content-Type", "text/event-stream");
        r.stream = [](stream_writer& out) -> async::task<void> {
            const bool first = co_await out.write("one ");
            const bool nothing = co_await out.write("");
            co_await async::yield();
            const bool second = co_await out.write("two");
            CHECK((first && nothing && second));
        };
        co_return r;
    })});
    s.run([](server& site) -> async::task<void> {
        auto p = co_await dial(site.port());
        co_await p->say(get("/stream"));
        auto r = co_await p->hear_reply();
        CHECK(r.headers["transfer-encoding"] == "chunked");
        CHECK(r.body == "one two");
        CHECK_FALSE(r.is_cut);
        co_await expect_rest(*p, "");

        p = co_await dial(site.port());
        co_await p->say("GET /stream HTTP/1.0\r\n\r\n");
        r = co_await p->hear_reply();
        CHECK(r.headers.count("transfer-encoding") == 0);
        co_await expect_rest(*p, "one two");

        p = co_await dial(site.port());
        co_await p->say("HEAD /stream HTTP/1.1\r\nHost: x\r\n\r\n" + get("/nothing"));
        r = co_await p->hear_reply(true);
        CHECK(r.status == 200);
        CHECK(r.headers.count("content-length") == 0);
        co_await expect_status(*p, 404);
    });
}

TEST_CASE("a stream learns that its reader is gone, even while it has nothing to say")
{
    bool ended = false, was_open = true, wrote = true;
    served s({on("GET", "/stream", [&](request&) -> async::task<response> {
        response r;
        r.stream = [&](stream_writer& out) -> async::task<void> {
            co_await out.write("hello");
            co_await testkit::eventually_async(10s, [&out] { return !out.is_open(); });
            was_open = out.is_open();
            wrote = co_await out.write("anybody?");
            ended = true;
        };
        co_return r;
    })});
    s.run([&](server& site) -> async::task<void> {
        const auto p = co_await dial(site.port());
        co_await p->say(get("/stream"));
        co_await p->hear_until("hello");
        p->socket.close();
        co_await expect_soon(ended);
        CHECK_FALSE(was_open);
        CHECK_FALSE(wrote);
    });
}

TEST_CASE("a stream that doesn't come back after its reader left is cancelled")
{
    bool cancelled = false;
    served s({on("GET", "/stream", [&](request&) -> async::task<response> {
        response r;
        r.stream = [&](stream_writer& out) -> async::task<void> {
            co_await out.write("hello");
            try {
                co_await async::sleep_for(1h);
            }
            catch (const boost::system::system_error&) {
                cancelled = true;
                throw;
            }
        };
        co_return r;
    })});
    s.run([&](server& site) -> async::task<void> {
        const auto p = co_await dial(site.port());
        co_await p->say(get("/stream"));
        co_await p->hear_until("hello");
        p->reset();
        co_await expect_soon(cancelled);
    });
}

TEST_CASE("a stream waits for a slow reader, and gives up on one that doesn't read at all")
{
    server_settings limits;
    limits.write_deadline = 300ms;
    std::size_t written = 0;
    bool ended = false;
    const auto endless = on("GET", "/stream", [&](request&) -> async::task<response> {
        response r;
        r.stream = [&](stream_writer& out) -> async::task<void> {
            const std::string block(64 * 1024, 'x');
            while (co_await out.write(block))
                written += block.size();
            ended = true;
        };
        co_return r;
    });
    served s({endless}, limits);
    s.run([&](server& site) -> async::task<void> {
        const auto p = co_await dial(site.port());
        co_await p->say(get("/stream"));
        co_await expect_soon(ended);
        CHECK(written < 64 * 1024 * 1024); // the two socket buffers, not the heap
    });
}

TEST_CASE("a reader that takes an answer too slowly is cut off")
{
    server_settings limits;
    limits.write_deadline = 200ms;
    served s({text_at("GET", "/", std::string(64 * 1024 * 1024, 'x'))}, limits);
    s.run([&](server& site) -> async::task<void> {
        const auto p = co_await dial(site.port());
        co_await p->say(get("/"));
        co_await p->hear_until("\r\n\r\n");
        boost::asio::steady_timer nap(p->socket.get_executor(), 400ms); // reads nothing meanwhile
        co_await nap.async_wait(boost::asio::use_awaitable);
        const auto came = co_await p->hear_all();
        CHECK(came.size() < 64 * 1024 * 1024);
    });
}

TEST_CASE("a stream that fails is not ended as if it were whole")
{
    captured_log lines;
    served s({on("GET", "/stream", [&](request&) -> async::task<response> {
        response r;
        r.stream = [](stream_writer& out) -> async::task<void> {
            co_await out.write("half of");
            throw std::runtime_error("the database went away");
        };
        co_return r;
    })});
    s.ask(get("/stream"), [](const auto& r) {
        CHECK(r.body == "half of");
        CHECK(r.is_cut);
    });
    log::flush();
    CHECK(lines.has("the database went away"));
}

TEST_CASE("stopping lets requests finish, closes the idle and the streams, and accepts nobody")
{
    boost::asio::io_context loop{1};
    bool go_on = false, stream_saw_it = false;
    const std::vector<route> routes = {on("GET", "/slow",
                                           [&](request&) -> async::task<response> {
                                               co_await testkit::eventually_async(10s, [&] { return go_on; });
                                               co_return response::text(200, "finished");
                                           }),
        on("GET", "/stream",
            [&](request&) -> async::task<response> {
                response r;
                r.stream = [&](stream_writer& out) -> async::task<void> {
                    co_await out.write("hello");
                    co_await testkit::eventually_async(10s, [&out] { return !out.is_open(); });
                    stream_saw_it = true;
                };
                co_return r;
            }),
        text_at("GET", "/", "ok")};
    server site(loop.get_executor(), {}, routes);
    testkit::run(loop, [&]() -> async::task<void> {
        co_await site.start();
        CHECK(site.check().ok);
        const auto slow = co_await dial(site.port());
        const auto idle = co_await dial(site.port());
        const auto stream = co_await dial(site.port());
        const auto half = co_await dial(site.port());
        co_await idle->say(get("/"));
        co_await expect_body(*idle, "ok");
        co_await stream->say(get("/stream"));
        co_await stream->hear_until("hello\r\n");
        co_await half->say("GET / HTTP/1.1\r\nHo");
        co_await slow->say(get("/slow") + get("/slow"));

        bool stopped = false;
        boost::asio::co_spawn(loop, site.stop(), [&](std::exception_ptr) { stopped = true; });
        co_await expect_rest(*idle, "");
        co_await expect_rest(*stream, "0\r\n\r\n");
        CHECK(stream_saw_it);
        CHECK_FALSE(site.check().ok);
        CHECK_FALSE(stopped);
        boost::system::error_code refused;
        wire::tcp::socket late(loop);
        late.connect(
            {boost::asio::ip::address_v4::loopback(), static_cast<std::uint16_t>(site.port())}, refused);
        CHECK(refused);

        go_on = true;
        auto r = co_await slow->hear_reply();
        CHECK(r.body == "finished");
        CHECK(r.headers["connection"] == "close");
        co_await expect_rest(*slow, ""); // the second one was not begun
        co_await half->say("st: x\r\n\r\n");
        r = co_await half->hear_reply();
        CHECK(r.body == "ok");
        CHECK(r.headers["connection"] == "close");
        half->socket.close();
        slow->socket.close();
        co_await expect_soon(stopped);
        co_await site.stop();
    });
}

TEST_CASE("a server that was stopped and started again serves")
{
    boost::asio::io_context loop{1};
    server site(loop.get_executor(), {}, {text_at("GET", "/", "ok")});
    testkit::run(loop, [&]() -> async::task<void> {
        for (int i = 0; i < 2; ++i) {
            co_await site.start();
            CHECK(site.check().ok);
            const auto p = co_await dial(site.port());
            co_await p->say(get("/", "Connection: close\r\n"));
            co_await expect_body(*p, "ok");
            co_await site.stop();
        }
    });
}

TEST_CASE("stopping a server that never started is nothing")
{
    boost::asio::io_context loop{1};
    server site(loop.get_executor(), {}, {});
    testkit::run(loop, [&]() -> async::task<void> {
        co_await site.stop();
        co_await site.stop();
    });
}

TEST_CASE("no damaged request stops the server from answering the next one")
{
    const unsigned seed = std::random_device{}();
    INFO("seed " << seed);
    std::mt19937 random(seed);
    const std::string whole =
        "POST /echo?a=%20b HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Request-Id: r\r\n"
        "Transfer-Encoding: chunked\r\n\r\n5;e=1\r\nhello\r\n0\r\nT: x\r\n\r\n";
    server_settings limits;
    limits.header_limit = 1024;
    limits.body_limit = 1000;
    limits.read_deadline = 5s;
    limits.access_log = false;
    served s({echo_at("/echo")}, limits);
    s.run([&](server& site) -> async::task<void> {
        for (int i = 0; i < 300; ++i) {
            auto text = whole;
            for (unsigned n = 1 + random() % 4; n > 0; --n) {
                const auto at = random() % text.size();
                switch (random() % 4) {
                case 0:
                    text[at] = static_cast<char>(random());
                    break;
                case 1:
                    text.erase(at, 1 + random() % 8);
                    break;
                case 2:
                    text.insert(at, text.substr(random() % text.size(), random() % 200));
                    break;
                default:
                    text.insert(at, 1 + random() % 300, "\r\n0: "[random() % 5]);
                }
                if (text.empty())
                    text = "x";
            }
            const auto p = co_await dial(site.port());
            co_await p->say(text);
            boost::system::error_code ignored;
            p->socket.shutdown(wire::tcp::socket::shutdown_send, ignored);
            const auto said = co_await p->hear_all();
            if (!said.empty() && said.substr(0, 9) != "HTTP/1.1 ")
                FAIL(text << " was answered " << said);
        }
        const auto p = co_await dial(site.port());
        co_await p->say(whole);
        co_await expect_body(*p, "5:hello");
    });
}
