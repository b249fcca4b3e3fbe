#include "coursegate/base/clock.hpp"

#include <catch2/catch.hpp>

using namespace coursegate;
using namespace std::chrono_literals;

TEST_CASE("a time is printed with six digits of a second")
{
    const auto t =
        base::time_point{std::chrono::sys_days{std::chrono::year{2026} / 1 / 2}} + 3h + 4min + 5s + 678901us;
    CHECK(base::to_iso8601(t) == "2026-01-02T03:04:05.678901Z");
    CHECK(base::to_iso8601(t - 678901us) == "2026-01-02T03:04:05.000000Z");
    CHECK(base::to_iso8601(base::time_point{} - 1us) == "1969-12-31T23:59:59.999999Z");
}

TEST_CASE("a time is read with any fraction and any offset")
{
    const auto t = base::parse_iso8601("2026-01-02T03:04:05Z").value();
    CHECK(base::parse_iso8601("2026-01-02T03:04:05.5Z").value() == t + 500ms);
    CHECK(base::parse_iso8601("2026-01-02T03:04:05.678901234Z").value() == t + 678901us);
    CHECK(base::parse_iso8601("2026-01-02T06:04:05+03:00").value() == t);
    CHECK(base::parse_iso8601("2026-01-01T21:34:05-05:30").value() == t);
    CHECK(base::parse_iso8601("2024-02-29T00:00:00Z").has_value());
}

TEST_CASE("what is printed is read back")
{
    const auto t = base::now();
    CHECK(base::parse_iso8601(base::to_iso8601(t)).value() == t);
}

TEST_CASE("what is no time is refused")
{
    for (const auto* text : {"", "2026", "2026-01-02", "2026-01-02T03:04:05", "2026-13-02T03:04:05Z",
             "2026-02-30T03:04:05Z", "2025-02-29T00:00:00Z", "2026-01-02T24:04:05Z", "2026-01-02T03:60:05Z",
             "2026-01-02T03:04:60Z", "2026-01-02 03:04:05Z", "2026-01-02T03:04:05.1234567890Z",
             "2026-01-02T03:04:05Zx", "2026-01-02T03:04:05+0300", "2026-01-02T03:04:05+3:00",
             "2026-01-02T03:04:05 03:00", "-026-01-02T03:04:05Z"})
    {
        INFO(text);
        const auto read = base::parse_iso8601(text);
        REQUIRE(read.has_error());
        CHECK(read.error().code == base::errc::malformed);
    }
}
