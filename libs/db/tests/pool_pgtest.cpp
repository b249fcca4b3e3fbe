#include "coursegate/db/transaction.hpp"
#include "coursegate/log/log.hpp"
#include "coursegate/metrics/metrics.hpp"
#include "coursegate/testkit/database.hpp"
#include "coursegate/testkit/run.hpp"
#include "coursegate/testkit/tcp_proxy.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <catch2/catch.hpp>

#include <atomic>
#include <barrier>
#include <thread>

using namespace coursegate;
using namespace std::chrono_literals;

namespace {

constexpr db::statement insert_item{"test.insert_item", "insert into items (id, name) values ($1, $2)"};
constexpr db::statement count_items{"test.count_items", "select count(*) as n from items"};

// A pool on an empty database with one table, and the loop its coroutines run on.
struct fixture
{
    explicit fixture(int connections = 2, std::chrono::milliseconds statement_timeout = 15s)
    {
        empty.owner().transact([](db::transaction& tx) {
            tx.exec_script("create table items (id bigint primary key, name text not null unique,"
                           " parent bigint references items deferrable initially immediate, weight int check "
                           "(weight > 0))");
        });
        options.url = base::secret(empty.url());
        options.application_name = "pool_pgtest";
        options.connections = connections;
        options.statement_timeout = statement_timeout;
    }

    std::int64_t items()
    {
        return empty.owner().transact(
            [](db::transaction& tx) { return db::get<std::int64_t>(tx.exec(count_items)[0], "n"); });
    }

    testkit::database empty{false};
    db::settings options;
    boost::asio::io_context loop;
};

// Runs one transaction to its end on the fixture's loop.
template <class F>
auto transact(boost::asio::io_context& loop, db::pool& pool, F body)
{
    return testkit::run(loop, [&] { return pool.transact(body); });
}

void stop(boost::asio::io_context& loop, db::pool& pool)
{
    testkit::run(loop, [&] { return pool.stop(); });
}

} // namespace

TEST_CASE("a transaction commits and gives its value to the awaiting coroutine's thread")
{
    fixture f;
    db::pool pool(f.loop.get_executor(), f.options);
    testkit::run(f.loop, [&] { return pool.start(); });
    CHECK(pool.check().ok);

    std::thread::id inside, after;
    const auto n = testkit::run(f.loop, [&]() -> async::task<int> {
        const auto body = [&](db::transaction& tx) {
            inside = std::this_thread::get_id();
            tx.exec(insert_item, 1, "one");
            return 42;
        };
        const int value = co_await pool.transact(body);
        after = std::this_thread::get_id();
        co_return value;
    });
    CHECK(n == 42);
    CHECK(inside != std::this_thread::get_id());
    CHECK(after == std::this_thread::get_id());
    CHECK(f.items() == 1);
    stop(f.loop, pool);
}

TEST_CASE("what the body throws rolls back and reaches the caller")
{
    fixture f;
    db::pool pool(f.loop.get_executor(), f.options);
    const auto body = [](db::transaction& tx) {
        tx.exec(insert_item, 1, "one");
        throw std::out_of_range("enough");
    };
    CHECK_THROWS_AS(transact(f.loop, pool, body), std::out_of_range);
    CHECK(f.items() == 0);
    CHECK(pool.check().ok);
    stop(f.loop, pool);
}

TEST_CASE("a violated constraint is named, at the statement and at COMMIT")
{
    fixture f;
    db::pool pool(f.loop.get_executor(), f.options);
    const auto constraint = [&](const std::string& sql) -> std::string {
        try {
            transact(f.loop, pool, [&](db::transaction& tx) {
                tx.exec(insert_item, 1, "one");
                tx.exec(db::statement{"test.any", sql, false});
            });
        }
        catch (const db::constraint_violation& e) {
            return e.constraint;
        }
        return "none";
    };
    CHECK(constraint("insert into items (id, name) values (1, 'two')") == "items_pkey");
    CHECK(constraint("insert into items (id, name) values (2, 'one')") == "items_name_key");
    CHECK(constraint("insert into items (id, name, weight) values (2, 'two', 0)") == "items_weight_check");
    CHECK(constraint("insert into items (id) values (2)") == "items_name_not_null");
    CHECK(constraint("insert into items (id, name, parent) values (2, 'two', 77)") == "items_parent_fkey");
    CHECK(constraint("set constraints all deferred") == "none");
    f.empty.owner().transact([](db::transaction& tx) { tx.exec_script("delete from items"); });
    CHECK(constraint("with x as (select set_config('a.b', '', true)) select 1") == "none");

    // Deferred: nothing is wrong until COMMIT.
    try {
        transact(f.loop, pool, [](db::transaction& tx) {
            tx.exec_script("set constraints all deferred");
            tx.exec_script("insert into items (id, name, parent) values (9, 'nine', 77)");
        });
        FAIL("committed");
    }
    catch (const db::constraint_violation& e) {
        CHECK(e.constraint == "items_parent_fkey");
    }
    stop(f.loop, pool);
}

TEST_CASE("an error that the body swallows is not taken for success")
{
    fixture f;
    db::pool pool(f.loop.get_executor(), f.options);
    const auto body = [](db::transaction& tx) {
        tx.exec(insert_item, 1, "one");
        try {
            tx.exec(insert_item, 1, "again");
        }
        catch (const db::constraint_violation&) {
        }
    };
    CHECK_THROWS_AS(transact(f.loop, pool, body), db::constraint_violation);
    CHECK(f.items() == 0);
    stop(f.loop, pool);
}

TEST_CASE("two transactions that deadlock both succeed")
{
    fixture f;
    f.empty.owner().transact([](db::transaction& tx) {
        tx.exec(insert_item, 1, "one");
        tx.exec(insert_item, 2, "two");
    });
    db::pool pool(f.loop.get_executor(), f.options);
    std::barrier both(2);
    std::atomic<int> runs{0}, ended{0};
    const auto touch = [&](std::int64_t first, std::int64_t second) -> async::task<void> {
        bool again = false;
        const auto body = [&, first, second](db::transaction& tx) mutable {
            ++runs;
            constexpr db::statement rename{
                "test.rename", "update items set name = name || '.' where id = $1"};
            tx.exec(rename, first);
            if (!again)
                both.arrive_and_wait(); // each holds what the other wants
            again = true;
            tx.exec(rename, second);
        };
        co_await pool.transact(body);
        ++ended;
    };
    boost::asio::co_spawn(f.loop, touch(1, 2), boost::asio::detached);
    boost::asio::co_spawn(f.loop, touch(2, 1), boost::asio::detached);
    testkit::run(f.loop, [&] { return testkit::eventually_async(20s, [&] { return ended == 2; }); });
    CHECK(ended == 2);
    CHECK(runs == 3); // one of them had to begin again
    stop(f.loop, pool);
}

TEST_CASE("a connection lost before COMMIT is replaced and the body runs again, once in effect")
{
    fixture f;
    testkit::tcp_proxy between(f.empty.url());
    f.options.url = base::secret(between.url(f.empty.url()));
    db::pool pool(f.loop.get_executor(), f.options);
    int runs = 0;
    transact(f.loop, pool, [&](db::transaction& tx) {
        tx.exec(insert_item, 1, "one");
        if (++runs == 1)
            between.cut();
        tx.exec(insert_item, 2, "two");
    });
    CHECK(runs == 2);
    CHECK(f.items() == 2);

    // Idle connections that died unseen (a restarted server) cost nothing either.
    between.cut();
    transact(f.loop, pool, [](db::transaction& tx) { tx.exec(insert_item, 3, "three"); });
    CHECK(f.items() == 3);
    CHECK(pool.check().ok);
    stop(f.loop, pool);
}

TEST_CASE("a backend ended by the administrator does not lose or repeat anything")
{
    fixture f(1);
    db::pool pool(f.loop.get_executor(), f.options);
    constexpr db::statement my_pid{"test.pid", "select pg_backend_pid() as pid"};
    constexpr db::statement end{"test.end", "select pg_terminate_backend($1)"};
    int runs = 0;
    transact(f.loop, pool, [&](db::transaction& tx) {
        tx.exec(insert_item, 1, "one");
        if (++runs == 1) {
            const auto pid = db::get<int>(tx.exec(my_pid)[0], "pid");
            f.empty.owner().transact([&](db::transaction& other) { other.exec(end, pid); });
        }
        tx.exec(insert_item, 2, "two");
    });
    CHECK(runs == 2);
    CHECK(f.items() == 2);
    stop(f.loop, pool);
}

TEST_CASE("a connection lost during COMMIT is in doubt and never tried again")
{
    fixture f(1);
    f.empty.owner().transact([](db::transaction& tx) {
        tx.exec_script("create function wait_at_commit() returns trigger language plpgsql as"
                       " $$ begin perform pg_advisory_xact_lock(1); return null; end $$;"
                       "create constraint trigger wait after insert on items deferrable initially deferred"
                       " for each row execute function wait_at_commit()");
    });
    f.empty.owner().execute_plain("select pg_advisory_lock(1)");
    testkit::tcp_proxy between(f.empty.url());
    f.options.url = base::secret(between.url(f.empty.url()));
    db::pool pool(f.loop.get_executor(), f.options);
    std::atomic<int> runs{0};
    std::thread cutter;
    try {
        transact(f.loop, pool, [&](db::transaction& tx) {
            ++runs;
            tx.exec(insert_item, 1, "one");
            cutter = std::thread([&] {
                // The backend is inside the trigger, so COMMIT has arrived.
                constexpr db::statement committing{"test.committing",
                    "select exists (select from pg_stat_activity where application_name = 'pool_pgtest' and "
                    "query = 'COMMIT'"
                    " and wait_event = 'advisory') as yes"};
                testkit::eventually(4s, [&] {
                    return f.empty.owner().transact([&](db::transaction& other) {
                        return db::get<bool>(other.exec(committing)[0], "yes");
                    });
                });
                between.cut();
            });
        });
        FAIL("committed");
    }
    catch (const db::in_doubt& e) {
        CHECK(std::string(e.what()).find("COMMIT") != std::string::npos);
    }
    cutter.join();
    CHECK(runs == 1);
    CHECK_FALSE(pool.check().ok);
    stop(f.loop, pool);
}

TEST_CASE("the statements of a snapshot see one moment, and none may write")
{
    fixture f(1);
    db::pool pool(f.loop.get_executor(), f.options);
    const auto counted = [&](auto& how) {
        auto body = [&](db::transaction& tx) {
            const auto before = db::get<int>(tx.exec(count_items)[0], "n");
            f.empty.owner().transact(
                [&](db::transaction& other) { other.exec(insert_item, before + 1, std::to_string(before)); });
            return std::pair(before, db::get<int>(tx.exec(count_items)[0], "n"));
        };
        return testkit::run(f.loop, [&] { return how(body); });
    };
    auto snapshot = [&](auto body) { return pool.snapshot(body); };
    auto usual = [&](auto body) { return pool.transact(body); };
    CHECK(counted(snapshot) == std::pair(0, 0));
    CHECK(counted(usual) == std::pair(1, 2)); // which is what a snapshot is for
    const auto write = [](db::transaction& tx) { return tx.exec(insert_item, 9, "nine").size(); };
    CHECK_THROWS_AS(testkit::run(f.loop, [&] { return pool.snapshot(write); }), std::logic_error);
    CHECK(f.items() == 2);
    stop(f.loop, pool);
}

TEST_CASE("a statement alone commits by itself, and takes no second one")
{
    fixture f(1);
    db::pool pool(f.loop.get_executor(), f.options);
    bool woken = false;
    pool.on_commit("items", [&] { woken = true; });
    const auto alone = [&](auto body) { return testkit::run(f.loop, [&] { return pool.autocommit(body); }); };

    const auto written = alone([](db::transaction& tx) {
        tx.wake_after_commit("items");
        return tx.exec(insert_item, 1, "one").affected_rows();
    });
    CHECK(written == 1);
    CHECK(woken);
    CHECK(f.items() == 1);
    CHECK_THROWS_AS(alone([](db::transaction& tx) { return tx.exec(insert_item, 1, "again").size(); }),
        db::constraint_violation);
    const auto two = [](db::transaction& tx) {
        tx.exec(insert_item, 2, "two");
        return tx.exec(insert_item, 3, "three").size();
    };
    CHECK_THROWS_AS(alone(two), std::logic_error);
    CHECK(f.items() == 2); // the first had committed
    CHECK(pool.check().ok);
    stop(f.loop, pool);
}

TEST_CASE("a connection lost under a statement alone is in doubt; one that had died before costs nothing")
{
    fixture f(1);
    testkit::tcp_proxy between(f.empty.url());
    f.options.url = base::secret(between.url(f.empty.url()));
    db::pool pool(f.loop.get_executor(), f.options);
    const auto alone = [&](auto body) { return testkit::run(f.loop, [&] { return pool.autocommit(body); }); };
    alone([](db::transaction& tx) { return tx.exec(insert_item, 1, "one").size(); });

    between.cut(); // while idle
    alone([](db::transaction& tx) { return tx.exec(insert_item, 2, "two").size(); });
    CHECK(f.items() == 2);

    constexpr db::statement insert_slowly{
        "test.insert_slowly", "with w as (select pg_sleep(1)) insert into items select 3, 'three' from w"};
    std::atomic<int> runs{0};
    std::thread cutter([&] {
        constexpr db::statement sleeping{"test.sleeping", "select exists (select from pg_stat_activity where "
                                                          "application_name = 'pool_pgtest' and wait_event "
                                                          "= 'PgSleep') as yes"};
        testkit::eventually(4s, [&] {
            return f.empty.owner().transact(
                [&](db::transaction& other) { return db::get<bool>(other.exec(sleeping)[0], "yes"); });
        });
        between.cut();
    });
    CHECK_THROWS_AS(alone([&](db::transaction& tx) {
        ++runs;
        return tx.exec(insert_slowly).size();
    }),
        db::in_doubt);
    cutter.join();
    CHECK(runs == 1);
    stop(f.loop, pool);
}

TEST_CASE("a database that is away makes calls fail as unavailable within seconds, and is found again")
{
    fixture f;
    testkit::tcp_proxy between(f.empty.url());
    f.options.url = base::secret(between.url(f.empty.url()));
    db::pool pool(f.loop.get_executor(), f.options);
    between.refuse(true);

    const auto began = std::chrono::steady_clock::now();
    CHECK_THROWS_AS(testkit::run(f.loop, [&] { return pool.start(); }), db::unavailable);
    CHECK(std::chrono::steady_clock::now() - began < 5s);
    CHECK_FALSE(pool.check().ok);
    CHECK_FALSE(pool.check().detail.empty());

    between.refuse(false);
    transact(f.loop, pool, [](db::transaction& tx) { tx.exec(insert_item, 1, "one"); });
    CHECK(pool.check().ok);

    // A short absence (a restart) is waited out.
    between.refuse(true);
    between.cut();
    const auto before = between.accepted();
    std::thread back([&] {
        testkit::eventually(3s, [&] { return between.accepted() >= before + 3; }); // it has tried, and again
        between.refuse(false);
    });
    transact(f.loop, pool, [](db::transaction& tx) { tx.exec(insert_item, 2, "two"); });
    back.join();
    CHECK(f.items() == 2);
    stop(f.loop, pool);
}

TEST_CASE("a wrong password is told as the server says it, without the password")
{
    fixture f;
    auto wrong = f.options;
    wrong.url = base::secret("postgresql://nobody_here:hunter2@127.0.0.1:1/none");
    try {
        db::session s(wrong);
        FAIL("connected");
    }
    catch (const db::unavailable& e) {
        CHECK(std::string(e.what()).find("hunter2") == std::string::npos);
    }
}

TEST_CASE("a statement that takes too long is ended by the server and not repeated")
{
    fixture f(1, 200ms);
    db::pool pool(f.loop.get_executor(), f.options);
    int runs = 0;
    constexpr db::statement wait{"test.wait", "select pg_advisory_xact_lock(1)"};
    f.empty.owner().execute_plain("select pg_advisory_lock(1)");
    const auto body = [&](db::transaction& tx) {
        ++runs;
        tx.exec(wait);
    };
    CHECK_THROWS_AS(transact(f.loop, pool, body), pqxx::sql_error);
    CHECK(runs == 1);
    stop(f.loop, pool);
}

TEST_CASE("every connection carries its name, path, zone and limits")
{
    fixture f;
    f.options.search_path = "accounts, catalog";
    db::pool pool(f.loop.get_executor(), f.options);
    constexpr db::statement show{"test.show",
        "select current_setting('application_name') as name, current_setting('search_path') as path,"
        " current_setting('TimeZone') as zone, current_setting('statement_timeout') as statement,"
        " current_setting('idle_in_transaction_session_timeout') as idle"};
    transact(f.loop, pool, [&](db::transaction& tx) {
        const auto row = tx.exec(show)[0];
        CHECK(db::get<std::string>(row, "name") == "pool_pgtest");
        CHECK(db::get<std::string>(row, "path") == "accounts, catalog");
        CHECK(db::get<std::string>(row, "zone") == "UTC");
        CHECK(db::get<std::string>(row, "statement") == "15s");
        CHECK(db::get<std::string>(row, "idle") == "15s");
    });
    stop(f.loop, pool);
}

TEST_CASE("a migration under a prepared statement does not disturb it")
{
    fixture f(1);
    f.empty.owner().transact([](db::transaction& tx) { tx.exec(insert_item, 1, "one"); });
    db::pool pool(f.loop.get_executor(), f.options);
    constexpr db::statement all{"test.all", "select * from items"};
    const auto columns = [&](db::transaction& tx) { return tx.exec(all).columns(); };
    CHECK(transact(f.loop, pool, columns) == 4);
    f.empty.owner().transact(
        [](db::transaction& tx) { tx.exec_script("alter table items add column colour text"); });
    CHECK(transact(f.loop, pool, columns) == 5);
    stop(f.loop, pool);
}

TEST_CASE("two texts under one statement name both run as written")
{
    fixture f(1);
    db::pool pool(f.loop.get_executor(), f.options);
    const auto value = [&](std::string sql) {
        return transact(f.loop, pool, [sql](db::transaction& tx) {
            return db::get<int>(tx.exec(db::statement{"test.same", sql})[0], "v");
        });
    };
    CHECK(value("select 1 as v") == 1);
    CHECK(value("select 2 as v") == 2);
    CHECK(value("select 1 as v") == 1);
    stop(f.loop, pool);
}

TEST_CASE("waking happens after COMMIT and only then")
{
    fixture f;
    db::pool pool(f.loop.get_executor(), f.options);
    std::atomic<int> woken{0};
    std::atomic<std::int64_t> seen{-1};
    pool.on_commit("topic", [&] {
        seen = f.items();
        ++woken;
    });
    transact(f.loop, pool, [](db::transaction& tx) {
        tx.exec(insert_item, 1, "one");
        tx.wake_after_commit("topic");
        tx.wake_after_commit("topic");
        tx.wake_after_commit("nobody");
    });
    CHECK(woken == 1);
    CHECK(seen == 1);
    const auto fails = [](db::transaction& tx) {
        tx.wake_after_commit("topic");
        throw std::runtime_error("no");
    };
    CHECK_THROWS(transact(f.loop, pool, fails));
    CHECK(woken == 1);
    stop(f.loop, pool);
}

TEST_CASE("a statement that runs into its time limit is in the metrics and in the slow log, as a slow one is")
{
    static std::mutex mutex;
    static std::string lines;
    struct sink
    {
        log::sink before = log::set_sink([](std::string_view line) {
            const std::lock_guard lock(mutex);
            lines += line;
        });
        ~sink() { log::set_sink(before); }
    } const captured;
    constexpr db::statement slow{"test.slow", "select pg_sleep(0.3)"};
    constexpr db::statement endless{"test.endless", "select pg_sleep(60)"};

    fixture f(1, 1s);
    db::pool pool(f.loop.get_executor(), f.options);
    transact(f.loop, pool, [&](db::transaction& tx) { tx.exec(slow); });
    CHECK_THROWS(transact(f.loop, pool, [&](db::transaction& tx) { tx.exec(endless); }));
    stop(f.loop, pool);

    const auto shown = metrics::expose();
    CHECK_THAT(shown, Catch::Contains("coursegate_db_query_seconds_count{query=\"test.slow\"} 1"));
    CHECK_THAT(shown, Catch::Contains("coursegate_db_query_seconds_count{query=\"test.endless\"} 1"));
    const std::lock_guard lock(mutex);
    CHECK_THAT(lines, Catch::Contains("\"message\":\"slow statement\",\"query\":\"test.slow\""));
    CHECK_THAT(lines, Catch::Contains("\"message\":\"slow statement\",\"query\":\"test.endless\""));
}

TEST_CASE("bodies run beside each other on as many connections as set, the rest wait")
{
    fixture f(3);
    db::pool pool(f.loop.get_executor(), f.options);
    std::atomic<int> now{0}, most{0}, ended{0};
    const auto one = [&]() -> async::task<void> {
        const auto body = [&](db::transaction&) {
            const int n = ++now;
            int seen = most;
            while (n > seen && !most.compare_exchange_weak(seen, n))
                ;
            testkit::eventually(20s, [&] { return most == 3; });
            --now;
        };
        co_await pool.transact(body);
        ++ended;
    };
    for (int i = 0; i < 9; ++i)
        boost::asio::co_spawn(f.loop, one(), boost::asio::detached);
    testkit::run(f.loop, [&] { return testkit::eventually_async(20s, [&] { return ended == 9; }); });
    CHECK(ended == 9);
    CHECK(most == 3);
    stop(f.loop, pool);
}

TEST_CASE("stopping lets what was queued finish and refuses the rest")
{
    fixture f(1);
    db::pool pool(f.loop.get_executor(), f.options);
    std::atomic<int> ended{0};
    const auto one = [&](int id) -> async::task<void> {
        const auto body = [id](db::transaction& tx) { tx.exec(insert_item, id, std::to_string(id)); };
        co_await pool.transact(body);
        ++ended;
    };
    for (int i = 0; i < 20; ++i)
        boost::asio::co_spawn(f.loop, one(i), boost::asio::detached);
    testkit::run(f.loop, [&]() -> async::task<void> {
        co_await async::yield();
        co_await pool.stop();
        co_await pool.stop();
    });
    CHECK(f.items() == 20);
    testkit::run(f.loop, [&] { return testkit::eventually_async(20s, [&] { return ended == 20; }); });
    CHECK(ended == 20);
    const auto nothing = [](db::transaction&) {};
    CHECK_THROWS_AS(transact(f.loop, pool, nothing), db::unavailable);
}

TEST_CASE("a pool may be destroyed without having been started or stopped")
{
    fixture f;
    {
        db::pool unused(f.loop.get_executor(), f.options);
    }
    db::pool used(f.loop.get_executor(), f.options);
    transact(f.loop, used, [](db::transaction& tx) { tx.exec(insert_item, 1, "one"); });
    CHECK(f.items() == 1);
}

TEST_CASE("values come back as they were sent")
{
    fixture f;
    db::pool pool(f.loop.get_executor(), f.options);
    constexpr db::statement echo{"test.echo",
        "select $1::boolean as b, $2::bigint as i, $3::double precision as d, $4::text as t, $5::uuid as u,"
        " $6::timestamptz as at, $7::bigint[] as ids, $8::text[] as names, $9::bytea as raw, $10::text as "
        "missing,"
        " $11::timestamptz as forever, $12::boolean[] as flags, $13::uuid[] as uuids, $14::timestamptz[] as "
        "times"};
    const auto id = base::new_uuid();
    const auto at = base::now();
    const std::string text = "Привет, \"мир\"\n\\ ' ;--";
    std::string raw;
    for (int i = 0; i < 256; ++i)
        raw += static_cast<char>(i);
    const std::vector<std::int64_t> ids{1, -9223372036854775807, 3};
    const std::vector<std::string> names{"", "NULL", "null", "a,b", "{}", "\"\\\"", " spaced ", text};
    transact(f.loop, pool, [&](db::transaction& tx) {
        const auto row = tx.exec(echo, true, std::int64_t{1} << 62, 0.1 + 0.2, text, id, at, ids, names,
            db::bytes(raw), std::nullopt, base::time_point::max(), std::vector<bool>{true, false},
            std::vector<base::uuid>{id}, db::times({at, std::nullopt}))[0];
        CHECK(db::get<bool>(row, "b"));
        CHECK(db::get<std::int64_t>(row, "i") == std::int64_t{1} << 62);
        CHECK(db::get<double>(row, "d") == 0.1 + 0.2);
        CHECK(db::get<std::string>(row, "t") == text);
        CHECK(db::get<base::uuid>(row, "u") == id);
        CHECK(db::get<base::time_point>(row, "at") == at);
        CHECK(db::get<std::vector<std::int64_t>>(row, "ids") == ids);
        CHECK(db::get<std::vector<std::string>>(row, "names") == names);
        CHECK(db::get_bytes(row, "raw") == raw);
        CHECK_FALSE(db::get_optional<std::string>(row, "missing").has_value());
        CHECK(db::get<base::time_point>(row, "forever") == base::time_point::max());
        CHECK(db::get<std::string>(row, "flags") == "{t,f}");
        CHECK_THROWS_AS(db::get<std::string>(row, "missing"), std::logic_error);
        CHECK_THROWS_AS(db::get<std::string>(row, "no_such_column"), std::logic_error);
        CHECK_THROWS_AS(db::get<int>(row, "i"), std::logic_error);
        CHECK_THROWS_AS(db::get<bool>(row, "i"), std::logic_error);
        CHECK_THROWS_AS(db::get<base::uuid>(row, "t"), std::logic_error);
    });
    const auto zero = [](db::transaction& tx) { tx.exec(insert_item, 1, std::string("a\0b", 3)); };
    CHECK_THROWS_AS(transact(f.loop, pool, zero), std::invalid_argument);
    stop(f.loop, pool);
}

// 17 s of waiting for limits that are seconds by nature.
TEST_CASE("a server that stops answering is given up after its own limits have passed", "[.long]")
{
    fixture f(1, 500ms);
    testkit::tcp_proxy between(f.empty.url());
    f.options.url = base::secret(between.url(f.empty.url()));
    db::pool pool(f.loop.get_executor(), f.options);
    testkit::run(f.loop, [&] { return pool.start(); });
    between.pause();
    const auto body = [](db::transaction& tx) { tx.exec(insert_item, 1, "one"); };
    CHECK_THROWS_AS(testkit::run(
                        f.loop, [&] { return pool.transact(body); }, 40s),
        db::unavailable);
    between.resume();
    transact(f.loop, pool, body);
    CHECK(f.items() == 1);
    stop(f.loop, pool);
}
