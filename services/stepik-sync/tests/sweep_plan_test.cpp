#include "domain/sweep_plan.hpp"

#include <catch2/catch.hpp>

using namespace coursegate::stepik_sync;
using namespace std::chrono_literals;

TEST_CASE("the number of pages is last time's, or what the learners ask for")
{
    CHECK(expected_pages(50, 5000, 20) == 50);
    CHECK(expected_pages(std::nullopt, 1000, 20) == 50);
    CHECK(expected_pages(std::nullopt, 1019, 20) ==
          50); // rather one page too few: the last one schedules the next
    CHECK(expected_pages(std::nullopt, 5, 20) == 1);
    CHECK(expected_pages(std::nullopt, std::nullopt, 20) == 1);
    CHECK(expected_pages(0, 100, 0) == 100);
}

TEST_CASE("a course whose last sweep failed is probed with one page")
{
    CHECK(pages_at_start(50, true) == 50);
    CHECK(pages_at_start(50, false) == 1);
}

TEST_CASE("the last scheduled page schedules what is missing")
{
    CHECK(pages_to_schedule(1, 1, 50) == 50);  // the probe worked
    CHECK(pages_to_schedule(3, 50, 50) == 50); // nothing more
    CHECK(pages_to_schedule(50, 50, 50) == 51);
    CHECK(pages_to_schedule(51, 51, 50) == 52);
}

TEST_CASE("a failing page rests longer and longer, and at last the sweep has failed")
{
    CHECK(rest_after_failure(1) == 1s);
    CHECK(rest_after_failure(2) == 2s);
    CHECK(rest_after_failure(6) == 32s);
    CHECK_FALSE(rest_after_failure(7));
}

TEST_CASE("a sweep is stuck only when its pages can't simply be waiting for the budget")
{
    CHECK(stuck_after(0, 2) == 60s);
    CHECK(stuck_after(50, 2) == 110s);
    CHECK(stuck_after(2500, 2) == 2560s);
    CHECK(stuck_after(1'000'000, 0.01) == 60s + 24h);
}

TEST_CASE("structures are read less often than sweeps")
{
    CHECK(structure_interval(300s) == 1h);
    CHECK(structure_rest_after_failure(1) == 5s);
    CHECK(structure_rest_after_failure(20) == 600s);
}
