#include "coursegate/db/listener.hpp"

#include "coursegate/db/transaction.hpp"
#include "coursegate/testkit/database.hpp"
#include "coursegate/testkit/run.hpp"
#include "coursegate/testkit/tcp_proxy.hpp"

#include <catch2/catch.hpp>

using namespace coursegate;
using namespace std::chrono_literals;

TEST_CASE("a NOTIFY of another session wakes, and a lost connection is found again with one more wake-up")
{
    testkit::database empty(false);
    testkit::tcp_proxy between(empty.url());
    db::settings options;
    options.url = base::secret(between.url(empty.url()));
    boost::asio::io_context loop;
    db::listener ear(loop.get_executor(), options);
    int feed = 0, other = 0;
    ear.on("feed", [&] { ++feed; });
    ear.on("Odd \"name\"", [&] { ++other; });
    const auto until = [&](const std::function<bool()>& done) {
        return testkit::run(loop, [&] { return testkit::eventually_async(20s, done); });
    };
    const auto notify = [&](std::string_view channel) {
        empty.owner().transact([&](db::transaction& tx) { tx.notify(channel); });
    };

    CHECK_FALSE(ear.check().ok);
    testkit::run(loop, [&] { return ear.start(); });
    CHECK(until([&] { return feed == 1 && other == 1; })); // connected: look once
    CHECK(ear.check().ok);

    notify("feed");
    CHECK(until([&] { return feed == 2; }));
    notify("Odd \"name\"");
    CHECK(until([&] { return other == 2; }));
    notify("unknown");

    between.refuse(true);
    between.cut();
    CHECK(until([&] { return !ear.check().ok; }));
    notify("feed"); // nobody hears this one
    between.refuse(false);
    CHECK(until([&] { return feed == 3; }));
    CHECK(ear.check().ok);

    testkit::run(loop, [&] { return ear.stop(); });
    testkit::run(loop, [&] { return ear.stop(); });
    CHECK_FALSE(ear.check().ok);
}

TEST_CASE("a server that keeps the line but no longer answers is left, and heard again when it is back")
{
    testkit::database empty(false);
    testkit::tcp_proxy between(empty.url());
    db::settings options;
    options.url = base::secret(between.url(empty.url()));
    boost::asio::io_context loop;
    db::listener ear(loop.get_executor(), options, 100ms);
    int feed = 0;
    ear.on("feed", [&] { ++feed; });
    const auto until = [&](std::chrono::milliseconds limit, const std::function<bool()>& done) {
        return testkit::run(loop, [&] { return testkit::eventually_async(limit, done); });
    };
    testkit::run(loop, [&] { return ear.start(); });
    REQUIRE(until(20s, [&] { return feed == 1; }));

    between.pause();
    CHECK(until(8s, [&] { return !ear.check().ok; }));
    CHECK_THAT(ear.check().detail, Catch::Contains("no answer within 5 s"));
    between.resume();
    CHECK(until(15s, [&] { return feed == 2; }));
    CHECK(ear.check().ok);

    // Stopping does not wait for an answer either.
    between.pause();
    const auto began = std::chrono::steady_clock::now();
    testkit::run(loop, [&] { return ear.stop(); });
    CHECK(std::chrono::steady_clock::now() - began < 3s);
}

TEST_CASE("a listener may be destroyed without having been started")
{
    testkit::database empty(false);
    db::settings options;
    options.url = base::secret(empty.url());
    boost::asio::io_context loop;
    db::listener ear(loop.get_executor(), options);
    CHECK_FALSE(ear.check().ok);
}
