// The whole way: rows in PostgreSQL, the relay, RabbitMQ, a queue.
#include "coursegate/amqp/inspect.hpp"
#include "coursegate/amqp/publisher.hpp"
#include "coursegate/outbox/outbox.hpp"
#include "coursegate/outbox/relay.hpp"
#include "coursegate/slices/slices.hpp"
#include "coursegate/testkit/broker.hpp"
#include "coursegate/testkit/database.hpp"
#include "coursegate/testkit/run.hpp"
#include "coursegate/testkit/tcp_proxy.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <catch2/catch.hpp>

#include <set>

using namespace coursegate;
using namespace std::chrono_literals;

namespace {

amqp::topology one_queue()
{
    amqp::queue q;
    q.name = "relay.things";
    q.bindings = {"thing_done.v1"};
    amqp::topology t;
    t.queues.push_back(q);
    return t;
}

std::vector<events::envelope> things(int count)
{
    std::vector<events::envelope> out;
    for (int i = 0; i < count; ++i) {
        events::envelope e;
        e.id = base::new_uuid();
        e.source = "/test";
        e.type = "thing_done";
        e.time = base::now();
        e.subject = std::to_string(i);
        e.data = "{}";
        out.push_back(std::move(e));
    }
    return out;
}

constexpr db::statement count_rows{"test.count", "select count(*) as n from outbox"};

struct fixture
{
    int rows()
    {
        return me.transact([](db::transaction& tx) { return db::get<int>(tx.exec(count_rows)[0], "n"); });
    }

    bool until(std::chrono::milliseconds limit, const std::function<bool()>& done)
    {
        return testkit::run(
            loop, [&] { return testkit::eventually_async(limit, done); }, limit + 10s);
    }

    std::multiset<std::string> arrived(std::size_t at_most)
    {
        amqp::inspector look(broker.settings());
        std::multiset<std::string> out;
        for (const auto& m : look.drain(broker.prefix() + ".relay.things", at_most))
            out.insert(m.message_id);
        return out;
    }

    testkit::database data;
    testkit::broker broker{one_queue()};
    boost::asio::io_context loop;
    db::session me{data.settings_as(slices::all().front().service)};
};

} // namespace

TEST_CASE("every committed event arrives once, with its envelope as properties")
{
    fixture f;
    db::pool pool(f.loop.get_executor(), f.data.settings_as(slices::all().front().service));
    amqp::publisher publisher(f.loop.get_executor(), f.broker.settings(), one_queue());
    outbox::relay relay(f.loop.get_executor(), pool, publisher);
    const auto all = things(1200);
    testkit::run(f.loop, [&]() -> async::task<void> {
        co_await pool.start();
        co_await publisher.start();
        co_await relay.start();
        const auto body = [&](db::transaction& tx) { outbox::add_envelopes(tx, all); };
        co_await pool.transact(body);
    });
    CHECK(f.until(30s, [&] { return f.rows() == 0; }));
    testkit::run(f.loop, [&]() -> async::task<void> {
        co_await relay.stop();
        co_await publisher.stop();
        co_await pool.stop();
    });

    amqp::inspector look(f.broker.settings());
    const auto got = look.drain(f.broker.prefix() + ".relay.things", 2000);
    REQUIRE(got.size() == all.size());
    std::set<std::string> ids;
    for (const auto& m : got)
        ids.insert(m.message_id);
    CHECK(ids.size() == all.size());
    CHECK(got[0].type == "thing_done");
    CHECK(got[0].content_type == "application/cloudevents+json");
    CHECK(got[0].body.find("\"subject\"") != std::string::npos);
}

TEST_CASE("a broker connection cut again and again loses no event")
{
    fixture f;
    testkit::tcp_proxy between(f.broker.url());
    auto through = f.broker.settings();
    through.addresses = amqp::parse_addresses(base::secret(between.url(f.broker.url())));
    db::pool pool(f.loop.get_executor(), f.data.settings_as(slices::all().front().service));
    amqp::publisher publisher(f.loop.get_executor(), through, one_queue());
    outbox::relay_settings s;
    s.batch = 50;
    outbox::relay relay(f.loop.get_executor(), pool, publisher, s);
    testkit::run(f.loop, [&]() -> async::task<void> {
        co_await pool.start();
        co_await publisher.start();
        co_await relay.start();
    });

    std::set<std::string> wanted;
    for (int round = 0; round < 12; ++round) {
        const auto more = things(150);
        for (const auto& e : more)
            wanted.insert(base::to_string(e.id));
        const auto body = [&](db::transaction& tx) { outbox::add_envelopes(tx, more); };
        testkit::run(f.loop, [&] { return pool.transact(body); });
        if (round % 3 == 1)
            between.cut_after_sent(10'000); // in the middle of a batch
        else if (round % 3 == 2)
            between.cut_after_received(50); // messages arrived, confirms did not
        f.until(100ms, [&] { return false; });
    }
    CHECK(f.until(90s, [&] { return f.rows() == 0; }));
    testkit::run(f.loop, [&]() -> async::task<void> {
        co_await relay.stop();
        co_await publisher.stop();
        co_await pool.stop();
    });

    const auto got = f.arrived(20'000);
    std::size_t lost = 0;
    for (const auto& id : wanted)
        lost += got.contains(id) ? 0 : 1;
    CHECK(lost == 0);
    INFO("copies beyond the first: " << got.size() - wanted.size());
    CHECK(got.size() < 3 * wanted.size());
}
