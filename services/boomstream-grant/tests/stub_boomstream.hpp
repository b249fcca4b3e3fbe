// A small Boomstream over real HTTP: keeps buyers, counts calls, and answers badly when told to.
#pragma once

#include "coursegate/async/signal.hpp"
#include "coursegate/http/server.hpp"
#include "coursegate/testkit/run.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>

namespace coursegate::boomstream_grant::test {

// How one call is answered instead of well.
enum class ugly
{
    none,              // well
    refuse_failed,     // HTTP 200, Status Failed, nothing done
    not_found,         // the same, "Subscription not found"
    bad_gateway_after, // done, HTTP 502 with a page
    empty_after,       // done, empty body
    cut_before,        // nothing done, JSON that breaks off
    silence_after,     // done, no answer before the caller's deadline
    silence_before,    // nothing done, no answer
    late,              // no answer, and done only when `release` is set
    tells_secrets,     // HTTP 200, Status Failed, with key and code in its words
    too_many,          // HTTP 429 with Retry-After
};

class stub_boomstream
{
public:
    struct kept
    {
        std::string email, end;
        std::string recovery = "20";
        int added = 0; // how often addbuyer was called for it while it was there
    };

    explicit stub_boomstream(async::executor ex) : release(ex), executor_(std::move(ex)) {}

    async::task<void> start()
    {
        http::server_settings s;
        s.access_log = false;
        s.metrics_name = "stub";
        std::vector<http::route> routes;
        http::route r;
        r.method = "POST";
        r.pattern = "/api/ppv/{method}";
        r.handler = [this](http::request& q) { return answer(q); };
        routes.push_back(std::move(r));
        server_ = std::make_unique<http::server>(executor_, s, std::move(routes));
        co_await server_->start();
    }
    async::task<void> stop() { co_await server_->stop(); }
    std::string url() const { return "http://127.0.0.1:" + std::to_string(server_->port()); }

    // Subscription, code.
    std::map<std::string, std::map<std::string, kept>> buyers;
    std::map<std::string, int> calls; // by method
    std::deque<ugly> next;            // answers to the next calls that change something
    std::deque<ugly> next_lists;
    std::string key = "stub-key";
    std::chrono::milliseconds latency{0};
    int most_at_once = 0;             // calls in flight for one (subscription, code)
    std::map<std::string, int> added; // addbuyer calls by subscription/code
    std::map<std::string, std::vector<std::chrono::steady_clock::time_point>> listed; // by subscription
    async::signal release;
    std::vector<std::string> unexpected;
    std::optional<int> shape; // of lists: 0 array, 1 {"Item": …}

    int count(const std::string& subscription) const
    {
        const auto it = buyers.find(subscription);
        return it == buyers.end() ? 0 : static_cast<int>(it->second.size());
    }
    bool has(const std::string& subscription, const std::string& hash) const
    {
        const auto it = buyers.find(subscription);
        return it != buyers.end() && it->second.contains(hash);
    }
    int changes() const
    {
        int out = 0;
        for (const auto& [method, n] : calls)
            if (method != "listbuyers")
                out += n;
        return out;
    }

private:
    static http::response failed(const std::string& message)
    {
        const nlohmann::json j = {
            {"Status", "Failed"}, {"Message", message}, {"RequestURI", "/api?apikey=stub-key"}};
        return http::response::json(200, j);
    }

    async::task<http::response> answer(http::request& q)
    {
        const auto method = q.path_parameters.at("method");
        ++calls[method];
        const auto body = nlohmann::json::parse(q.body);
        if (q.headers.get("Authorization") != "Bearer " + key)
            co_return failed("Invalid API key");
        if (body.value("ver", "") != "1.2")
            unexpected.push_back("ver " + body.dump());
        const auto code = body.at("code").get<std::string>();
        const auto hash = body.value("hash", "");
        const auto place = code + "/" + hash;

        if (method == "listbuyers")
            listed[code].push_back(std::chrono::steady_clock::now());

        std::optional<ugly> how;
        auto& plan = method == "listbuyers" ? next_lists : next;
        if (!plan.empty()) {
            how = plan.front();
            if (how == ugly::none)
                how.reset();
            plan.pop_front();
        }
        most_at_once = std::max(most_at_once, ++in_flight_[place]);
        if (latency.count() > 0)
            co_await async::sleep_for(latency);
        const bool undone = how == ugly::refuse_failed || how == ugly::not_found || how == ugly::cut_before ||
                            how == ugly::silence_before || how == ugly::too_many ||
                            how == ugly::tells_secrets;
        if (how == ugly::late)
            co_await release.wait_for(std::chrono::seconds(60));
        if (!undone)
            change(method, body, code, hash);
        --in_flight_[place]; // nothing happens to the buyer any more, whenever the caller hears of it
        if (how == ugly::silence_after || how == ugly::silence_before)
            co_await async::sleep_for(std::chrono::seconds(2));
        if (how == ugly::tells_secrets)
            co_return failed("refused: key=" + key + "&hash=" + hash);
        if (how)
            co_return badly(*how);

        nlohmann::json j = {{"Status", "Success"}, {"Version", "1.2"},
            {"RequestURI", "/api/ppv/" + method + "?apikey=" + key}};
        if (method == "listbuyers") {
            auto items = nlohmann::json::array();
            for (const auto& [h, b] : buyers[code])
                items.push_back({{"Hash", h}, {"Email", b.email}, {"Recovery", b.recovery},
                    {"AccessExpirationDate", b.end}});
            j["Items"] = shape == 1 ? nlohmann::json{{"Item", items}} : items;
        }
        else if (method != "deletebuyer") {
            j["Hash"] = hash;
            j["AccessExpirationDate"] = buyers[code][hash].end;
        }
        co_return http::response::json(200, j);
    }

    void change(const std::string& method, const nlohmann::json& body, const std::string& code,
        const std::string& hash)
    {
        if (method == "addbuyer" || method == "updatebuyer") {
            if (hash.size() != 9 || body.value("notification", 1) != 0 || body.value("media", "").size() != 8)
                unexpected.push_back(body.dump());
            auto& b = buyers[code][hash];
            b.email = body.value("email", "");
            b.end = body.value("access_expire", "");
            if (method == "addbuyer") {
                ++b.added;
                ++added[code + "/" + hash];
            }
        }
        else if (method == "deletebuyer")
            buyers[code].erase(hash);
        else if (method != "listbuyers")
            unexpected.push_back(method);
    }

    static http::response badly(ugly how)
    {
        switch (how) {
        case ugly::refuse_failed:
            return failed("Something is wrong today");
        case ugly::not_found:
            return failed("Subscription not found");
        case ugly::bad_gateway_after:
            return http::response::html(502, "<html><h1>Bad Gateway</h1></html>");
        case ugly::empty_after:
            return http::response::text(200, "", "application/json");
        case ugly::cut_before:
            return http::response::text(200, R"({"Status":"Succ)", "application/json");
        case ugly::too_many: {
            auto r = http::response::text(429, "slow down");
            r.headers.set("Retry-After", "1");
            return r;
        }
        case ugly::none:
        case ugly::silence_after:
        case ugly::silence_before:
        case ugly::late:
        case ugly::tells_secrets:
            break;
        }
        return http::response::text(504, "");
    }

    async::executor executor_;
    std::unique_ptr<http::server> server_; // a new one at each start
    std::map<std::string, int> in_flight_;
};

} // namespace coursegate::boomstream_grant::test
