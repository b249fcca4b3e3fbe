#include "fixture.hpp"

using namespace coursegate;
using namespace coursegate::amqp;

namespace {

copy copy_for(const std::string& queue, const std::string& id)
{
    copy c;
    c.queue = queue;
    c.body = "{\"id\":\"" + id + "\"}";
    c.message_id = id;
    c.type = "lesson_passed";
    c.headers["x-attempts"] = "8";
    c.headers["x-reason"] = "attempts ran out";
    return c;
}

} // namespace

TEST_CASE("depth tells an empty queue from one that is not there, again and again")
{
    fixture f;
    CHECK(f.look().depth(f.name()) == std::uint64_t{0});
    CHECK_FALSE(f.look().depth(f.name("nowhere")).has_value());
    CHECK_FALSE(f.look().depth(f.name("nowhere")).has_value());
    CHECK(f.look().depth(f.name()) == std::uint64_t{0});
}

TEST_CASE("peek leaves the messages where they are; move copies what is chosen with attempts set back")
{
    fixture f;
    f.run([&]() -> async::task<void> {
        for (const auto* const id : {"a", "b", "c"}) {
            auto c = copy_for(f.dead(), id);
            co_await f.out->publish_copy(c);
        }
    });
    const auto peeked = f.look().peek(f.dead(), 10);
    REQUIRE(peeked.size() == 3);
    CHECK(peeked[1].message_id == "b");
    CHECK(peeked[1].headers.at("x-reason") == "attempts ran out");
    CHECK(testkit::eventually(30s, [&] { return f.depth(f.dead()) == 3; }));

    const auto moved =
        f.look().move(f.dead(), f.name(), 10, [](const parked_message& m) { return m.message_id != "b"; });
    CHECK(moved == 2);
    CHECK(testkit::eventually(30s, [&] { return f.depth(f.dead()) == 1; }));
    const auto arrived = f.look().drain(f.name(), 10);
    REQUIRE(arrived.size() == 2);
    CHECK(arrived[0].message_id == "a");
    CHECK(arrived[1].message_id == "c");
    CHECK(arrived[0].headers.count("x-attempts") == 0);
    CHECK(arrived[0].headers.count("x-reason") == 0);
    CHECK(arrived[0].headers.at("x-origin-user") == f.settings.addresses[0].user);
}

TEST_CASE("moving into a queue that is not there loses nothing")
{
    fixture f;
    f.run([&]() -> async::task<void> {
        auto c = copy_for(f.dead(), "a");
        co_await f.out->publish_copy(c);
    });
    {
        inspector clumsy{f.settings};
        CHECK_THROWS_WITH(
            clumsy.move(f.dead(), f.name("nowhere"), 10, [](const parked_message&) { return true; }),
            Catch::Contains("did not take a copy"));
    }
    CHECK(testkit::eventually(30s, [&] { return f.depth(f.dead()) == 1; }));
}

TEST_CASE("the broker's own dead letters are readable: x-death as text")
{
    fixture f;
    f.run([&]() -> async::task<void> {
        auto c = copy_for(f.name() + ".retry.1s", "a");
        co_await f.out->publish_copy(c);
        // Its time to live takes it back to the queue.
        const bool back = co_await testkit::eventually_async(10s, [&] { return f.depth(f.name()) == 1; });
        CHECK(back);
    });
    const auto arrived = f.look().drain(f.name(), 10);
    REQUIRE(arrived.size() == 1);
    CHECK_THAT(arrived[0].headers.at("x-death"), Catch::Contains("\"reason\":\"expired\""));
}

TEST_CASE("publish by hand says whether a queue took it")
{
    fixture f;
    CHECK(f.look().publish("lesson_passed.v1", copy_for("", "by-hand")));
    CHECK(f.depth(f.name()) == 1);
}

TEST_CASE("the topology can be declared any number of times, and removed")
{
    fixture f;
    declare(f.settings, f.wanted);
    declare(f.settings, f.wanted);
    CHECK(f.look().depth(f.dead()).has_value());
    CHECK(f.look().depth(f.name() + ".retry.10m").has_value());
    remove(f.settings, f.wanted);
    CHECK_FALSE(f.look().depth(f.name()).has_value());
    CHECK_FALSE(f.look().depth(f.broker.prefix() + ".unheard").has_value());
}

TEST_CASE("an inspector without a broker says dependency_down")
{
    settings s;
    s.addresses = parse_addresses(base::secret("amqp://u:p@127.0.0.1:1"));
    CHECK_THROWS_AS(inspector(s), base::dependency_down);
}
