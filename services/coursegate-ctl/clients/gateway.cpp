#include "clients/gateway.hpp"

#include "coursegate/http/client.hpp"
#include "coursegate/http/sse.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <thread>

namespace coursegate::ctl {
namespace {

// Runs one coroutine to its end on a loop of its own.
void run_to_end(boost::asio::io_context& loop, async::task<void> work)
{
    std::exception_ptr fault;
    boost::asio::co_spawn(loop, std::move(work), [&](std::exception_ptr e) { fault = e; });
    loop.restart();
    loop.run();
    if (fault)
        std::rethrow_exception(fault);
}

std::string sentence_of(const std::string& body)
{
    const auto parsed = nlohmann::json::parse(body, nullptr, false);
    if (!parsed.is_object() || !parsed.contains("message"))
        return body.substr(0, 300);
    auto out = parsed["message"].get<std::string>();
    if (parsed.contains("field"))
        out += " (field: " + parsed["field"].get<std::string>() + ")";
    return out;
}

} // namespace

struct json_api::impl
{
    impl(std::string url, base::secret t) : base_url(std::move(url)), token(std::move(t)) {}

    std::string base_url;
    base::secret token;
    boost::asio::io_context loop{1};
    http::client client{loop.get_executor()};

    http::client_request request(const std::string& method, const std::string& path) const
    {
        http::client_request r;
        r.method = method;
        r.url = base_url + path;
        r.deadline = std::chrono::seconds(30);
        r.headers.set("Accept", "application/json");
        if (!token.empty())
            r.headers.set("Authorization", "Bearer " + token.expose());
        return r;
    }
};

json_api::json_api(std::string base_url, base::secret token)
    : impl_(std::make_unique<impl>(std::move(base_url), std::move(token)))
{}

json_api::~json_api() = default;

nlohmann::json json_api::call(const std::string& method, const std::string& path, const nlohmann::json* body)
{
    auto request = impl_->request(method, path);
    if (body != nullptr) {
        request.headers.set("Content-Type", "application/json");
        request.body = body->dump();
    }
    std::optional<base::result<http::client_response>> answer;
    const auto work = [&]() -> async::task<void> {
        answer.emplace(co_await impl_->client.send(std::move(request)));
    };
    run_to_end(impl_->loop, work());
    if (!answer->has_value())
        throw call_failed(
            fmt::format("{} {}{}: {}", method, impl_->base_url, path, answer->error().detail), 0);
    const auto& response = **answer;
    if (response.status >= 400)
        throw call_failed(fmt::format("{} {}{}: {} {}", method, impl_->base_url, path, response.status,
                              sentence_of(response.body)),
            response.status);
    auto parsed = nlohmann::json::parse(response.body, nullptr, false);
    return parsed.is_discarded() ? nlohmann::json::object() : parsed;
}

nlohmann::json json_api::get(const std::string& path)
{
    return call("GET", path);
}

nlohmann::json json_api::post(const std::string& path, const nlohmann::json& body)
{
    return call("POST", path, &body);
}

nlohmann::json json_api::put(const std::string& path, const nlohmann::json& body)
{
    return call("PUT", path, &body);
}

void json_api::follow(const std::string& path, std::chrono::milliseconds longest,
    const std::function<bool(const std::string& type, const nlohmann::json& data)>& take)
{
    const auto ends_at = std::chrono::steady_clock::now() + longest;
    http::sse_parser parser;
    std::string unfinished; // of a block that has not ended: when the connection breaks, it comes again whole
    bool goes_on = true;
    int failures = 0;
    while (goes_on && std::chrono::steady_clock::now() < ends_at) {
        unfinished.clear();
        auto request = impl_->request("GET", path);
        request.headers.set("Accept", "text/event-stream");
        if (!parser.last_id().empty())
            request.headers.set("Last-Event-ID", parser.last_id());
        std::optional<base::result<int>> status;
        const auto on_event = [&](const http::sse_event& e) {
            const auto data = nlohmann::json::parse(e.data, nullptr, false);
            return data.is_discarded() || take(e.event, data);
        };
        const auto on_chunk = [&](std::string_view chunk) {
            failures = 0;
            unfinished += chunk;
            if (const auto end = unfinished.rfind("\n\n"); end != std::string::npos) {
                goes_on = parser.feed(unfinished.substr(0, end + 2), on_event);
                unfinished.erase(0, end + 2);
            }
            return goes_on && std::chrono::steady_clock::now() < ends_at;
        };
        const auto work = [&]() -> async::task<void> {
            status.emplace(co_await impl_->client.stream(std::move(request), on_chunk));
        };
        run_to_end(impl_->loop, work());
        if (status->has_value() && **status >= 400 && **status < 500)
            throw call_failed(fmt::format("GET {}{}: {}", impl_->base_url, path, **status), **status);
        // not reached, or 503: the gateway or its database is on its way back
        if ((!status->has_value() || **status >= 500) && ++failures >= 10)
            throw call_failed(fmt::format("GET {}{}: {}", impl_->base_url, path,
                                  status->has_value() ? std::to_string(**status) : status->error().detail),
                status->has_value() ? **status : 0);
        if (goes_on && std::chrono::steady_clock::now() < ends_at)
            std::this_thread::sleep_for(
                std::chrono::milliseconds(300)); // the gateway restarts: try again soon
    }
}

} // namespace coursegate::ctl
