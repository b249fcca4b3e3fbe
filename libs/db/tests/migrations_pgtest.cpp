#include "coursegate/db/migrations.hpp"

#include "coursegate/db/transaction.hpp"
#include "coursegate/testkit/database.hpp"

#include <catch2/catch.hpp>

#include <thread>

using namespace coursegate;

namespace {

std::int64_t number(db::session& s, const std::string& sql)
{
    return s.transact([&](db::transaction& tx) {
        return db::get<std::int64_t>(tx.exec(db::statement{"test.n", sql, false})[0], "n");
    });
}

std::vector<db::migration> two()
{
    return {{"learning", "0001_create_lessons.sql",
                "create table lessons (id bigint primary key); insert into lessons values (1)"},
        {"learning", "0002_add_title.sql",
            "-- a comment; with a semicolon\nalter table lessons add column title text default 'x;y'"}};
}

} // namespace

TEST_CASE("migrations run once, in order, in their own schema")
{
    testkit::database empty(false);
    auto& owner = empty.owner();
    const auto first = db::migrate(owner, two());
    REQUIRE(first.size() == 2);
    CHECK_FALSE(first[0].was_there);
    CHECK_FALSE(first[1].was_there);
    CHECK(number(owner, "select count(*) as n from learning.lessons where title = 'x;y'") == 1);
    CHECK(
        number(owner, "select count(*) as n from learning.schema_migrations where length(sha256) = 64") == 2);

    const auto second = db::migrate(owner, two());
    CHECK(second[0].was_there);
    CHECK(second[1].was_there);
    CHECK(number(owner, "select count(*) as n from learning.lessons") == 1);
}

TEST_CASE("a migration changed after it was applied is refused by name")
{
    testkit::database empty(false);
    db::migrate(empty.owner(), two());
    auto changed = two();
    changed[1].sql += " ";
    try {
        db::migrate(empty.owner(), changed);
        FAIL("accepted");
    }
    catch (const std::runtime_error& e) {
        CHECK(std::string(e.what()).find("learning/0002_add_title.sql") != std::string::npos);
    }
}

TEST_CASE("a migration that fails leaves nothing of itself and all before it")
{
    testkit::database empty(false);
    auto& owner = empty.owner();
    auto all = two();
    all.push_back({"learning", "0003_break.sql", "create table half (id int); select nonsense"});
    try {
        db::migrate(owner, all);
        FAIL("accepted");
    }
    catch (const std::runtime_error& e) {
        CHECK(std::string(e.what()).find("0003_break.sql") != std::string::npos);
        CHECK(std::string(e.what()).find("nonsense") != std::string::npos);
    }
    CHECK(number(owner, "select count(*) as n from learning.schema_migrations") == 2);
    CHECK(number(owner, "select count(*) as n from pg_class where relname = 'half'") == 0);

    all[2].sql = "create table half (id int)";
    CHECK_FALSE(db::migrate(owner, all)[2].was_there);
}

TEST_CASE("several runs at once apply each file once")
{
    testkit::database empty(false);
    std::vector<db::migration> all;
    for (int i = 1; i <= 12; ++i)
        all.push_back({"learning", "00" + std::to_string(10 + i) + "_x.sql",
            "create table t" + std::to_string(i) + " (id int)"});
    db::settings options;
    options.url = base::secret(empty.url());
    std::atomic<int> applied{0}, failed{0};
    std::vector<std::thread> runs;
    for (int i = 0; i < 4; ++i)
        runs.emplace_back([&] {
            try {
                db::session s(options);
                for (const auto& a : db::migrate(s, all))
                    applied += a.was_there ? 0 : 1;
            }
            catch (const std::exception& e) {
                ++failed;
            }
        });
    for (auto& t : runs)
        t.join();
    CHECK(failed == 0);
    CHECK(applied == 12);
}
