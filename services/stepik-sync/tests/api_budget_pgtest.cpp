#include "world.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

using namespace coursegate;
using namespace coursegate::stepik_sync;
using namespace std::chrono_literals;

namespace {

struct fixture
{
    fixture() : pool(loop.get_executor(), database.settings_as("stepik-sync")) {}
    ~fixture()
    {
        for (auto& b : budgets)
            testkit::run(loop, [&]() { return b->close(); });
        testkit::run(loop, [this]() { return pool.stop(); });
    }

    api_budget& add(double rate, int concurrency, std::chrono::milliseconds lease = 60s,
        std::chrono::milliseconds patience = 15s)
    {
        api_budget::settings s;
        s.requests_per_second = rate;
        s.concurrency = concurrency;
        s.lease = lease;
        s.patience = patience;
        s.holder = "test-" + std::to_string(budgets.size());
        budgets.push_back(std::make_unique<api_budget>(loop.get_executor(), pool, s));
        return *budgets.back();
    }

    call_permit enter(api_budget& b, lane l = lane::sweep)
    {
        return testkit::run(loop, [&]() { return b.enter(l); }).value();
    }

    std::error_code refused(api_budget& b, lane l = lane::sweep)
    {
        const auto entered = testkit::run(loop, [&]() { return b.enter(l); });
        return entered.has_value() ? std::error_code() : entered.error().code;
    }

    void until(std::function<bool()> done)
    {
        CHECK(testkit::run(loop, [&]() { return testkit::eventually_async(10s, done); }));
    }

    int taken()
    {
        static constexpr db::statement count{"test.slots",
            "select count(*)::int as n from learning.api_slots where held_until > clock_timestamp()"};
        return database.owner().transact(
            [](db::transaction& tx) { return db::get<int>(tx.exec(count)[0], "n"); });
    }

    boost::asio::io_context loop;
    testkit::database database;
    db::pool pool;
    std::vector<std::unique_ptr<api_budget>> budgets;
};

// Takes a permit, says so, and keeps it until told.
struct caller
{
    bool is_in = false;
    bool failed = false;
    call_permit permit;
};

async::task<void> call(api_budget& b, lane l, caller& c)
{
    try {
        auto entered = co_await b.enter(l);
        c.permit = std::move(entered.value());
        c.is_in = true;
    }
    catch (const base::dependency_down&) {
        c.failed = true;
    }
}

} // namespace

TEST_CASE_METHOD(fixture, "no more calls at once than agreed, over all instances")
{
    auto& one = add(10'000, 2);
    auto& two = add(10'000, 2);
    auto a = enter(one);
    auto b = enter(two);
    CHECK(taken() == 2);

    caller waiting;
    boost::asio::co_spawn(loop, call(one, lane::sweep, waiting), boost::asio::detached);
    caller fence; // proves that the first one had its chance
    until([&] { return taken() == 2; });
    CHECK_FALSE(waiting.is_in);
    b.give_back(); // on the other instance
    until([&] { return waiting.is_in; });
    CHECK(taken() == 2);
    waiting.permit.give_back();
    a.give_back();
    until([&] { return taken() == 0; });
}

TEST_CASE_METHOD(fixture, "starts are spaced by the rate, over all instances")
{
    auto& one = add(20, 8);
    auto& two = add(20, 8);
    std::vector<caller> callers(6);
    const auto begin = std::chrono::steady_clock::now();
    for (std::size_t i = 0; i < callers.size(); ++i)
        boost::asio::co_spawn(
            loop, call(i % 2 == 0 ? one : two, lane::sweep, callers[i]), boost::asio::detached);
    until(
        [&] { return std::all_of(callers.begin(), callers.end(), [](const caller& c) { return c.is_in; }); });
    // Five gaps of 50 ms; lateness of 50 ms may be made up for once.
    CHECK(std::chrono::steady_clock::now() - begin >= 195ms);
}

TEST_CASE_METHOD(fixture, "whoever waits for one student goes ahead of the sweep")
{
    auto& one = add(10'000, 1);
    auto held = enter(one);
    std::vector<caller> sweeping(3);
    for (auto& c : sweeping)
        boost::asio::co_spawn(loop, call(one, lane::sweep, c), boost::asio::detached);
    caller urgent;
    boost::asio::co_spawn(loop, call(one, lane::urgent, urgent), boost::asio::detached);
    static constexpr db::statement mark{
        "test.mark", "select urgent_until > clock_timestamp() as set from learning.api_budget"};
    until([&] {
        return database.owner().transact(
            [](db::transaction& tx) { return db::get<bool>(tx.exec(mark)[0], "set"); });
    });
    held.give_back();
    until([&] { return urgent.is_in; });
    CHECK(std::none_of(sweeping.begin(), sweeping.end(), [](const caller& c) { return c.is_in; }));
    urgent.permit.give_back();
    for (auto& c : sweeping) {
        until([&] { return c.is_in; });
        c.permit.give_back();
    }
}

TEST_CASE_METHOD(fixture, "a pause holds for everybody")
{
    auto& one = add(10'000, 4);
    auto& two = add(10'000, 4);
    const auto begin = std::chrono::steady_clock::now();
    testkit::run(loop, [&]() { return one.pause(300ms); });
    testkit::run(loop, [&]() { return two.pause(10ms); }); // a shorter one takes nothing away
    auto a = enter(two, lane::urgent);
    CHECK(std::chrono::steady_clock::now() - begin >= 290ms);
}

TEST_CASE_METHOD(fixture, "the slot of a killed instance comes free with its lease")
{
    boost::asio::io_context dead; // runs no more once the call is in flight
    db::pool its_pool(dead.get_executor(), database.settings_as("stepik-sync"));
    api_budget::settings s;
    s.requests_per_second = 10'000;
    s.concurrency = 1;
    s.lease = 200ms;
    api_budget killed(dead.get_executor(), its_pool, s);
    auto lost = testkit::run(dead, [&]() { return killed.enter(lane::sweep); }).value();
    auto& two = add(10'000, 1);
    auto found = enter(two);
    // Giving back late must not take away what belongs to another call by now.
    lost.give_back();
    testkit::run(dead, [&]() { return killed.close(); });
    CHECK(taken() == 1);
    testkit::run(dead, [&]() { return its_pool.stop(); });
    found.give_back();
    until([&] { return taken() == 0; });
}

TEST_CASE_METHOD(fixture, "a slot stays taken for as long as its call lasts")
{
    auto& one = add(10'000, 1, 1s);
    auto& two = add(10'000, 1, 1s, 3200ms);
    auto held = enter(one);
    CHECK(refused(two) == stepik_errc::busy); // more than three leases later
    CHECK(taken() == 1);
    held.give_back();
    auto next = enter(two);
}

TEST_CASE_METHOD(fixture, "nobody waits out a long pause, and a person not even a short one")
{
    auto& one = add(10'000, 2);
    testkit::run(loop, [&]() { return one.pause(4s); });
    CHECK(refused(one, lane::urgent) == stepik_errc::rate_limited);
    testkit::run(loop, [&]() { return one.pause(900s); });
    CHECK(refused(one, lane::sweep) == stepik_errc::rate_limited);
    CHECK(refused(one, lane::structure) == stepik_errc::rate_limited);
}

TEST_CASE_METHOD(fixture, "a queue of callers that nobody makes room for lets go after a while")
{
    auto& one = add(10'000, 1, 60s, 300ms);
    auto held = enter(one);
    int told = 0;
    const auto wait = [&]() -> async::task<void> {
        const auto entered = co_await one.enter(lane::sweep);
        CHECK(entered.error().code == stepik_errc::busy);
        ++told;
    };
    const auto begin = std::chrono::steady_clock::now();
    for (int i = 0; i < 16; ++i)
        boost::asio::co_spawn(loop, wait, boost::asio::detached);
    until([&] { return told == 16; });
    CHECK(std::chrono::steady_clock::now() - begin < 3s); // not one after the other
}

TEST_CASE_METHOD(fixture, "stopping lets everybody go who waits")
{
    auto& one = add(10'000, 1);
    auto held = enter(one);
    caller waiting;
    caller urgent;
    caller late;
    boost::asio::co_spawn(loop, call(one, lane::sweep, waiting), boost::asio::detached);
    boost::asio::co_spawn(loop, call(one, lane::urgent, urgent), boost::asio::detached);
    until([&] { return taken() == 1; });
    one.refuse();
    boost::asio::co_spawn(loop, call(one, lane::sweep, late), boost::asio::detached);
    until([&] { return waiting.failed && urgent.failed && late.failed; });
}
