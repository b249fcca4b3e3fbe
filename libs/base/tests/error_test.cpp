#include "coursegate/base/backoff.hpp"
#include "coursegate/base/result.hpp"

#include <catch2/catch.hpp>

#include <set>

using namespace coursegate;
using namespace std::chrono_literals;

TEST_CASE("value() of a failed result throws the error with its sentence")
{
    const base::result<int> failed = base::fail(base::errc::malformed, "page 3 is no number");
    REQUIRE(failed.has_error());
    CHECK_THROWS_WITH(failed.value(), Catch::Matchers::Contains("page 3 is no number"));
    CHECK_THROWS_AS(failed.value(), std::system_error);
    CHECK(failed.error().code.message() == "malformed text");
}

TEST_CASE("waits double up to the longest and never fall below half a step")
{
    base::backoff waits{{100ms, 1000ms}};
    std::int64_t step = 100;
    for (int i = 0; i < 12; ++i) {
        const auto wait = waits.next();
        CHECK(wait.count() >= step / 2);
        CHECK(wait.count() <= step);
        step = std::min<std::int64_t>(step * 2, 1000);
    }
    CHECK(waits.failures() == 12);
    waits.reset();
    CHECK(waits.failures() == 0);
    CHECK(waits.next() <= 100ms);
}

TEST_CASE("waits are spread, so that many instances do not come back together")
{
    std::set<std::int64_t> seen;
    for (int i = 0; i < 50; ++i)
        seen.insert(base::backoff{{10'000ms, 10'000ms}}.next().count());
    CHECK(seen.size() > 10);
}
