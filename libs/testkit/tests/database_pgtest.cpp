#include "coursegate/testkit/database.hpp"

#include "coursegate/db/transaction.hpp"
#include "coursegate/slices/slices.hpp"

#include <catch2/catch.hpp>

#include <atomic>
#include <thread>

using namespace coursegate;

namespace {

std::int64_t number(db::session& s, const std::string& sql)
{
    return s.transact([&](db::transaction& tx) {
        return db::get<std::int64_t>(tx.exec(db::statement{"test.n", sql, false})[0], "n");
    });
}

} // namespace

TEST_CASE("each test has a database of its own, with every slice's schema and roles")
{
    testkit::database one, two;
    CHECK(one.url() != two.url());
    const auto& s = slices::all().front();
    db::session a(one.settings_as(s.service)), b(two.settings_as(s.service));
    a.transact([](db::transaction& tx) {
        tx.exec_script("insert into inbox (handler, message_id) values ('h', 'm')");
    });
    CHECK(number(a, "select count(*) as n from inbox") == 1);
    CHECK(number(b, "select count(*) as n from inbox") == 0);
    CHECK(number(one.owner(), "select count(*) as n from " + s.schemas.front() + ".inbox") == 1);
}

TEST_CASE("an empty database is empty, and a database goes with its object")
{
    std::string name;
    {
        testkit::database empty(false);
        name = empty.url().substr(empty.url().rfind('/') + 1);
        CHECK(
            number(empty.owner(), "select count(*) as n from pg_namespace where nspname = 'learning'") == 0);
        CHECK(number(empty.owner(), "select count(*) as n from pg_database where datname = '" + name + "'") ==
              1);
    }
    testkit::database other(false);
    CHECK(number(other.owner(), "select count(*) as n from pg_database where datname = '" + name + "'") == 0);
}

TEST_CASE("databases can be made by several threads and programs at once")
{
    std::atomic<int> made{0};
    std::vector<std::thread> all;
    for (int i = 0; i < 4; ++i)
        all.emplace_back([&] {
            testkit::database d;
            made += number(d.owner(), "select count(*) as n from pg_namespace where nspname = '" +
                                          slices::all().front().schemas.front() + "'") == 1;
        });
    for (auto& t : all)
        t.join();
    CHECK(made == 4);
}
