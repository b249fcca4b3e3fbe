#include "fixture.hpp"

#include "coursegate/async/gate.hpp"
#include "coursegate/testkit/tcp_proxy.hpp"

using namespace coursegate;
using namespace coursegate::amqp;

namespace {

using outcomes = std::vector<events::delivery>;

} // namespace

TEST_CASE("a published event is confirmed and arrives whole, with its properties")
{
    fixture f;
    const auto cause = events::cause{"chain-1", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"};
    const auto envelope = events::wrap("stepik-sync", passed(7), cause);
    f.run([&]() -> async::task<void> {
        std::vector<events::outgoing> one{message_of(envelope)};
        co_await f.publish(one);
        CHECK(f.out->check().ok);
        CHECK(f.out->check().last_work.has_value());
    });
    const auto arrived = f.look().drain(f.name(), 10);
    REQUIRE(arrived.size() == 1);
    CHECK(arrived[0].message_id == base::to_string(envelope.id));
    CHECK(arrived[0].type == "lesson_passed");
    CHECK(arrived[0].content_type == "application/cloudevents+json");
    CHECK(arrived[0].correlation_id == "chain-1");
    CHECK(arrived[0].headers.at("traceparent") == cause.traceparent);
    CHECK(arrived[0].body == envelope.to_body());
}

TEST_CASE("many messages in one call, more than one window: each has its outcome and is in the queue once")
{
    fixture f;
    constexpr int count = 2'500;
    f.run([&]() -> async::task<void> { co_await f.publish(messages(1, count)); });
    CHECK(f.depth(f.name()) == count);
}

TEST_CASE("an event nobody listens to counts as sent and is kept in the queue of the unheard")
{
    fixture f;
    f.run([&]() -> async::task<void> {
        auto one = messages(1, 1);
        one[0].routing_key = "lesson_passed.v9";
        co_await f.publish(one);
    });
    CHECK(f.depth(f.name()) == 0);
    CHECK(f.look().drain(f.broker.prefix() + ".unheard", 10).size() == 1);
}

TEST_CASE("a copy for a queue that is not there is refused; the messages around it are confirmed")
{
    fixture f;
    f.run([&]() -> async::task<void> {
        copy lost;
        lost.queue = f.name("nowhere");
        lost.body = "{}";
        lost.message_id = "same-id";
        copy good = lost;
        good.queue = f.name();
        const auto before = co_await f.out->publish_copy(good);
        const auto between = co_await f.out->publish_copy(lost);
        const auto after = co_await f.out->publish_copy(good);
        CHECK(before == events::delivery::confirmed);
        CHECK(between == events::delivery::refused);
        CHECK(after == events::delivery::confirmed);
    });
    CHECK(f.look().drain(f.name(), 10).size() == 2);
}

TEST_CASE("a large body arrives whole")
{
    fixture f;
    f.run([&]() -> async::task<void> {
        copy big;
        big.queue = f.name();
        big.body = std::string(3'000'000, 'x');
        big.message_id = "big";
        const auto outcome = co_await f.out->publish_copy(big);
        CHECK(outcome == events::delivery::confirmed);
    });
    const auto arrived = f.look().drain(f.name(), 10);
    REQUIRE(arrived.size() == 1);
    CHECK(arrived[0].body == std::string(3'000'000, 'x'));
}

TEST_CASE("stop waits for confirms in flight, and afterwards everything is unknown at once")
{
    fixture f;
    f.run([&]() -> async::task<void> {
        // Published in the background while stop() runs.
        auto done = std::make_shared<outcomes>();
        async::gate gate{f.loop.get_executor()};
        gate.spawn("publish", [&f, done]() -> async::task<void> {
            auto all = messages(1, 900);
            *done = co_await f.out->publish(std::move(all));
        });
        co_await async::yield();
        co_await f.out->stop();
        co_await gate.close(false);
        CHECK(*done == outcomes(900, events::delivery::confirmed));

        auto late = messages(1, 2);
        const auto refused = co_await f.out->publish(std::move(late));
        CHECK(refused == outcomes(2, events::delivery::unknown));
        CHECK_FALSE(f.out->check().ok);
    });
    CHECK(f.depth(f.name()) == 900);
}

TEST_CASE("an empty batch has no outcomes")
{
    fixture f;
    f.run([&]() -> async::task<void> {
        std::vector<events::outgoing> none;
        const auto outcome = co_await f.out->publish(none);
        CHECK(outcome.empty());
    });
}

TEST_CASE("an address that refuses is skipped for the next one")
{
    fixture f;
    auto closed = f.settings.addresses[0];
    closed.port = 1; // nobody listens on tcpmux
    f.settings.addresses.insert(f.settings.addresses.begin(), closed);
    f.run([&]() -> async::task<void> { co_await f.publish(messages(1, 3)); });
    CHECK(f.depth(f.name()) == 3);
}

TEST_CASE("two addresses that say nothing do not keep the third from being tried")
{
    fixture f;
    testkit::tcp_proxy silent{f.broker.url()};
    silent.pause();
    auto deaf = f.settings.addresses[0];
    deaf.host = "127.0.0.1";
    deaf.port = silent.port();
    f.settings.addresses.insert(f.settings.addresses.begin(), 2, deaf);
    f.settings.connect_timeout = 1s;
    f.run([&]() -> async::task<void> { co_await f.publish(messages(1, 1)); });
    CHECK(f.depth(f.name()) == 1);
}

TEST_CASE("start without a broker, or with a wrong password, says dependency_down and why")
{
    fixture f;
    boost::asio::io_context loop;
    auto deaf = f.settings;
    deaf.addresses[0].port = 1; // nobody listens on tcpmux
    auto locked = f.settings;
    locked.addresses[0].password = base::secret("hush-hush");
    publisher no_broker{loop.get_executor(), deaf, f.wanted};
    publisher no_entry{loop.get_executor(), locked, f.wanted};

    // Both at once: each waits for its first connection as long as it may.
    std::string why_deaf, why_locked;
    const auto start = [](publisher& p, std::string& why) -> async::task<void> {
        try {
            co_await p.start();
        }
        catch (const base::dependency_down& e) {
            why = e.what();
        }
    };
    auto body = [&]() -> async::task<void> {
        async::gate both{loop.get_executor()};
        both.spawn("deaf", [&] { return start(no_broker, why_deaf); });
        both.spawn("locked", [&] { return start(no_entry, why_locked); });
        co_await both.close(false);
    };
    testkit::run(loop, body, 20s);
    CHECK_THAT(why_deaf, Catch::Contains("127.0.0.1:1 can't be reached"));
    CHECK_THAT(why_locked, Catch::Contains("ACCESS_REFUSED"));
    CHECK_THAT(no_entry.check().detail, Catch::Contains("ACCESS_REFUSED") && !Catch::Contains("hush-hush"));
    CHECK_FALSE(no_entry.check().ok);
}

TEST_CASE("a queue that exists with other arguments is refused by name at start")
{
    fixture f;
    auto other = f.wanted;
    other.queues[0].name = "work.retry.1s"; // declared by the fixture as a retry queue
    CHECK_THROWS_WITH(declare(f.settings, other), Catch::Contains("work.retry.1s"));

    boost::asio::io_context loop;
    amqp::publisher p{loop.get_executor(), f.settings, other};
    auto body = [&]() -> async::task<void> { co_await p.start(); };
    CHECK_THROWS_WITH(testkit::run(loop, body, 20s), Catch::Contains("work.retry.1s"));
    remove(f.settings, other);
}
