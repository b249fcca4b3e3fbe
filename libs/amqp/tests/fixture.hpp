// Never await inside CHECK or REQUIRE: Catch evaluates the expression three times then.
//
// What the broker tests share: a loop, a private set of queues, and a publisher and consumer that are always
// stopped.
#pragma once

#include "coursegate/amqp/consumer.hpp"
#include "coursegate/amqp/inspect.hpp"
#include "coursegate/amqp/publisher.hpp"
#include "coursegate/events/lesson_passed.hpp"
#include "coursegate/testkit/broker.hpp"
#include "coursegate/testkit/run.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace coursegate::amqp {

using namespace std::chrono_literals;

inline queue test_queue(const std::string& name, int prefetch = 20, int max_attempts = 3)
{
    queue q;
    q.name = name;
    q.bindings = {"lesson_passed.v1"};
    q.prefetch = prefetch;
    q.max_attempts = max_attempts;
    return q;
}

inline topology one_queue(int prefetch = 20, int max_attempts = 3)
{
    topology t;
    t.queues.push_back(test_queue("work", prefetch, max_attempts));
    return t;
}

inline events::lesson_passed passed(std::int64_t lesson)
{
    events::lesson_passed e;
    e.course_id = 247'644;
    e.stepik_user_id = 900'000'101;
    e.lesson_id = lesson;
    e.passed_before = base::now();
    e.seen_at = e.passed_before;
    return e;
}

inline events::outgoing message_of(const events::envelope& e)
{
    events::outgoing out;
    out.message_id = base::to_string(e.id);
    out.type = e.type;
    out.routing_key = e.routing_key();
    out.correlation_id = e.correlation_id;
    out.traceparent = e.traceparent;
    out.body = e.to_body();
    return out;
}

inline std::vector<events::outgoing> messages(std::int64_t first, std::int64_t count)
{
    std::vector<events::outgoing> out;
    for (std::int64_t lesson = first; lesson < first + count; ++lesson)
        out.push_back(message_of(events::wrap("test", passed(lesson))));
    return out;
}

using handler_function =
    std::function<async::task<events::verdict>(const events::lesson_passed&, events::message_context&)>;

class fixture
{
public:
    explicit fixture(topology t = one_queue()) : wanted(t), broker(t), settings(broker.settings()) {}

    boost::asio::io_context loop;
    topology wanted;
    testkit::broker broker;
    amqp::settings settings; // what publisher and consumer get; a test may change it before run()
    events::subscriptions subscriptions;
    std::unique_ptr<amqp::publisher> out;
    std::unique_ptr<amqp::consumer> in;

    std::string name(const std::string& queue = "work") const { return broker.prefix() + "." + queue; }
    std::string dead(const std::string& queue = "work") const { return name(queue) + ".dead"; }

    void handle(handler_function h, const std::string& queue = "work")
    {
        subscriptions.on<events::lesson_passed>(queue, "test.on_lesson_passed", std::move(h));
    }

    // Starts the publisher (and the consumer, when something was subscribed), runs the body, stops both.
    void run(std::function<async::task<void>()> body, std::chrono::milliseconds limit = 60s)
    {
        auto all = [this, &body]() -> async::task<void> {
            out = std::make_unique<amqp::publisher>(loop.get_executor(), settings, wanted);
            co_await out->start();
            if (!subscriptions.queues().empty()) {
                in = std::make_unique<amqp::consumer>(
                    loop.get_executor(), settings, wanted, subscriptions, *out);
                co_await in->start();
            }
            std::exception_ptr failure;
            try {
                co_await body();
            }
            catch (...) {
                failure = std::current_exception();
            }
            if (in)
                co_await in->stop();
            co_await out->stop();
            if (failure)
                std::rethrow_exception(failure);
        };
        testkit::run(loop, all, limit);
    }

    // Renewed every few seconds: it sends no heartbeats between its calls, and the broker ends a connection
    // that is silent for two of them.
    inspector& look()
    {
        const auto now = std::chrono::steady_clock::now();
        if (!look_ || now - looks_since_ > 5s) {
            look_.emplace(broker.settings());
            looks_since_ = now;
        }
        return *look_;
    }

    std::uint64_t depth(const std::string& full_queue) { return look().depth(full_queue).value_or(0); }

    // Events that wait in the queue. A probe that was on its way when the consumer stopped stays there and
    // does not count.
    std::size_t waiting()
    {
        const auto all = look().peek(name(), 1'000);
        return static_cast<std::size_t>(
            std::count_if(all.begin(), all.end(), [](const parked_message& m) { return m.type != "probe"; }));
    }

    // Publishes and expects every confirm.
    async::task<void> publish(std::vector<events::outgoing> all)
    {
        const auto count = all.size();
        const auto outcomes = co_await out->publish(std::move(all));
        REQUIRE(outcomes == std::vector<events::delivery>(count, events::delivery::confirmed));
    }

private:
    std::optional<inspector> look_;
    std::chrono::steady_clock::time_point looks_since_;
};

} // namespace coursegate::amqp
