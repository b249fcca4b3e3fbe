#include "../src/unsettled.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <random>
#include <set>
#include <vector>

using coursegate::amqp::unsettled;

namespace Catch {
template <>
struct StringMaker<unsettled::command>
{
    static std::string convert(const unsettled::command& c)
    {
        return (c.requeue ? "requeue " : "ack ") + std::to_string(c.tag) + (c.multiple ? " multiple" : "");
    }
};
} // namespace Catch

namespace {

using commands = std::vector<unsettled::command>;

unsettled delivered(int count)
{
    unsettled u;
    for (int tag = 1; tag <= count; ++tag)
        u.delivered(static_cast<std::uint64_t>(tag));
    return u;
}

} // namespace

TEST_CASE("messages done in order are acked together")
{
    auto u = delivered(5);
    for (const int tag : {1, 2, 3})
        u.settle(static_cast<std::uint64_t>(tag), false);
    CHECK(u.commands() == commands{{3, true, false}});
    CHECK(u.commands().empty());
    u.settle(4, false);
    CHECK(u.commands() == commands{{4, false, false}});
    CHECK(u.open() == 1);
}

TEST_CASE("a slow handler is never acked by the faster ones behind it, and does not hold them up")
{
    auto u = delivered(4);
    u.settle(3, false);
    u.settle(2, false);
    CHECK(u.commands() == commands{{2, false, false}, {3, false, false}});
    u.settle(1, false);
    CHECK(u.commands() == commands{{1, false, false}});
    u.settle(4, false);
    CHECK(u.commands() == commands{{4, false, false}});
}

TEST_CASE("a message handed back is not acked by its neighbours")
{
    auto u = delivered(4);
    u.settle(1, false);
    u.settle(2, true);
    u.settle(3, false);
    CHECK(u.commands() == commands{{2, false, true}, {3, true, false}});
    CHECK(u.open() == 1);
}

TEST_CASE("settling twice, or a tag of another connection, does nothing")
{
    auto u = delivered(2);
    u.settle(1, false);
    u.settle(1, true);
    u.settle(77, false);
    u.settle(0, false);
    CHECK(u.commands() == commands{{1, false, false}});
    u.clear();
    u.settle(2, false);
    CHECK(u.commands().empty());
    u.delivered(1);
    u.settle(1, false);
    CHECK(u.commands() == commands{{1, false, false}});
}

// The broker's side of it: what does a sequence of commands ack?
TEST_CASE("random histories: the broker ends up with exactly the decisions of the handlers")
{
    const auto seed = std::random_device{}();
    CAPTURE(seed);
    std::mt19937 random{seed};
    const auto below = [&](std::uint64_t n) {
        return std::uniform_int_distribution<std::uint64_t>(0, n - 1)(random);
    };
    for (int history = 0; history < 500; ++history) {
        unsettled u;
        std::uint64_t next = 1;
        std::set<std::uint64_t> running, open_at_broker, acked, requeued, want_ack, want_requeue;
        const auto apply = [&] {
            for (const auto& c : u.commands()) {
                REQUIRE(open_at_broker.count(c.tag) == 1);
                for (auto at = open_at_broker.begin(); at != open_at_broker.end() && *at <= c.tag;) {
                    if (!c.multiple && *at != c.tag) {
                        ++at;
                        continue;
                    }
                    (c.requeue ? requeued : acked).insert(*at);
                    at = open_at_broker.erase(at);
                }
            }
        };
        for (int step = 0; step < 60; ++step) {
            if (below(2) == 0) {
                u.delivered(next);
                running.insert(next);
                open_at_broker.insert(next);
                ++next;
            }
            else if (!running.empty()) {
                const auto at =
                    std::next(running.begin(), static_cast<std::ptrdiff_t>(below(running.size())));
                const bool requeue = below(5) == 0;
                u.settle(*at, requeue);
                (requeue ? want_requeue : want_ack).insert(*at);
                running.erase(at);
            }
            if (below(3) == 0)
                apply();
        }
        apply();
        REQUIRE(acked == want_ack);
        REQUIRE(requeued == want_requeue);
        REQUIRE(open_at_broker == running);
        REQUIRE(u.open() == running.size());
    }
}
