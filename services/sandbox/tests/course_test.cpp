#include "tests/sample.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <set>

using namespace coursegate::sandbox;

namespace {

course sample_course()
{
    return course::parse(embedded("course/247644.tsv"));
}

std::vector<std::int64_t> lessons_of(const section& s)
{
    std::vector<std::int64_t> out;
    for (const auto& l : s.lessons)
        out.push_back(l.id);
    return out;
}

} // namespace

TEST_CASE("the sample course has the recorded lessons, gradable steps and theory-only lessons")
{
    const auto c = sample_course();
    CHECK(c.id == 247644);
    CHECK(c.sections().size() == 13);
    int lessons = 0, gradable_lessons = 0, steps = 0, reviews = 0, integer_zeros = 0;
    std::set<std::int64_t> step_ids, unit_ids, lesson_ids;
    for (const auto& s : c.sections()) {
        for (const auto& l : s.lessons) {
            ++lessons;
            gradable_lessons += l.slots() > 0 ? 1 : 0;
            unit_ids.insert(l.unit);
            lesson_ids.insert(l.id);
            for (std::size_t i = 0; i < l.steps.size(); ++i) {
                const auto& st = l.steps[i];
                CHECK(st.position == static_cast<int>(i) + 1);
                CHECK((st.slot >= 0) == !st.is_theory());
                steps += st.slot >= 0 ? 1 : 0;
                reviews += st.review ? 1 : 0;
                integer_zeros += st.integer_zero ? 1 : 0;
                step_ids.insert(st.id);
            }
        }
    }
    CHECK(lessons == 51);
    CHECK(gradable_lessons == 49);
    CHECK(steps == 562);
    CHECK(c.slots() == 562);
    CHECK(reviews == 23);
    CHECK(integer_zeros == 5);
    CHECK(step_ids.size() == 564); // with the two theory steps
    CHECK(unit_ids.size() == 51);
    CHECK(lesson_ids.size() == 51);
    REQUIRE(c.find_lesson(theory_lesson) != nullptr);
    CHECK(c.find_lesson(theory_lesson)->slots() == 0);
}

TEST_CASE("inserting a step moves the later ones on and keeps everybody's slots")
{
    auto c = sample_course();
    id_source ids;
    const auto before = *c.find_lesson(twelve_steps);
    const auto revision = c.revision();
    const auto made = c.insert_step(ids, twelve_steps, 3, "choice", true);
    REQUIRE(made.has_value());
    const auto& after = *c.find_lesson(twelve_steps);
    REQUIRE(after.steps.size() == 13);
    CHECK(after.steps[2].id == *made);
    CHECK(after.steps[2].slot == 562);
    CHECK(after.steps[3].id == before.steps[2].id);
    CHECK(after.steps[3].position == 4);
    CHECK(after.steps[3].slot == before.steps[2].slot);
    CHECK(c.revision() > revision);

    CHECK(c.insert_step(ids, twelve_steps, 99, "choice", true).error().code == course_errc::unknown_position);
    CHECK(c.insert_step(ids, 5, 1, "choice", true).error().code == course_errc::unknown_lesson);
    const auto unseen = c.insert_step(ids, twelve_steps, 1, "choice", false);
    REQUIRE(unseen.has_value());
    CHECK(c.find_step(*unseen).step->slot == -1);
    CHECK(c.slots() == 563);
}

TEST_CASE("a lesson moves, vanishes and is added")
{
    auto c = sample_course();
    id_source ids;
    REQUIRE(c.move_lesson(first_lesson, 561993, 1).has_value());
    CHECK(lessons_of(c.sections()[0]) == std::vector<std::int64_t>{theory_lesson});
    CHECK(lessons_of(c.sections()[1]).front() == first_lesson);
    REQUIRE(c.move_lesson(first_lesson, 561993, 11).has_value());
    CHECK(lessons_of(c.sections()[1]).back() == first_lesson);
    CHECK(c.move_lesson(first_lesson, 561993, 12).error().code == course_errc::unknown_position);
    CHECK(c.move_lesson(first_lesson, 1, 1).error().code == course_errc::unknown_section);
    CHECK(c.move_lesson(1, 561993, 1).error().code == course_errc::unknown_lesson);

    REQUIRE(c.remove_lesson(first_lesson).has_value());
    CHECK(c.find_lesson(first_lesson) == nullptr);
    CHECK(c.remove_lesson(first_lesson).error().code == course_errc::unknown_lesson);

    const auto graded = c.add_lesson(ids, 561992, 2, "Новый", 3);
    const auto theory = c.add_lesson(ids, 561992, 1, "Текст", 0);
    REQUIRE(graded.has_value());
    REQUIRE(theory.has_value());
    CHECK(c.find_lesson(*graded)->slots() == 3);
    CHECK(c.find_lesson(*theory)->slots() == 0);
    CHECK(lessons_of(c.sections()[0]) == std::vector<std::int64_t>{*theory, theory_lesson, *graded});
}

TEST_CASE("a clone has its own section and unit ids, and its own lessons unless they are shared")
{
    const auto c = sample_course();
    const auto apart = c.clone(5000, 10'000'000, 77, false);
    CHECK(apart.id == 5000);
    CHECK(apart.sections()[0].id == 561992 + 10'000'000);
    CHECK(apart.find_lesson(first_lesson) == nullptr);
    CHECK(apart.find_lesson(first_lesson + 10'000'000) != nullptr);
    const auto shared = c.clone(5001, 20'000'000, 78, true);
    REQUIRE(shared.find_lesson(first_lesson) != nullptr);
    CHECK(shared.find_lesson(first_lesson)->unit == c.find_lesson(first_lesson)->unit + 20'000'000);
    CHECK(shared.find_step(7690194).step != nullptr);
}

TEST_CASE("course data that is not understood says which line")
{
    CHECK_THROWS_WITH(course::parse("course\t1\t2\n"), Catch::Contains("course\t1\t2"));
    CHECK_THROWS_WITH(course::parse("step\t1\t1\tchoice\t1\t-\n"), Catch::Contains("step\t1"));
}
