#include "coursegate/outbox/outbox.hpp"

#include "coursegate/slices/slices.hpp"
#include "coursegate/testkit/database.hpp"

#include <catch2/catch.hpp>

#include <atomic>
#include <thread>

using namespace coursegate;

namespace {

events::envelope some_event(const std::string& subject)
{
    events::envelope e;
    e.id = base::new_uuid();
    e.source = "/test";
    e.type = "lesson_passed";
    e.version = 1;
    e.time = base::now();
    e.subject = subject;
    e.correlation_id = base::to_string(e.id);
    e.traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    e.data = "{\"text\":\"Привет, \\\"мир\\\"\"}";
    return e;
}

constexpr db::statement rows{"test.outbox",
    "select id, message_id, type, routing_key, correlation_id, traceparent, body,"
    " claimed_until is null as free from outbox order by id"};

struct fixture
{
    // Any daemon's role: all have the same tables.
    testkit::database data;
    db::session me{data.settings_as(slices::all().front().service)};
};

} // namespace

TEST_CASE("an event is one row that commits or vanishes with the facts it tells")
{
    fixture f;
    const auto e = some_event("course/1");
    f.me.transact([&](db::transaction& tx) { outbox::add_envelope(tx, e); });
    const auto fails = [&](db::transaction& tx) {
        outbox::add_envelope(tx, some_event("course/2"));
        throw std::runtime_error("the facts did not hold");
    };
    CHECK_THROWS(f.me.transact(fails));
    f.me.transact([&](db::transaction& tx) {
        const auto all = tx.exec(rows);
        REQUIRE(all.size() == 1);
        CHECK(db::get<base::uuid>(all[0], "message_id") == e.id);
        CHECK(db::get<std::string>(all[0], "type") == "lesson_passed");
        CHECK(db::get<std::string>(all[0], "routing_key") == "lesson_passed.v1");
        CHECK(db::get<std::string>(all[0], "correlation_id") == e.correlation_id);
        CHECK(db::get<std::string>(all[0], "traceparent") == e.traceparent);
        CHECK(db::get<std::string>(all[0], "body") == e.to_body());
        CHECK(db::get<bool>(all[0], "free"));
    });
}

TEST_CASE("many events are one statement and keep their order")
{
    fixture f;
    std::vector<events::envelope> all;
    for (int i = 0; i < 200; ++i)
        all.push_back(some_event("course/" + std::to_string(i)));
    f.me.transact([&](db::transaction& tx) {
        outbox::add_envelopes(tx, all);
        outbox::add_envelopes(tx, {});
    });
    f.me.transact([&](db::transaction& tx) {
        const auto written = tx.exec(rows);
        REQUIRE(written.size() == 200);
        for (int i = 0; i < 200; ++i) {
            CHECK(db::get<base::uuid>(written[i], "message_id") == all[static_cast<std::size_t>(i)].id);
            CHECK(db::get<std::string>(written[i], "body") == all[static_cast<std::size_t>(i)].to_body());
        }
    });
}

TEST_CASE("a message is new to a handler exactly once, however many try at the same time")
{
    fixture f;
    const auto ask = [](db::session& s, const std::string& handler, const std::string& id) {
        return s.transact([&](db::transaction& tx) { return outbox::first_time(tx, handler, id); });
    };
    CHECK(ask(f.me, "a", "1"));
    CHECK_FALSE(ask(f.me, "a", "1"));
    CHECK(ask(f.me, "b", "1"));
    CHECK(ask(f.me, "a", "2"));

    // A handler that failed has not seen it.
    const auto fails = [](db::transaction& tx) {
        CHECK(outbox::first_time(tx, "a", "3"));
        throw std::runtime_error("not yet");
    };
    CHECK_THROWS(f.me.transact(fails));
    CHECK(ask(f.me, "a", "3"));

    std::atomic<int> firsts{0};
    std::vector<std::thread> all;
    for (int i = 0; i < 6; ++i)
        all.emplace_back([&] {
            db::session s(f.data.settings_as(slices::all().front().service));
            for (int n = 0; n < 50; ++n)
                firsts += ask(s, "race", std::to_string(n)) ? 1 : 0;
        });
    for (auto& t : all)
        t.join();
    CHECK(firsts == 50);
}

TEST_CASE("the purge takes inbox rows older than thirty days and no others")
{
    fixture f;
    f.me.transact([](db::transaction& tx) {
        tx.exec_script("insert into inbox (handler, message_id, received_at)"
                       " select 'old', n::text, now() - interval '31 days' from generate_series(1, 6000) n;"
                       "insert into inbox (handler, message_id, received_at)"
                       " select 'young', n::text, now() - interval '29 days' from generate_series(1, 100) n");
    });
    const auto one = [](db::transaction& tx) { return outbox::purge_inbox(tx); };
    CHECK(f.me.transact(one) == 5000);
    CHECK(f.me.transact(one) == 1000);
    CHECK(f.me.transact(one) == 0);
    static constexpr db::statement left{
        "test.left", "select count(*) as n from inbox where handler = 'young'"};
    CHECK(f.me.transact([](db::transaction& tx) { return db::get<int>(tx.exec(left)[0], "n"); }) == 100);
}
