#include "domain/moscow_time.hpp"

#include <catch2/catch.hpp>

using namespace coursegate;
using namespace coursegate::boomstream_grant;

namespace {

base::time_point at(const char* iso)
{
    return base::parse_iso8601(iso).value();
}

} // namespace

TEST_CASE("Moscow is three hours ahead, in winter and in summer")
{
    CHECK(to_moscow(at("2026-01-31T21:30:00Z")) == "2026-02-01 00:30:00");
    CHECK(to_moscow(at("2026-07-01T09:05:06.999999Z")) == "2026-07-01 12:05:06");
}

TEST_CASE("never is the end of 12 December 2100 in Moscow")
{
    CHECK(to_moscow(never_ends()) == "2100-12-12 23:59:59");
}

TEST_CASE("dates of Boomstream are read as Moscow time")
{
    CHECK(parse_moscow("2025-12-31 19:00:10").value() == at("2025-12-31T16:00:10Z"));
    CHECK(parse_moscow("2025-12-31T19:00:10").value() == at("2025-12-31T16:00:10Z"));
    CHECK(parse_moscow("2026-01-01 01:00:00").value() == at("2025-12-31T22:00:00Z"));
    CHECK(parse_moscow("2024-02-29").value() == at("2024-02-29T20:59:59Z")); // a date alone ends with its day
}

TEST_CASE("no date is no end")
{
    CHECK_FALSE(parse_moscow("").value().has_value());
    CHECK_FALSE(parse_moscow("0000-00-00 00:00:00").value().has_value());
    CHECK_FALSE(parse_moscow("0000-00-00").value().has_value());
}

TEST_CASE("what is no date is refused")
{
    for (const auto* text : {"tomorrow", "2025-13-01 00:00:00", "2025-02-29", "2025-01-01 24:00:00",
             "2025-01-01 1:00:00", "+025-01-01", "2025-01-01 00:00:0x", "2025/01/01"})
    {
        CAPTURE(text);
        CHECK_FALSE(parse_moscow(text).has_value());
    }
}

TEST_CASE("what was written is read back")
{
    for (const auto* iso : {"2026-03-29T00:59:59Z", "1999-12-31T23:59:59Z", "2038-01-19T03:14:08Z"})
        CHECK(parse_moscow(to_moscow(at(iso))).value() == at(iso));
}
