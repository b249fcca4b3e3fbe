// What the pages of a course decide without a database: tables as people paste them, faults of keys, and what
// rules open.
#include "domain/course_check.hpp"
#include "domain/gains.hpp"
#include "domain/media_table.hpp"

#include <catch2/catch.hpp>

using namespace coursegate::web_gateway;
namespace base = coursegate::base;

namespace {

std::string fault(const media_table& t, std::size_t row)
{
    return t.faults.at(row) ? t.faults.at(row)->field() : "";
}

std::vector<lesson> structure()
{
    std::vector<lesson> out(4);
    for (std::size_t i = 0; i < out.size(); ++i) {
        out[i].id = static_cast<std::int64_t>(i) + 1;
        out[i].module_id = i < 2 ? 10 : 20;
        out[i].gradable_steps = i == 2 ? 0 : 1; // 3 has no tasks
    }
    return out;
}

using lessons = std::set<std::int64_t>;

lessons open_with(const std::vector<access_rule>& rules, const course_standing& who)
{
    return opened(ruled(structure(), rules), who, base::now());
}

access_rule rule(
    const std::string& scope, std::int64_t id, const std::string& name, std::optional<int> days = {})
{
    access_rule out;
    out.scope = scope;
    out.scope_id = id;
    out.rule = name;
    out.days = days;
    return out;
}

} // namespace

TEST_CASE("a table is read with tabs, semicolons or commas, with a heading and quotes")
{
    const auto t = read_media_table("Lesson;Part;Video\r\n501\t1\tAAAAAAAA\tS-1\tOne, two; three\r\n\r\n"
                                    " 502 ;2; BBBBBBBB ;;\"In quotes\"\n503,,CCCCCCCC");
    REQUIRE(t.rows.size() == 3);
    CHECK(t.lines == std::vector<int>{2, 4, 5});
    CHECK(t.rows[0].title == "One, two; three");
    CHECK(t.rows[0].subscription_code == "S-1");
    CHECK(t.rows[1].part == 2);
    CHECK(t.rows[1].title == "In quotes");
    CHECK_FALSE(t.rows[1].subscription_code);
    CHECK(t.rows[2].part == 1); // left out
    CHECK(read_media_table(write_media_table(t.rows)).rows == t.rows);
    CHECK(read_media_table("").rows.empty());
    CHECK_THROWS_AS(read_media_table([] {
        std::string all;
        for (int i = 0; i < 5001; ++i)
            all += "1,1,AAAAAAAA\n";
        return all;
    }()),
        refused);
}

TEST_CASE("each column of a row that can't be read is named, and the others are read")
{
    const auto t = read_media_table("501,1,AAAAAAAA\nx,1,AAAAAAAB\n501,100,AAAAAAAC\n501,2,short\n"
                                    "501,3,AAAAAAAD,a b\n-1,1,AAAAAAAE\n501\n");
    REQUIRE(t.rows.size() == 7);
    CHECK(fault(t, 0).empty());
    CHECK(fault(t, 1) == "lesson_id");
    CHECK(fault(t, 2) == "part");
    CHECK(fault(t, 3) == "boom_media");
    CHECK(fault(t, 4) == "subscription_code");
    CHECK(fault(t, 5) == "lesson_id");
    CHECK(fault(t, 6) == "boom_media");
}

TEST_CASE("the mark of a map changes with the map, its default and its kinds")
{
    media_world world;
    world.existing.resize(1);
    world.existing[0].lesson_id = 1;
    world.existing[0].boom_media = "AAAAAAAA";
    const auto before = mark_of(world);
    CHECK(mark_of(world) == before);
    auto other = world;
    other.existing[0].title = "x";
    CHECK(mark_of(other) != before);
    other = world;
    other.default_subscription = "S";
    CHECK(mark_of(other) != before);
    other = world;
    other.kinds["S"] = "single";
    CHECK(mark_of(other) != before);
}

TEST_CASE("what is wrong stops, what nobody can tell asks, a note does neither")
{
    using f = course_fault;
    CHECK(may_be_saved({}, false));
    CHECK(may_be_saved({f::learners_not_visible}, false));
    CHECK_FALSE(may_be_saved({f::stepik_away}, false));
    CHECK(may_be_saved({f::stepik_away, f::boomstream_unclear, f::stepik_busy, f::boomstream_away}, true));
    for (const auto wrong : {f::wrong_secret, f::course_not_found, f::grade_book_not_visible,
             f::wrong_api_key, f::subscription_not_found})
        CHECK_FALSE(may_be_saved({wrong}, true));
}

TEST_CASE("rules open what boomstream-grant would open")
{
    course_standing nobody;
    course_standing student;
    student.linked = true;
    student.joined_at = base::now() - std::chrono::hours(49);
    auto passed_two = student;
    passed_two.passed = {2};

    CHECK(open_with({}, nobody).empty());
    CHECK(open_with({}, student).empty());
    CHECK(open_with({}, passed_two) == lessons{2, 3}); // 3 has no tasks: with the one before it
    CHECK(open_with({rule("course", 5, "always")}, nobody) == lessons{1, 2, 3, 4});
    CHECK(open_with({rule("course", 5, "on_enrolment")}, nobody).empty());
    CHECK(open_with({rule("course", 5, "on_enrolment")}, student) == lessons{1, 2, 3, 4});
    CHECK(open_with({rule("course", 5, "manual")}, passed_two).empty());
    CHECK(open_with({rule("module", 10, "after_days", 2)}, student) == lessons{1, 2, 3});
    CHECK(open_with({rule("module", 10, "after_days", 3)}, student).empty());
    // A lesson beats its module, a module the course.
    CHECK(open_with({rule("course", 5, "always"), rule("module", 10, "manual"), rule("lesson", 1, "always")},
              nobody) == lessons{1, 3, 4});
    // The first lesson with "with_previous" waits for nothing but enrolment.
    CHECK(open_with({rule("lesson", 1, "with_previous")}, student) == lessons{1});
    CHECK(open_with({rule("lesson", 1, "with_previous")}, nobody).empty());
    CHECK(open_with({rule("lesson", 1, "always"), rule("lesson", 2, "with_previous")}, nobody) ==
          lessons{1, 2, 3});
    // on_pass said of a lesson that nobody can pass is obeyed.
    CHECK(open_with({rule("lesson", 3, "on_pass")}, passed_two) == lessons{2});

    auto held = student;
    held.held = {2};
    CHECK(
        open_with({rule("course", 5, "on_pass")}, held) == lessons{2, 3}); // stays, and takes the next along
    auto closed = student;
    closed.closed = {2};
    CHECK(open_with({rule("course", 5, "always")}, closed) == lessons{1, 3, 4});
    CHECK(nobody.is_outside());
    CHECK_FALSE(held.is_outside());

    const auto changed = with_rule({rule("course", 5, "manual")}, "course", 5, rule("course", 5, "always"));
    CHECK(changed == std::vector<access_rule>{rule("course", 5, "always")});
    CHECK(with_rule(changed, "course", 5, std::nullopt).empty());
}
