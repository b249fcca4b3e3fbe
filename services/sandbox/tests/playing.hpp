// A sandbox that runs inside a test, on a real socket, with a clock of its own.
#pragma once

#include "coursegate/http/client.hpp"
#include "handlers/routes.hpp"
#include "tests/sample.hpp"

#include <nlohmann/json.hpp>

#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace coursegate::sandbox {

class playing
{
public:
    using json = nlohmann::ordered_json;

    playing() : client_(loop.get_executor(), client_settings())
    {
        testkit::run(loop, [this]() -> async::task<void> {
            co_await server_.start();
            co_await stage_.start();
        });
    }
    ~playing()
    {
        testkit::run(loop, [this]() -> async::task<void> {
            co_await stage_.stop();
            co_await server_.stop();
        });
    }

    struct answer
    {
        bool arrived = false;
        std::optional<base::error> error;
        int status = 0;
        http::headers headers;
        std::string body;
        json value; // of a JSON body
    };

    answer send(const std::string& method, const std::string& target, const std::string& body = {},
        const std::vector<std::pair<std::string, std::string>>& headers = {},
        std::chrono::milliseconds deadline = std::chrono::seconds(10), bool accept_gzip = false)
    {
        http::client_request r;
        r.method = method;
        r.url = "http://127.0.0.1:" + std::to_string(server_.port()) + target;
        r.body = body;
        r.deadline = deadline;
        r.accept_gzip = accept_gzip;
        for (const auto& [name, value] : headers)
            r.headers.set(name, value);
        return testkit::run(loop, [this, r]() -> async::task<answer> {
            answer out;
            auto got = co_await client_.send(r);
            if (!got) {
                out.error = got.error();
                co_return out;
            }
            out.arrived = true;
            out.status = got->status;
            out.headers = got->headers;
            out.body = std::move(got->body);
            out.value = json::parse(out.body, nullptr, false);
            co_return out;
        });
    }

    // Stepik, with the author's token.
    answer get(const std::string& target)
    {
        return send("GET", target, {}, {{"Authorization", "Bearer " + token()}});
    }

    std::string token(
        const std::string& client = "sandbox-client", const std::string& secret = "sandbox-secret")
    {
        auto& known = tokens_[client];
        if (known.empty())
            known = send("POST", "/oauth2/token/",
                "grant_type=client_credentials&client_id=" + client + "&client_secret=" + secret,
                {{"Content-Type", "application/x-www-form-urlencoded"}})
                        .value["access_token"]
                        .get<std::string>();
        return known;
    }

    // Boomstream as our client calls it: POST, JSON, Bearer, ver 1.2.
    answer boom(const std::string& method, json body, const std::string& key = "sandbox-key")
    {
        body["ver"] = "1.2";
        return send("POST", "/api/" + method, body.dump(),
            {{"Authorization", "Bearer " + key}, {"Content-Type", "application/json"}});
    }

    answer control(const std::string& method, const std::string& what, const json& body = nullptr)
    {
        return send(method, "/control/" + what, body.is_null() ? std::string() : body.dump());
    }

    std::vector<std::int64_t> students(int count, json more = json::object())
    {
        more["count"] = count;
        std::vector<std::int64_t> out;
        const auto made = control("POST", "students", more);
        for (const auto& s : made.value.at("students"))
            out.push_back(s["user"].get<std::int64_t>());
        return out;
    }

    boost::asio::io_context loop;
    testkit::fake_clock clock{base::parse_iso8601("2026-01-02T03:04:05.678Z").value()};
    world w{clock, sample_data()};

private:
    static http::client_settings client_settings()
    {
        http::client_settings out;
        out.circuit_after = 1'000'000; // faults are what is tested
        return out;
    }

    stage stage_{w};
    stepik_api stepik_{w};
    boomstream_api boomstream_{w};
    control_api control_{w};
    http::server server_{
        loop.get_executor(), server_settings("127.0.0.1", 0), routes(stage_, stepik_, boomstream_, control_)};
    http::client client_;
    std::map<std::string, std::string> tokens_;
};

} // namespace coursegate::sandbox
