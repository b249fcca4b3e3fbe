#include "coursegate/db/lease.hpp"

#include "coursegate/db/transaction.hpp"
#include "coursegate/testkit/database.hpp"
#include "coursegate/testkit/run.hpp"

#include <catch2/catch.hpp>

#include <thread>

using namespace coursegate;
using namespace std::chrono_literals;

namespace {

struct fixture
{
    fixture()
    {
        empty.owner().transact([](db::transaction& tx) {
            tx.exec_script(
                "create table leases (name text primary key, holder text not null, term bigint not null,"
                " held_until timestamptz not null)");
        });
    }

    std::optional<db::lease> take(const std::string& holder, std::chrono::milliseconds ttl)
    {
        return empty.owner().transact(
            [&](db::transaction& tx) { return db::take_lease(tx, "sweep", holder, ttl); });
    }
    bool leads(const db::lease& l)
    {
        return empty.owner().transact([&](db::transaction& tx) { return db::still_leads(tx, l); });
    }

    void let_run_out()
    {
        empty.owner().transact([](db::transaction& tx) {
            tx.exec_script("update leases set held_until = now() - interval '1 second'");
        });
    }

    testkit::database empty{false};
};

} // namespace

TEST_CASE("one holder at a time; the term grows with each change of holder")
{
    fixture f;
    const auto first = f.take("a", 10s);
    REQUIRE(first);
    CHECK(first->term == 1);
    CHECK_FALSE(f.take("b", 10s));
    const auto renewed = f.take("a", 100ms);
    REQUIRE(renewed);
    CHECK(renewed->term == 1);
    CHECK(f.leads(*first));

    std::optional<db::lease> second;
    CHECK(testkit::eventually(20s, [&] { return (second = f.take("b", 10s)).has_value(); }));
    CHECK(second->term == 2);
    CHECK_FALSE(f.leads(*first));
    CHECK(f.leads(*second));
    CHECK_FALSE(f.take("a", 10s));
}

TEST_CASE("a lease that ran out still fences while nobody else took it")
{
    fixture f;
    const auto l = f.take("a", 1h);
    REQUIRE(l);
    f.let_run_out();
    CHECK(f.leads(*l));
    CHECK(f.take("a", 1s)->term == 1);
}

TEST_CASE("giving back lets the next one in at once, with a new term")
{
    fixture f;
    const auto l = f.take("a", 1h);
    REQUIRE(l);
    f.empty.owner().transact([&](db::transaction& tx) { db::drop_lease(tx, *l); });
    CHECK_FALSE(f.leads(*l));
    CHECK(f.take("b", 1s)->term == 2);
    // The former holder giving back again does not touch it.
    f.empty.owner().transact([&](db::transaction& tx) { db::drop_lease(tx, *l); });
    CHECK_FALSE(f.take("a", 1s));
}

TEST_CASE("a new leader waits until the fenced work of the old one has ended")
{
    fixture f;
    const auto old = f.take("a", 1h);
    REQUIRE(old);
    f.let_run_out();

    db::settings options;
    options.url = base::secret(f.empty.url());
    db::session other(options);
    std::optional<db::lease> fresh;
    std::thread taker;
    std::atomic<bool> taken{false};
    f.empty.owner().transact([&](db::transaction& tx) {
        REQUIRE(db::still_leads(tx, *old));
        taker = std::thread([&] {
            fresh = other.transact(
                [](db::transaction& inner) { return db::take_lease(inner, "sweep", "b", 10s); });
            taken = true;
        });
        CHECK_FALSE(testkit::eventually(200ms, [&] { return taken.load(); }));
    });
    taker.join();
    REQUIRE(fresh);
    CHECK(fresh->term == 2);
}

TEST_CASE("of many that try at once exactly one leads")
{
    fixture f;
    db::settings options;
    options.url = base::secret(f.empty.url());
    std::atomic<int> leaders{0};
    std::vector<std::thread> all;
    for (int i = 0; i < 8; ++i)
        all.emplace_back([&, i] {
            db::session s(options);
            const auto holder = "h" + std::to_string(i);
            if (s.transact([&](db::transaction& tx) { return db::take_lease(tx, "sweep", holder, 1min); }))
                ++leaders;
        });
    for (auto& t : all)
        t.join();
    CHECK(leaders == 1);
}
