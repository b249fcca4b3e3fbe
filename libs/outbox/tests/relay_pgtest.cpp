// The relay against real PostgreSQL, with a way out whose answers the test decides: confirms that come,
// confirms that get lost, refusals. Its work with RabbitMQ is in relay_mqtest.cpp.
#include "coursegate/outbox/relay.hpp"

#include "coursegate/metrics/metrics.hpp"
#include "coursegate/outbox/outbox.hpp"
#include "coursegate/slices/slices.hpp"
#include "coursegate/testkit/database.hpp"
#include "coursegate/testkit/run.hpp"
#include "coursegate/testkit/tcp_proxy.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <catch2/catch.hpp>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <iostream>
#include <map>
#include <random>

using namespace coursegate;
using namespace std::chrono_literals;

namespace {

class scripted final : public events::publisher
{
public:
    using decision = std::function<events::delivery(const events::outgoing&, int attempt)>;

    async::task<std::vector<events::delivery>> publish(std::vector<events::outgoing> messages) override
    {
        ++batches;
        ++in_flight;
        most_in_flight = std::max(most_in_flight, in_flight);
        std::vector<events::delivery> out;
        for (const auto& m : messages) {
            const int attempt = ++attempts[m.message_id];
            out.push_back(decide ? decide(m, attempt) : events::delivery::confirmed);
            if (out.back() == events::delivery::confirmed)
                arrived.push_back(m);
        }
        if (takes.count() > 0)
            co_await testkit::eventually_async(takes, [] { return false; });
        co_await testkit::eventually_async(1min, [this] { return !held; });
        --in_flight;
        co_return out;
    }

    decision decide;
    std::chrono::milliseconds takes{0};
    bool held = false;
    int batches = 0, in_flight = 0, most_in_flight = 0;
    std::map<std::string, int> attempts; // by message_id
    std::vector<events::outgoing> arrived;
};

constexpr db::statement count_rows{"test.count", "select count(*) as n from outbox"};

struct fixture
{
    explicit fixture(int connections = 4)
    {
        options = data.settings_as(slices::all().front().service);
        options.connections = connections;
    }

    template <class F>
    auto run(F f, std::chrono::milliseconds limit = 60s)
    {
        return testkit::run(loop, f, limit);
    }

    bool until(std::chrono::milliseconds limit, const std::function<bool()>& done)
    {
        return run([&] { return testkit::eventually_async(limit, done); }, limit + 10s);
    }

    // Written by another process: nobody here is woken.
    std::vector<std::string> write(int count, db::session& by)
    {
        std::vector<events::envelope> all;
        std::vector<std::string> ids;
        for (int i = 0; i < count; ++i) {
            events::envelope e;
            e.id = base::new_uuid();
            e.source = "/test";
            e.type = "thing_done";
            e.time = base::now();
            e.subject = std::to_string(i);
            e.data = "{}";
            ids.push_back(base::to_string(e.id));
            all.push_back(std::move(e));
        }
        by.transact([&](db::transaction& tx) { outbox::add_envelopes(tx, all); });
        return ids;
    }
    std::vector<std::string> write(int count) { return write(count, me); }

    // Through the pool: wakes its relay.
    std::string write_through(db::pool& pool)
    {
        events::envelope e;
        e.id = base::new_uuid();
        e.source = "/test";
        e.type = "thing_done";
        e.time = base::now();
        e.data = "{}";
        const auto body = [&](db::transaction& tx) { outbox::add_envelope(tx, e); };
        run([&] { return pool.transact(body); });
        return base::to_string(e.id);
    }

    std::vector<std::string> claimers()
    {
        constexpr db::statement names{
            "test.claimers", "select distinct coalesce(claimed_by, '-') as name from outbox order by 1"};
        return me.transact([&](db::transaction& tx) {
            std::vector<std::string> out;
            for (const auto& row : tx.exec(names))
                out.push_back(db::get<std::string>(row, "name"));
            return out;
        });
    }

    int claimed_rows()
    {
        constexpr db::statement count{
            "test.count_claimed", "select count(*) as n from outbox where claimed_by is not null"};
        return me.transact([&](db::transaction& tx) { return db::get<int>(tx.exec(count)[0], "n"); });
    }

    int rows()
    {
        return me.transact([](db::transaction& tx) { return db::get<int>(tx.exec(count_rows)[0], "n"); });
    }

    testkit::database data;
    db::settings options;
    boost::asio::io_context loop;
    db::session me{data.settings_as(slices::all().front().service)};
};

} // namespace

TEST_CASE("a commit of the process wakes the relay without any poll")
{
    fixture f;
    db::pool pool(f.loop.get_executor(), f.options);
    scripted out;
    outbox::relay_settings s;
    s.poll = 1h;
    outbox::relay relay(f.loop.get_executor(), pool, out, s);
    f.run([&] { return relay.start(); });
    for (int i = 1; i <= 20; ++i) {
        const auto id = f.write_through(pool);
        REQUIRE(f.until(20s, [&] { return out.attempts.contains(id); }));
    }
    CHECK(f.until(20s, [&] { return f.rows() == 0; }));
    CHECK(relay.check().ok);
    f.run([&] { return relay.stop(); });
    f.run([&] { return pool.stop(); });
    CHECK(out.arrived.size() == 20);
}

TEST_CASE("what the process commits itself is handed over, published without a claim, and deleted")
{
    fixture f;
    db::pool pool(f.loop.get_executor(), f.options);
    scripted out;
    outbox::relay_settings s;
    s.poll = 1h;
    s.claimed_by = "me";
    outbox::relay relay(f.loop.get_executor(), pool, out, s);
    const auto before = f.write_through(pool); // nobody runs yet: left free
    CHECK(f.claimers() == std::vector<std::string>{"-"});
    f.run([&] { return relay.start(); });
    REQUIRE(f.until(20s, [&] { return f.rows() == 0; }));

    out.held = true;
    const auto id = f.write_through(pool);
    REQUIRE(f.until(20s, [&] { return out.attempts.contains(id); }));
    CHECK(f.claimers() == std::vector<std::string>{"me/handed"});
    out.held = false;
    CHECK(f.until(20s, [&] { return f.rows() == 0; }));

    // What is rolled back is not sent.
    events::envelope e;
    e.id = base::new_uuid();
    e.source = "/test";
    e.type = "thing_done";
    const auto fails = [&](db::transaction& tx) {
        outbox::add_envelope(tx, e);
        throw std::runtime_error("no");
    };
    CHECK_THROWS(f.run([&] { return pool.transact(fails); }));
    const auto last = f.write_through(pool);
    CHECK(f.until(20s, [&] { return out.attempts.contains(last) && f.rows() == 0; }));
    CHECK(out.attempts.size() == 3);
    CHECK(out.attempts[before] == 1);
    f.run([&] { return relay.stop(); });
    f.write_through(pool); // nobody runs any more: left free
    CHECK(f.claimers() == std::vector<std::string>{"-"});
    f.run([&] { return pool.stop(); });
}

TEST_CASE("handed rows that the broker does not take are given back and sent again from the table")
{
    fixture f;
    db::pool pool(f.loop.get_executor(), f.options);
    scripted out;
    bool away = true;
    out.decide = [&](const events::outgoing&, int) {
        return away ? events::delivery::unknown : events::delivery::confirmed;
    };
    outbox::relay_settings s;
    s.poll = 50ms;
    outbox::relay relay(f.loop.get_executor(), pool, out, s);
    f.run([&] { return relay.start(); });
    std::vector<std::string> ids;
    for (int i = 0; i < 20; ++i)
        ids.push_back(f.write_through(pool));
    REQUIRE(f.until(20s, [&] { return f.claimed_rows() <= s.lanes; })); // one a lane asks whether it is back
    CHECK(f.rows() == 20);
    away = false;
    CHECK(f.until(10s, [&] { return f.rows() == 0; }));
    CHECK(out.arrived.size() == 20);
    const auto id = f.write_through(pool);
    CHECK(f.until(20s, [&] { return f.rows() == 0; }));
    CHECK(out.attempts[id] == 1);
    f.run([&] { return relay.stop(); });
    f.run([&] { return pool.stop(); });
}

TEST_CASE("a stream of handed rows does not keep the table's rows waiting")
{
    fixture f;
    db::pool pool(f.loop.get_executor(), f.options);
    scripted out;
    out.takes = 20ms;
    outbox::relay_settings s;
    s.lanes = 1;
    s.poll = 50ms;
    outbox::relay relay(f.loop.get_executor(), pool, out, s);
    f.run([&] { return relay.start(); });
    bool writing = true;
    int written = 0;
    const auto stream = [&]() -> async::task<void> {
        while (writing) {
            events::envelope e;
            e.id = base::new_uuid();
            e.source = "/test";
            e.type = "thing_done";
            const auto body = [&](db::transaction& tx) { outbox::add_envelope(tx, e); };
            co_await pool.transact(body);
            ++written;
        }
    };
    boost::asio::co_spawn(f.loop, stream(), boost::asio::detached);
    const auto elsewhere = f.write(50);
    CHECK(f.until(20s, [&] { return out.attempts.contains(elsewhere.back()); }));
    writing = false;
    CHECK(f.until(10s, [&] { return f.rows() == 0; }));
    CHECK(out.arrived.size() == static_cast<std::size_t>(written) + 50);
    f.run([&] { return relay.stop(); });
    f.run([&] { return pool.stop(); });
}

TEST_CASE("what a killed process of this host had claimed is sent as soon as a relay starts")
{
    fixture f;
    db::pool pool(f.loop.get_executor(), f.options);
    scripted out;
    char host[256] = "";
    REQUIRE(::gethostname(host, sizeof host - 1) == 0);
    const auto claimed_by = [&](const std::string& name) {
        const auto ids = f.write(1);
        constexpr db::statement claim{"test.claim", "update outbox set claimed_by = $2, claimed_until = "
                                                    "now() + interval '1 hour' where message_id = $1"};
        f.me.transact([&](db::transaction& tx) { tx.exec(claim, *base::parse_uuid(ids[0]), name); });
        return ids[0];
    };
    // No process has a pid beyond the kernel's limit; ours belonged to another process before.
    const auto gone = claimed_by(fmt::format("{}:4194999:0badc0de:1/0", host));
    const auto predecessor = claimed_by(fmt::format("{}:{}:0badc0de:1/handed", host, ::getpid()));
    const auto alive = claimed_by(fmt::format("{}:1:0badc0de:1/0", host)); // pid 1 is always there
    const auto elsewhere = claimed_by("another-host:4194999:0badc0de:1/0");
    const auto unknown = claimed_by("somebody");
    outbox::relay relay(f.loop.get_executor(), pool, out);
    f.run([&] { return relay.start(); });
    CHECK(f.until(20s, [&] { return f.rows() == 3; }));
    CHECK(out.attempts.contains(gone));
    CHECK(out.attempts.contains(predecessor));
    CHECK(out.attempts.size() == 2);
    f.run([&] { return relay.stop(); });
    f.run([&] { return pool.stop(); });
}

TEST_CASE("rows written elsewhere are found by the poll, sent in their order, and deleted")
{
    fixture f;
    db::pool pool(f.loop.get_executor(), f.options);
    scripted out;
    outbox::relay_settings s;
    s.poll = 50ms;
    s.batch = 100;
    s.lanes = 1;
    const auto earlier = f.write(30); // before anybody ran
    outbox::relay relay(f.loop.get_executor(), pool, out, s);
    f.run([&] { return relay.start(); });
    auto ids = f.write(1000);
    REQUIRE(f.until(20s, [&] { return out.arrived.size() == 1030; }));
    CHECK(f.until(20s, [&] { return f.rows() == 0; }));
    ids.insert(ids.begin(), earlier.begin(), earlier.end());
    for (std::size_t i = 0; i < ids.size(); ++i)
        REQUIRE(out.arrived[i].message_id == ids[i]);
    f.run([&] { return relay.stop(); });
    f.run([&] { return relay.stop(); });
    f.run([&] { return pool.stop(); });
}

TEST_CASE("lanes overlap under load")
{
    fixture f;
    db::pool pool(f.loop.get_executor(), f.options);
    scripted out;
    out.takes = 20ms;
    outbox::relay_settings s;
    s.batch = 50;
    s.lanes = 3;
    f.write(2000);
    outbox::relay relay(f.loop.get_executor(), pool, out, s);
    f.run([&] { return relay.start(); });
    CHECK(f.until(30s, [&] { return out.arrived.size() == 2000 && out.in_flight == 0; }));
    CHECK(out.most_in_flight == 3);
    CHECK(out.batches < 60); // full ones, not one per row
    f.run([&] { return relay.stop(); });
    CHECK(f.rows() == 0);
    f.run([&] { return pool.stop(); });
}

TEST_CASE("what the broker does not confirm is sent again under the same id")
{
    fixture f;
    db::pool pool(f.loop.get_executor(), f.options);
    scripted out;
    out.decide = [](const events::outgoing&, int attempt) {
        return attempt == 1   ? events::delivery::unknown
               : attempt == 2 ? events::delivery::refused
                              : events::delivery::confirmed;
    };
    outbox::relay_settings s;
    s.refused_pause = 300ms;
    s.poll = 100ms;
    const auto ids = f.write(10);
    outbox::relay relay(f.loop.get_executor(), pool, out, s);
    f.run([&] { return relay.start(); });
    REQUIRE(f.until(30s, [&] { return out.arrived.size() == 10; }));
    CHECK(f.until(20s, [&] { return f.rows() == 0; }));
    for (const auto& id : ids)
        CHECK(out.attempts[id] == 3);
    f.run([&] { return relay.stop(); });
    f.run([&] { return pool.stop(); });
}

TEST_CASE("while the broker is away the relay asks with one row, then goes on at full speed")
{
    fixture f;
    db::pool pool(f.loop.get_executor(), f.options);
    scripted out;
    bool away = true;
    int asked = 0;
    out.decide = [&](const events::outgoing&, int) {
        ++asked;
        return away ? events::delivery::unknown : events::delivery::confirmed;
    };
    outbox::relay_settings s;
    s.batch = 100;
    f.write(1000);
    outbox::relay relay(f.loop.get_executor(), pool, out, s);
    f.run([&] { return relay.start(); });
    f.until(3s, [] { return false; });
    CHECK(asked <= 2 * s.batch + 40); // one full batch a lane, then single rows with growing pauses
    CHECK(f.rows() == 1000);
    away = false;
    CHECK(f.until(20s, [&] { return out.arrived.size() == 1000; }));
    f.run([&] { return relay.stop(); });
    CHECK(f.rows() == 0);
    f.run([&] { return pool.stop(); });
}

TEST_CASE("the claim of a relay that died runs out and another one sends")
{
    fixture f;
    db::pool pool(f.loop.get_executor(), f.options);
    scripted out;
    f.write(5);
    f.me.transact([](db::transaction& tx) {
        tx.exec_script("update outbox set claimed_by = 'dead', claimed_until = clock_timestamp() + interval "
                       "'700 milliseconds'");
    });
    outbox::relay_settings s;
    s.poll = 50ms;
    outbox::relay relay(f.loop.get_executor(), pool, out, s);
    f.run([&] { return relay.start(); });
    CHECK_FALSE(f.until(200ms, [&] { return !out.arrived.empty(); }));
    CHECK(f.until(10s, [&] { return out.arrived.size() == 5; }));
    f.run([&] { return relay.stop(); });
    f.run([&] { return pool.stop(); });
}

TEST_CASE("stopping waits for the batch in flight and writes it down")
{
    fixture f;
    db::pool pool(f.loop.get_executor(), f.options);
    scripted out;
    out.held = true;
    f.write(5);
    outbox::relay relay(f.loop.get_executor(), pool, out);
    f.run([&] { return relay.start(); });
    REQUIRE(f.until(20s, [&] { return out.in_flight == 1; }));
    f.run([&]() -> async::task<void> {
        const auto release = [&]() -> async::task<void> {
            co_await async::yield(); // stop() has begun
            out.held = false;
        };
        boost::asio::co_spawn(f.loop, release(), boost::asio::detached);
        co_await relay.stop();
    });
    CHECK(out.arrived.size() == 5);
    CHECK(f.rows() == 0);
    f.run([&] { return pool.stop(); });
}

TEST_CASE("an event that can't be sent for a minute shows in the health")
{
    fixture f;
    db::pool pool(f.loop.get_executor(), f.options);
    scripted out;
    out.decide = [](const events::outgoing&, int) { return events::delivery::unknown; };
    f.write(1);
    f.me.transact([](db::transaction& tx) {
        tx.exec_script("update outbox set created_at = now() - interval '2 minutes'");
    });
    outbox::relay_settings s;
    s.poll = 50ms;
    outbox::relay relay(f.loop.get_executor(), pool, out, s);
    f.run([&] { return relay.start(); });
    CHECK(f.until(20s, [&] { return !relay.check().ok; }));
    CHECK(relay.check().detail.find("oldest unsent event is 12") != std::string::npos);
    const auto shown = metrics::expose();
    CHECK(shown.find("\ncoursegate_outbox_oldest_seconds 12") != std::string::npos);
    CHECK(shown.find("\ncoursegate_outbox_waiting 1\n") != std::string::npos);
    out.decide = nullptr;
    CHECK(f.until(10s, [&] { return relay.check().ok; }));
    f.run([&] { return relay.stop(); });
    f.run([&] { return pool.stop(); });
}

TEST_CASE("two relays with lost confirms, refusals and cut connections lose nothing, double nothing "
          "needlessly, and end")
{
    const auto seed = std::random_device{}();
    INFO("seed " << seed);
    std::cout << "relay property test, seed " << seed << std::endl;
    std::mt19937 random(seed);
    fixture f;
    testkit::tcp_proxy between(f.data.url());
    auto options = f.options;
    options.url = base::secret(between.url(options.url.expose()));
    db::pool first(f.loop.get_executor(), options);
    db::pool second(f.loop.get_executor(), options);

    scripted out;
    out.takes = 2ms;
    std::map<std::string, int> lost_confirms, sent;
    out.decide = [&](const events::outgoing& m, int) {
        const auto dice = random() % 100;
        if (dice < 10)
            return events::delivery::refused;
        if (dice < 20)
            return events::delivery::unknown; // never arrived
        ++sent[m.message_id];
        if (dice < 30) {
            ++lost_confirms[m.message_id]; // arrived, and nobody knows
            return events::delivery::unknown;
        }
        return events::delivery::confirmed;
    };
    outbox::relay_settings s;
    s.batch = 40;
    s.lanes = 3;
    s.poll = 100ms;
    s.refused_pause = 50ms;
    s.claim = 3s;
    outbox::relay a(f.loop.get_executor(), first, out, s);
    outbox::relay b(f.loop.get_executor(), second, out, s);
    f.run([&]() -> async::task<void> {
        co_await a.start();
        co_await b.start();
    });

    std::vector<std::string> ids;
    int cuts = 0;
    int in_doubt = 0;
    for (int round = 0; round < 30; ++round) {
        const auto more = f.write(100);
        ids.insert(ids.end(), more.begin(), more.end());
        for (int i = 0; i < 5; ++i) // handed over, unless the commit is in doubt
            try {
                ids.push_back(f.write_through(i % 2 == 0 ? first : second));
            }
            catch (const base::dependency_down&) {
                ++in_doubt;
            }
        f.until(std::chrono::milliseconds(random() % 60), [] { return false; });
        if (random() % 4 == 0) {
            between.cut();
            ++cuts;
        }
    }
    CHECK(f.until(90s, [&] { return f.rows() == 0; }));
    f.run([&]() -> async::task<void> {
        co_await a.stop();
        co_await b.stop();
        co_await first.stop();
        co_await second.stop();
    });

    std::size_t lost = 0, doubled = 0;
    for (const auto& id : ids) {
        lost += sent[id] == 0;
        // Each lost confirm may double; so may a deletion that a cut connection took along.
        doubled += sent[id] > 1 + lost_confirms[id];
    }
    CHECK(lost == 0);
    CHECK(in_doubt <= cuts);
    CHECK(doubled <=
          static_cast<std::size_t>(cuts * 6 * s.batch)); // lanes of both relays at the moment of a cut
    CHECK(f.rows() == 0);
}
