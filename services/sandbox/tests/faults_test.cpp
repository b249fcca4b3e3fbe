#include "domain/calls.hpp"
#include "domain/faults.hpp"

#include <catch2/catch.hpp>

using namespace coursegate;
using namespace coursegate::sandbox;
using namespace std::chrono_literals;

TEST_CASE("a counted fault hits the next so many calls below its path and is gone")
{
    fault_plan plan;
    fault_rule r;
    r.target = target::boomstream;
    r.kind = fault_kind::drop;
    r.count = 2;
    r.path = "/api/ppv/addbuyer";
    plan.add(r);
    CHECK_FALSE(plan.decide(target::stepik, "/api/ppv/addbuyer").fault.has_value());
    CHECK_FALSE(plan.decide(target::boomstream, "/api/ppv/listbuyers").fault.has_value());
    CHECK(plan.decide(target::boomstream, "/api/ppv/addbuyer").fault->kind == fault_kind::drop);
    CHECK(plan.decide(target::boomstream, "/api/ppv/addbuyer").fault.has_value());
    CHECK_FALSE(plan.decide(target::boomstream, "/api/ppv/addbuyer").fault.has_value());
    CHECK(plan.rules().empty());
    const auto bit = plan.clear();
    REQUIRE(bit.size() == 1); // used up, but not forgotten
    CHECK(bit[0].hits == 2);
    CHECK(plan.clear().empty());
}

TEST_CASE("a share hits about that share of calls, the same ones for the same seed")
{
    const auto hits = [](std::uint64_t seed) {
        fault_plan plan{seed};
        fault_rule r;
        r.kind = fault_kind::status_500;
        r.share = 0.2;
        plan.add(r);
        std::string out;
        for (int i = 0; i < 1000; ++i)
            out += plan.decide(target::stepik, "/api/courses").fault ? 'x' : '.';
        return out;
    };
    const auto first = hits(7);
    const auto count = std::count(first.begin(), first.end(), 'x');
    CHECK(count > 150);
    CHECK(count < 250);
    CHECK(first == hits(7));
    CHECK(first != hits(8));
}

TEST_CASE("latencies add up beside the one fault that shows")
{
    fault_plan plan;
    fault_rule slow;
    slow.kind = fault_kind::latency;
    slow.millis = 30;
    plan.add(slow);
    slow.millis = 20;
    plan.add(slow);
    fault_rule broken;
    broken.kind = fault_kind::status_429;
    const auto id = plan.add(broken);
    auto d = plan.decide(target::stepik, "/api/courses");
    CHECK(d.latency_ms == 50);
    REQUIRE(d.fault.has_value());
    CHECK(d.fault->kind == fault_kind::status_429);
    CHECK(plan.remove(id));
    CHECK_FALSE(plan.remove(id));
    CHECK_FALSE(plan.decide(target::stepik, "/api/courses").fault.has_value());
}

TEST_CASE("every kind of fault has a name")
{
    for (const auto* word :
        {"latency", "status_401", "status_403", "status_404", "status_429", "status_500", "bad_gateway_html",
            "timeout_before", "timeout_after", "drop", "drop_after", "truncated", "failed_200", "empty_body"})
    {
        const auto kind = parse_fault_kind(word);
        REQUIRE(kind.has_value());
        CHECK(to_string(*kind) == word);
    }
    CHECK_FALSE(parse_fault_kind("meteor").has_value());
}

TEST_CASE("calls are counted by what they were, and the busiest second is known")
{
    call_book book;
    base::time_point t{};
    for (int i = 0; i < 5; ++i)
        CHECK(book.begin(target::stepik, t + i * 100ms, 0));
    CHECK(book.load_of(target::stepik).in_flight == 5);
    CHECK(book.load_of(target::stepik).most_per_second == 5);
    CHECK(book.begin(target::stepik, t + 1250ms, 3)); // 3 in the last second
    CHECK_FALSE(book.begin(target::stepik, t + 1260ms, 3));
    call c;
    c.path = path_pattern("/api/lessons/1852228");
    c.status = 200;
    book.end(c);
    book.end(c);
    CHECK(book.load_of(target::stepik).in_flight == 5);
    CHECK(book.load_of(target::stepik).most_in_flight == 7);
    const call_book::key key{target::stepik, "/api/lessons/{id}", 200, ""};
    REQUIRE(book.tallies().contains(key));
    CHECK(book.tallies().at(key).calls == 2);
    CHECK(book.total(target::stepik) == 2);
    CHECK(book.recent().size() == 2);
}

TEST_CASE("paths are counted without ids and codes")
{
    CHECK(path_pattern("/api/course-grades/34000001/refresh") == "/api/course-grades/{id}/refresh");
    CHECK(path_pattern("/V1852228/config") == "/{code}/config");
    CHECK(path_pattern("/oauth2/token/") == "/oauth2/token/");
}
