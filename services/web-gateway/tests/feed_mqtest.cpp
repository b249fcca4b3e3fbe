#include "handlers/on_event.hpp"
#include "handlers/parked_messages.hpp"

#include "coursegate/amqp/consumer.hpp"
#include "coursegate/amqp/publisher.hpp"
#include "coursegate/db/transaction.hpp"
#include "coursegate/events/lesson_passed.hpp"
#include "coursegate/slices/slices.hpp"
#include "coursegate/testkit/broker.hpp"
#include "coursegate/testkit/database.hpp"
#include "coursegate/testkit/run.hpp"

#include <boost/asio/io_context.hpp>
#include <catch2/catch.hpp>

using namespace coursegate;
using namespace coursegate::web_gateway;
using namespace std::chrono_literals;

namespace {

events::outgoing message(const events::envelope& e)
{
    events::outgoing out;
    out.message_id = base::to_string(e.id);
    out.type = e.type;
    out.routing_key = e.routing_key();
    out.correlation_id = e.correlation_id;
    out.body = e.to_body();
    return out;
}

events::envelope passed(std::int64_t lesson)
{
    events::lesson_passed e;
    e.course_id = 5;
    e.stepik_user_id = 900;
    e.lesson_id = lesson;
    e.passed_before = e.seen_at = base::now();
    return events::wrap("stepik-sync", e);
}

} // namespace

TEST_CASE("whatever is published ends in the event log once")
{
    const auto topology = slices::topology_of(slices::find("web-gateway"));
    testkit::database database;
    testkit::broker broker(topology);
    boost::asio::io_context loop;
    db::pool pool(loop.get_executor(), database.settings_as("web-gateway"));
    amqp::publisher publisher(loop.get_executor(), broker.settings(), topology);
    on_event handler(pool);
    events::subscriptions subscriptions;
    subscriptions.on_any("web-gateway.feed", "web_gateway.on_event",
        [&](events::message_context& context) { return handler.handle(context); });
    amqp::consumer consumer(loop.get_executor(), broker.settings(), topology, subscriptions, publisher);

    const auto recorded = [&] {
        return database.owner().transact([](db::transaction& tx) {
            return db::get<int>(
                tx.exec(db::statement{"test.count", "SELECT count(*) AS n FROM accounts.feed"})[0], "n");
        });
    };
    auto run = [&]() -> async::task<void> {
        co_await pool.start();
        co_await publisher.start();
        co_await consumer.start();

        std::vector<events::outgoing> messages;
        for (int lesson = 1; lesson <= 300; ++lesson)
            messages.push_back(message(passed(lesson)));
        const auto twice = messages.front();
        messages.push_back(twice);
        // A version that nobody here has heard of, on a key that is bound.
        auto unknown = passed(1000);
        unknown.type = "lesson_applauded";
        auto odd = message(unknown);
        odd.routing_key = "lesson_passed.v1";
        messages.push_back(odd);
        const auto sent = co_await publisher.publish(messages);
        CHECK(std::count(sent.begin(), sent.end(), events::delivery::confirmed) == 302);
        const bool all = co_await testkit::eventually_async(20s, [&] { return recorded() == 301; });
        CHECK(all);

        co_await consumer.stop();
        co_await publisher.stop();
        co_await pool.stop();
    };
    testkit::run(loop, run, 60s);
    CHECK(recorded() == 301);
}

TEST_CASE("what was put aside is shown with its reason and goes back when somebody says so")
{
    const auto topology = slices::topology_of(slices::find("web-gateway"));
    testkit::broker broker(topology);
    boost::asio::io_context loop;
    amqp::publisher publisher(loop.get_executor(), broker.settings(), topology);
    async::workers threads({"test", 1, 4});
    parked_messages parked(broker.settings(), threads);
    CHECK(parked_messages::is_queue("web-gateway.feed"));
    CHECK_FALSE(parked_messages::is_queue("web-gateway.feed.dead"));
    auto run = [&]() -> async::task<void> {
        co_await publisher.start();
        const auto nothing = co_await parked.list();
        CHECK(nothing.empty());
        for (const auto* id : {"one", "two", "three"}) {
            amqp::copy c;
            c.queue = broker.settings().prefix + ".web-gateway.feed.dead";
            c.message_id = id;
            c.type = "lesson_passed";
            c.body = "{}";
            c.headers = {{"x-reason", "handler"}, {"x-last-error", "it broke"}};
            const auto sent = co_await publisher.publish_copy(c);
            CHECK(sent == events::delivery::confirmed);
        }
        const auto queues = co_await parked.list();
        REQUIRE(queues.size() == 1);
        CHECK(queues[0].queue == "web-gateway.feed");
        CHECK(queues[0].parked == 3);
        const std::string queue = "web-gateway.feed";
        const auto shown = co_await parked.preview(queue, 2);
        REQUIRE(shown.size() == 2);
        CHECK(shown[0].message_id == "one");
        CHECK(shown[0].reason == "handler");
        CHECK(shown[0].error == "it broke");
        const std::set<std::string> second{"two"};
        const auto moved = co_await parked.redrive(queue, second, 100);
        CHECK(moved == 1);
        const std::set<std::string> all;
        const auto rest = co_await parked.redrive(queue, all, 100);
        CHECK(rest == 2);
        const auto empty = co_await parked.list();
        CHECK(empty.empty());
        co_await threads.stop();
        co_await publisher.stop();
    };
    testkit::run(loop, run, 60s);
    amqp::inspector look(broker.settings());
    CHECK(look.depth(broker.settings().prefix + ".web-gateway.feed") == 3u);
}

TEST_CASE("every event that web-gateway publishes or hears of is bound to its feed")
{
    const auto& mine = slices::find("web-gateway");
    REQUIRE(mine.queues.size() == 1);
    const auto& bound = mine.queues[0].bindings;
    for (const auto& slice : slices::all())
        for (const auto& key : slice.publishes) {
            // stepik-sync's own work orders to itself are no news.
            if (key == "sweep_page_due.v1" || key == "structure_sync_due.v1")
                continue;
            INFO(key);
            CHECK(std::find(bound.begin(), bound.end(), key) != bound.end());
        }
}
