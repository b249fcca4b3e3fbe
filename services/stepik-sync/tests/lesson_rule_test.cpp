#include "domain/lesson_rule.hpp"

#include <catch2/catch.hpp>

#include <vector>

using namespace coursegate;
using namespace coursegate::stepik_sync;
using namespace std::chrono_literals;

namespace {

const base::time_point noon = base::parse_iso8601("2026-01-02T12:00:00Z").value();

constexpr std::int64_t lesson = 7;

step_result result(std::int64_t step, bool passed, std::int64_t of_lesson = lesson)
{
    step_result r;
    r.lesson_id = of_lesson;
    r.step_id = step;
    r.is_passed = passed;
    return r;
}

reading at(base::time_point t, std::optional<base::time_point> previous = {})
{
    reading r;
    r.read_at = t;
    r.previous = previous;
    return r;
}

using states = std::map<std::int64_t, lesson_state>;

states apply(states known, const row_decision& d)
{
    for (const auto& c : d.changes)
        known[c.lesson_id] = c.state;
    return known;
}

} // namespace

TEST_CASE("when a lesson is passed, case by case")
{
    struct row
    {
        const char* what;
        std::vector<step_result> steps;
        states known;
        young_steps young;
        bool passed, newly, undecided;
        int steps_passed, steps_total;
        std::vector<std::int64_t> missing;
    };
    lesson_state passed_before;
    passed_before.passed = true;
    passed_before.steps_passed = 2;
    passed_before.steps_total = 2;
    passed_before.passed_before = noon - 1h;
    passed_before.seen_at = noon - 1h;
    lesson_state open_before;
    open_before.steps_passed = 1;
    open_before.steps_total = 2;
    open_before.missing_steps = {2};

    const std::vector<row> cases = {
        {"all results passed", {result(1, true), result(2, true)}, {}, {}, true, true, false, 2, 2, {}},
        {"a single result passed", {result(1, true)}, {}, {}, true, true, false, 1, 1, {}},
        {"one result missing", {result(1, true), result(2, false)}, {}, {}, false, false, false, 1, 2, {2}},
        {"nothing passed", {result(1, false), result(2, false)}, {}, {}, false, false, false, 0, 2, {1, 2}},
        {"the missing one arrived", {result(1, true), result(2, true)}, {{lesson, open_before}}, {}, true,
            true, false, 2, 2, {}},
        {"a step inserted into a passed lesson does not lock it again",
            {result(1, true), result(2, true), result(3, false)}, {{lesson, passed_before}}, {}, true, false,
            false, 2, 3, {3}},
        {"a result taken back does not lock it again", {result(1, true), result(2, false)},
            {{lesson, passed_before}}, {}, true, false, false, 1, 2, {2}},
        {"a young step of a passed lesson changes nothing but the counts", {result(1, true)},
            {{lesson, passed_before}}, {{lesson, {9}}}, true, false, false, 1, 1, {}},
        {"a young step that the row lacks delays the decision", {result(1, true), result(2, true)}, {},
            {{lesson, {9}}}, false, false, true, 2, 3, {9}},
        {"a young step in the row and passed delays nothing", {result(1, true), result(9, true)}, {},
            {{lesson, {9}}}, true, true, false, 2, 2, {}},
        {"a young step in the row and not passed is simply missing", {result(1, true), result(9, false)}, {},
            {{lesson, {9}}}, false, false, false, 1, 2, {9}},
        {"a young step of another lesson is none of this one's business", {result(1, true)}, {}, {{8, {9}}},
            true, true, false, 1, 1, {}},
        {"a result that could not be read holds the lesson back", {result(0, false), result(1, true)}, {}, {},
            false, false, false, 1, 2, {}},
    };
    for (const auto& c : cases) {
        INFO(c.what);
        const auto d = decide(c.steps, c.known, c.young, at(noon, noon - 5min));
        REQUIRE(d.changes.size() == 1);
        const auto& change = d.changes.front();
        CHECK(change.lesson_id == lesson);
        CHECK(change.state.passed == c.passed);
        CHECK(change.newly_passed == c.newly);
        CHECK(d.undecided == c.undecided);
        CHECK(change.state.steps_passed == c.steps_passed);
        CHECK(change.state.steps_total == c.steps_total);
        CHECK(change.state.missing_steps == c.missing);
    }
}

TEST_CASE("a row without results decides nothing")
{
    const auto d = decide({}, {}, {{lesson, {9}}}, at(noon));
    CHECK(d.changes.empty());
    CHECK_FALSE(d.undecided);
}

TEST_CASE("lessons of one row are decided each for itself, and only what differs is written")
{
    const std::vector<step_result> steps = {result(1, true, 5), result(2, false, 6), result(3, true, 7)};
    auto first = decide(steps, {}, {}, at(noon));
    REQUIRE(first.changes.size() == 3);
    CHECK(first.changes[0].newly_passed);
    CHECK_FALSE(first.changes[1].newly_passed);
    CHECK(first.changes[2].newly_passed);

    const auto stored = apply({}, first);
    CHECK(decide(steps, stored, {}, at(noon + 5min, noon)).changes.empty());

    auto later = steps;
    later[1].is_passed = true;
    const auto second = decide(later, stored, {}, at(noon + 5min, noon));
    REQUIRE(second.changes.size() == 1);
    CHECK(second.changes[0].lesson_id == 6);
    CHECK(second.changes[0].newly_passed);
}

TEST_CASE("lessons that are not in the row keep their state")
{
    lesson_state gone;
    gone.passed = true;
    const auto d = decide({result(1, true)}, {{99, gone}}, {}, at(noon));
    REQUIRE(d.changes.size() == 1);
    CHECK(d.changes[0].lesson_id == lesson);
}

TEST_CASE("a delayed decision is made one sweep later, with the clocks of the reading that showed it first")
{
    const std::vector<step_result> steps = {result(1, true), result(2, true)};
    const auto delayed = decide(steps, {}, {{lesson, {9}}}, at(noon, noon - 5min));
    CHECK(delayed.undecided);
    const auto stored = apply({}, delayed);

    // The step never turned up in the grades: it is not waited for.
    const auto decided = decide(steps, stored, {}, at(noon + 5min, noon));
    REQUIRE(decided.changes.size() == 1);
    CHECK(decided.changes[0].newly_passed);
    CHECK_FALSE(decided.undecided);
    CHECK(decided.changes[0].state.passed_after == noon - 5min);
    CHECK(decided.changes[0].state.passed_before == noon);
    CHECK(decided.changes[0].state.seen_at == noon);
    CHECK(decided.changes[0].state.steps_total == 2);

    // It did turn up, not passed: then there is nothing to decide, and the clocks are forgotten.
    auto with_step = steps;
    with_step.push_back(result(9, false));
    const auto open = decide(with_step, stored, {}, at(noon + 5min, noon));
    REQUIRE(open.changes.size() == 1);
    CHECK_FALSE(open.changes[0].state.passed);
    CHECK_FALSE(open.changes[0].state.seen_at);
}

TEST_CASE("the pass lies between two readings, cut by the student's last activity")
{
    const std::vector<step_result> steps = {result(1, true)};
    const auto clocks = [&](const reading& r) { return decide(steps, {}, {}, r).changes.at(0).state; };

    SECTION("the first reading has no lower end")
    {
        const auto s = clocks(at(noon));
        CHECK_FALSE(s.passed_after);
        CHECK(s.passed_before == noon);
        CHECK(s.seen_at == noon);
    }
    SECTION("activity inside the interval is the upper end")
    {
        auto r = at(noon, noon - 5min);
        r.last_viewed = noon - 2min;
        const auto s = clocks(r);
        CHECK(s.passed_after == noon - 5min);
        CHECK(s.passed_before == noon - 2min);
        CHECK(s.seen_at == noon);
    }
    SECTION("activity before the interval cuts nothing: the grades were late")
    {
        auto r = at(noon, noon - 5min);
        r.last_viewed = noon - 10min;
        CHECK(clocks(r).passed_before == noon);
    }
    SECTION("a clock ahead of ours cuts nothing")
    {
        auto r = at(noon, noon - 5min);
        r.last_viewed = noon + 1min;
        CHECK(clocks(r).passed_before == noon);
    }
    SECTION("a course's first sweep finds old passes")
    {
        auto r = at(noon);
        r.backfill = true;
        r.last_viewed = noon - 24h * 90;
        const auto s = clocks(r);
        CHECK(s.backfill);
        CHECK(s.passed_before == noon - 24h * 90);
    }
}
