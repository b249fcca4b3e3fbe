#include "../src/window.hpp"

#include <catch2/catch.hpp>

#include <string>
#include <vector>

using coursegate::amqp::window;

namespace {

struct collected
{
    std::string all;
    void operator()(std::string& s) { all += s; }
};

} // namespace

TEST_CASE("a confirm of several messages takes all up to its tag, once")
{
    window<std::string> w(10);
    CHECK(w.push("a") == 1);
    CHECK(w.push("b") == 2);
    CHECK(w.push("c") == 3);
    collected got;
    w.settle(2, false, [&](std::string& s) { got(s); });
    CHECK(got.all == "b");
    CHECK(w.size() == 2);
    CHECK(w.oldest() == "a");
    w.settle(3, true, [&](std::string& s) { got(s); });
    CHECK(got.all == "bac");
    CHECK(w.empty());
    w.settle(3, true, [&](std::string& s) { got(s); });
    w.settle(99, false, [&](std::string& s) { got(s); });
    CHECK(got.all == "bac");
    CHECK(w.push("d") == 4);
}

TEST_CASE("the window is full at its limit, and also behind one message that is never confirmed")
{
    window<std::string> w(2);
    w.push("stuck");
    w.push("x");
    CHECK(w.full());
    const auto ignore = [](std::string&) {};
    for (std::uint64_t tag = 2; !w.full() || w.size() >= 2; ++tag) {
        w.settle(tag, false, ignore);
        if (w.full())
            break;
        w.push("x");
        REQUIRE(tag < 100);
    }
    CHECK(w.oldest() == "stuck");
}

TEST_CASE("after the connection is lost every open message is handed out and tags count from 1 again")
{
    window<std::string> w(10);
    w.push("a");
    w.push("b");
    w.push("c");
    w.settle(2, false, [](std::string&) {});
    collected got;
    w.clear([&](std::string& s) { got(s); });
    CHECK(got.all == "ac");
    CHECK(w.empty());
    CHECK(w.push("d") == 1);
    CHECK(*w.find([](const std::string& s) { return s == "d"; }) == "d");
    CHECK(w.find([](const std::string& s) { return s == "a"; }) == nullptr);
}
