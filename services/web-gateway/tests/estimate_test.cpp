#include "domain/estimate.hpp"

#include <catch2/catch.hpp>

using namespace coursegate::web_gateway;

TEST_CASE("without anything to go by an estimate is the ordinary time")
{
    const auto e = estimate_sync({});
    CHECK(e.seconds == 2);
    CHECK(e.waiting == 0);
    CHECK(e.note.empty());
}

TEST_CASE("who waits behind others is told so")
{
    recent_syncs recent;
    recent.waiting = 40;
    CHECK(estimate_sync(recent).seconds == 22);
    recent.gaps_seconds = {1, 1, 1, 30};
    CHECK(estimate_sync(recent).seconds == 42);
}

TEST_CASE("an estimate holds for nine of ten, not for the fastest")
{
    recent_syncs recent;
    recent.took_seconds = {0.2, 0.2, 0.3, 0.2, 0.2, 0.2, 0.3, 0.2, 0.2, 6.5, 0.2}; // one of eleven
    CHECK(estimate_sync(recent).seconds == 1);
    recent.took_seconds = {0.2, 6.5};
    CHECK(estimate_sync(recent).seconds == 7);
}

TEST_CASE("while Stepik can't be read nobody promises a time")
{
    recent_syncs recent;
    recent.stepik_readable = false;
    recent.problem = "The secret is wrong.";
    const auto e = estimate_sync(recent);
    CHECK_FALSE(e.seconds);
    CHECK(e.note.find("The secret is wrong.") != std::string::npos);
}
