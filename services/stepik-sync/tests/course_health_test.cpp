#include "domain/course_health.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <functional>

using namespace coursegate;
using namespace coursegate::stepik_sync;
using namespace std::chrono_literals;

namespace {

const base::time_point noon = base::parse_iso8601("2026-01-02T12:00:00Z").value();

connection_facts healthy()
{
    connection_facts f;
    f.token = token_state::ok;
    f.can_view_grades = true;
    f.has_learners_group = true;
    f.connected_at = noon - 24h;
    f.last_good_sweep_at = noon - 2min;
    f.last_structure_at = noon - 1h;
    f.lessons = 49;
    return f;
}

} // namespace

TEST_CASE("a healthy connection has no problems")
{
    CHECK(problems(healthy(), noon).empty());
}

TEST_CASE("a course that was just connected is not ill yet")
{
    connection_facts f;
    f.connected_at = noon - 10s;
    CHECK(problems(f, noon).empty());
}

TEST_CASE("each thing that can be wrong has its sentence")
{
    struct row
    {
        const char* name;
        const char* says;
        bool blocking;
        std::function<void(connection_facts&)> spoil;
    };
    const std::vector<row> cases = {
        {"wrong_secret", "id or secret", true, [](auto& f) { f.token = token_state::wrong_secret; }},
        {"token_refused", "refused", true, [](auto& f) { f.token = token_state::refused; }},
        {"unreadable_key", "enter the", true, [](auto& f) { f.token = token_state::unreadable_key; }},
        {"course_not_found", "does not know this course", true, [](auto& f) { f.course_found = false; }},
        {"grade_book_not_visible", "grade book", true, [](auto& f) { f.can_view_grades = false; }},
        {"learners_not_visible", "learners", false, [](auto& f) { f.has_learners_group = false; }},
        {"stepik_unreachable", "since 2026-01-02 11:58 UTC (no route)", true,
            [](auto& f) {
                f.failed_calls = 3;
                f.failing_since = noon - 2min;
                f.last_error = "no route";
            }},
        {"rate_limited", "goes on at 2026-01-02 12:01 UTC", false,
            [](auto& f) { f.rate_limited_until = noon + 1min; }},
        {"structure_empty", "no lessons", true, [](auto& f) { f.lessons = 0; }},
        {"sweep_too_old", "last read at 2026-01-02 11:40 UTC", true,
            [](auto& f) { f.last_good_sweep_at = noon - 20min; }},
        {"sweep_too_old", "has not been read yet", true, [](auto& f) { f.last_good_sweep_at.reset(); }},
        {"lessons_not_visible", "2 lessons", false, [](auto& f) { f.unreadable_lessons = 2; }},
        {"steps_without_grades",
            "1 task of the course is in no student's grades, and lessons do not wait for it: "
            "lesson “Loops”, step 3.",
            false, [](auto& f) { f.absent_steps = {"lesson “Loops”, step 3"}; }},
        {"rows_skipped", "3 rows", false, [](auto& f) { f.skipped_rows = 3; }},
    };
    for (const auto& c : cases) {
        INFO(c.name << ": " << c.says);
        auto f = healthy();
        c.spoil(f);
        const auto found = problems(f, noon);
        REQUIRE(found.size() == 1);
        CHECK(found[0].name == c.name);
        CHECK_THAT(found[0].sentence, Catch::Contains(c.says));
        CHECK(found[0].sentence.back() == '.');
        CHECK(found[0].blocking == c.blocking);
    }
}

TEST_CASE("what passes by itself is no problem")
{
    auto f = healthy();
    f.failed_calls = 2; // a hiccup
    f.rate_limited_until = noon - 1s;
    f.last_good_sweep_at = noon - 10min;
    CHECK(problems(f, noon).empty());

    f.last_good_sweep_at = noon - 5h; // a big course's sweep that is getting on
    f.sweep_running = true;
    CHECK(problems(f, noon).empty());
}

TEST_CASE("a paused course is only that")
{
    connection_facts f;
    f.is_paused = true;
    f.token = token_state::wrong_secret;
    const auto found = problems(f, noon);
    REQUIRE(found.size() == 1);
    CHECK(found[0].name == "paused");
    CHECK_FALSE(found[0].blocking);
}

TEST_CASE("many absent steps are counted, not all listed")
{
    auto f = healthy();
    for (int i = 1; i <= 8; ++i)
        f.absent_steps.push_back("lesson “Loops”, step " + std::to_string(i));
    const auto found = problems(f, noon);
    REQUIRE(found.size() == 1);
    CHECK_THAT(found[0].sentence, Catch::Contains("8 tasks") && Catch::Contains("step 5; and 3 more."));
}

TEST_CASE("token states survive the database")
{
    for (const auto s : {token_state::unknown, token_state::ok, token_state::wrong_secret,
             token_state::refused, token_state::unreadable_key})
        CHECK(token_state_from(to_string(s)) == s);
    CHECK(token_state_from("nonsense") == token_state::unknown);
}
