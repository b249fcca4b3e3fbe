#include "domain/grades.hpp"

#include <catch2/catch.hpp>

using namespace coursegate;
using namespace coursegate::stepik_sync;
using namespace std::chrono_literals;

namespace {

const base::time_point noon = base::parse_iso8601("2026-01-02T12:00:00Z").value();

grade_row row_with(std::uint8_t mark, std::optional<base::time_point> viewed)
{
    grade_row r;
    r.user = 1;
    r.results_digest[0] = mark;
    r.last_viewed = viewed;
    return r;
}

known_row known_with(std::uint8_t mark, std::optional<base::time_point> viewed)
{
    known_row k;
    digest d{};
    d[0] = mark;
    k.results_digest = d;
    k.last_viewed = viewed;
    k.last_read_at = noon;
    return k;
}

} // namespace

TEST_CASE("a row is recognised by digest and last activity")
{
    const auto known = known_with(1, noon - 1h);
    CHECK(compare(row_with(1, noon - 1h), nullptr, noon) == row_change::appeared);
    CHECK(compare(row_with(1, noon - 1h), &known, noon + 5min) == row_change::unchanged);
    CHECK(compare(row_with(1, noon), &known, noon + 5min) == row_change::viewed);
    CHECK(compare(row_with(2, noon - 1h), &known, noon + 5min) == row_change::changed);
    CHECK(compare(row_with(2, noon), &known, noon + 5min) == row_change::changed);
}

TEST_CASE("a reading that was overtaken by a newer one says nothing")
{
    const auto known = known_with(1, noon - 1h);
    CHECK(compare(row_with(2, noon), &known, noon) == row_change::older);
    CHECK(compare(row_with(2, noon), &known, noon - 1s) == row_change::older);
}

TEST_CASE("an outstanding decision makes the same row a changed one")
{
    auto known = known_with(1, noon - 1h);
    known.results_digest.reset();
    CHECK(compare(row_with(1, noon - 1h), &known, noon + 5min) == row_change::changed);
}

TEST_CASE("a step that is listed twice counts once, and as passed when one of them is")
{
    std::vector<step_result> steps = {
        {7, 2, false}, {7, 1, true}, {7, 2, true}, {6, 3, false}, {7, 0, false}, {7, 0, false}};
    normalise(steps);
    REQUIRE(steps.size() == 5);
    CHECK(steps[0].lesson_id == 6);
    CHECK(steps[1].step_id == 0); // unreadable entries stay apart: nobody knows whether they are the same
    CHECK(steps[2].step_id == 0);
    CHECK(steps[3].step_id == 1);
    CHECK(steps[4].step_id == 2);
    CHECK(steps[4].is_passed);
}
