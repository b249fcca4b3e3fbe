#include "clients/gateway.hpp"

#include "coursegate/http/server.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>
#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include <mutex>
#include <thread>

using namespace coursegate;
using namespace coursegate::ctl;
using namespace std::chrono_literals;

namespace {

// A gateway whose stream answers the n-th connection with the n-th text and then closes it.
class breaking_stream
{
public:
    explicit breaking_stream(std::vector<std::string> texts)
        : texts_(std::move(texts)), server_(loop_.get_executor(), {},
                                        {{"GET", "/stream", [this](http::request& r) { return answer(r); }}})
    {
        thread_ = std::thread([this] { loop_.run(); });
        run([this]() -> async::task<void> { co_await server_.start(); });
    }

    ~breaking_stream()
    {
        run([this]() -> async::task<void> { co_await server_.stop(); });
        guard_.reset();
        thread_.join();
    }

    std::string url() const { return "http://127.0.0.1:" + std::to_string(server_.port()); }

    // Last-Event-ID of each connection so far.
    std::vector<std::string> asked()
    {
        const std::lock_guard lock(mutex_);
        return asked_;
    }

private:
    void run(std::function<async::task<void>()> body)
    {
        boost::asio::co_spawn(loop_, std::move(body), boost::asio::use_future).get();
    }

    async::task<http::response> answer(http::request& r)
    {
        http::response out;
        std::string text;
        {
            const std::lock_guard lock(mutex_);
            if (asked_.size() < texts_.size())
                text = texts_[asked_.size()];
            asked_.push_back(r.headers.get("Last-Event-ID").value_or(""));
        }
        if (text == "503") {
            out.status = 503;
            co_return out;
        }
        out.headers.set("Content-Type", "text/event-stream");
        out.stream = [text](http::stream_writer& w) -> async::task<void> { co_await w.write(text); };
        co_return out;
    }

    std::vector<std::string> texts_;
    std::mutex mutex_;
    std::vector<std::string> asked_;
    boost::asio::io_context loop_{1};
    boost::asio::executor_work_guard<boost::asio::io_context::executor_type> guard_{loop_.get_executor()};
    http::server server_;
    std::thread thread_;
};

std::vector<int> follow_until(breaking_stream& gateway, int last)
{
    json_api api{gateway.url(), {}};
    std::vector<int> seen;
    api.follow("/stream", 20s, [&](const std::string&, const nlohmann::json& data) {
        seen.push_back(data["n"].get<int>());
        return seen.back() != last;
    });
    return seen;
}

} // namespace

TEST_CASE("a stream that breaks goes on after the last whole event")
{
    breaking_stream gateway({
        "id: 1.0\n\n",                                        // the opening place, and cut
        "id: 1.1\ndata: {\"n\": 1}\n\nid: 1.2\ndata: {\"n\"", // cut in the middle of the second
        "id: 1.2\ndata: {\"n\": 2}\n\n",
    });
    CHECK(follow_until(gateway, 2) == std::vector<int>{1, 2});
    CHECK(gateway.asked() == std::vector<std::string>{"", "1.0", "1.1"});
}

TEST_CASE("a gateway on its way back is waited for; a refusal is not")
{
    breaking_stream gateway({"id: 1.1\ndata: {\"n\": 1}\n\n", "503", "id: 1.2\ndata: {\"n\": 2}\n\n"});
    CHECK(follow_until(gateway, 2) == std::vector<int>{1, 2});
    CHECK(gateway.asked() == std::vector<std::string>{"", "1.1", "1.1"});

    json_api api{gateway.url(), {}};
    const auto take = [](const std::string&, const nlohmann::json&) { return true; };
    CHECK_THROWS_AS(api.follow("/nowhere", 20s, take), call_failed);
}
