#include "domain/structure.hpp"

#include <catch2/catch.hpp>

using namespace coursegate::stepik_sync;

namespace {

using ids = std::vector<std::int64_t>;

course_step step(std::int64_t id, int position, std::string block)
{
    course_step s;
    s.id = id;
    s.position = position;
    s.block = std::move(block);
    return s;
}

course_lesson lesson(std::int64_t id, std::int64_t module_id, int position, std::vector<course_step> steps)
{
    course_lesson l;
    l.id = id;
    l.module_id = module_id;
    l.position = position;
    l.title = "Lesson " + std::to_string(id);
    l.steps = std::move(steps);
    return l;
}

// Two modules; lesson 10 has a task, 11 is theory, 20 has two tasks.
structure_reading sample()
{
    structure_reading r;
    r.read.modules = {{1, 1, "One"}, {2, 2, "Two"}};
    r.read.lessons = {lesson(10, 1, 1, {step(100, 1, "text"), step(101, 2, "choice")}),
        lesson(11, 1, 2, {step(110, 1, "text"), step(111, 2, "video")}),
        lesson(20, 2, 1, {step(200, 1, "code"), step(201, 2, "sql")})};
    return r;
}

// As it stands in the database after `c` was written.
known_structure stored(const structure_change& c, const known_structure& before = {})
{
    known_structure out;
    out.modules = c.now.modules;
    std::set<std::int64_t> there;
    for (const auto& l : c.now.lessons) {
        there.insert(l.id);
        out.lessons.push_back({l.id, l.module_id, l.position, l.title, static_cast<int>(l.steps.size()),
            l.gradable_steps(), false});
        for (const auto& s : l.steps)
            out.steps.push_back({s.id, l.id, s.position, s.block, s.gradable, false});
    }
    for (auto l : before.lessons)
        if (!there.contains(l.id)) {
            l.vanished =
                std::find(c.vanished.begin(), c.vanished.end(), l.id) != c.vanished.end() || l.vanished;
            out.lessons.push_back(l);
        }
    return out;
}

const course_lesson& in(const structure_change& c, std::int64_t id)
{
    for (const auto& l : c.now.lessons)
        if (l.id == id)
            return l;
    throw std::out_of_range("no such lesson");
}

} // namespace

TEST_CASE("theory is text and video, everything else is a task")
{
    CHECK(is_theory("text"));
    CHECK(is_theory("video"));
    for (const char* block :
        {"choice", "number", "string", "code", "sql", "free-answer", "admin", "something-new", ""})
        CHECK_FALSE(is_theory(block));
}

TEST_CASE("the first reading adds every lesson and names those that nobody can pass")
{
    const auto c = difference({}, sample(), {});
    CHECK(c.differs);
    CHECK(c.added == ids{10, 11, 20});
    CHECK(c.moved.empty());
    CHECK(c.vanished.empty());
    CHECK(c.lessons_without_tasks == ids{11});
    CHECK(c.steps == 6);
    CHECK(in(c, 10).gradable_steps() == 1);
    CHECK(in(c, 20).gradable_steps() == 2);
}

TEST_CASE("the same reading again differs in nothing")
{
    const auto known = stored(difference({}, sample(), {}));
    const auto c = difference(known, sample(), {});
    CHECK_FALSE(c.differs);
    CHECK(c.added.empty());
    CHECK(c.moved.empty());
    CHECK(c.vanished.empty());
}

TEST_CASE("lessons that move, vanish and come back")
{
    const auto known = stored(difference({}, sample(), {}));

    SECTION("into another module")
    {
        auto r = sample();
        r.read.lessons[0].module_id = 2;
        r.read.lessons[0].position = 2;
        const auto c = difference(known, r, {});
        CHECK(c.differs);
        CHECK(c.moved == ids{10});
    }
    SECTION("with their module")
    {
        auto r = sample();
        r.read.modules[0].position = 2;
        r.read.modules[1].position = 1;
        CHECK(difference(known, r, {}).moved == ids{10, 11, 20});
    }
    SECTION("out of the course, and back")
    {
        auto r = sample();
        r.read.lessons.erase(r.read.lessons.begin());
        const auto gone = difference(known, r, {});
        CHECK(gone.vanished == ids{10});
        CHECK(gone.vanished_steps.empty()); // its steps stay with it
        const auto later = stored(gone, known);
        CHECK_FALSE(difference(later, r, {}).differs); // told once
        CHECK(difference(later, sample(), {}).added == ids{10});
    }
    SECTION("with their whole module")
    {
        auto r = sample();
        r.read.modules.pop_back();
        r.read.lessons.pop_back();
        const auto c = difference(known, r, {});
        CHECK(c.vanished_modules == ids{2});
        CHECK(c.vanished == ids{20});
    }
}

TEST_CASE("what Stepik did not give is not taken for gone")
{
    const auto known = stored(difference({}, sample(), {}));

    SECTION("a module that could not be read keeps its lessons")
    {
        auto r = sample();
        r.read.modules.pop_back();
        r.read.lessons.pop_back();
        r.skipped_modules = {2};
        const auto c = difference(known, r, {});
        CHECK(c.vanished.empty());
        CHECK(c.vanished_modules.empty());
        CHECK_FALSE(c.differs);
    }
    SECTION("a unit that could not be read: no lesson is called vanished")
    {
        auto r = sample();
        r.read.lessons.erase(r.read.lessons.begin());
        r.units_incomplete = true;
        CHECK(difference(known, r, {}).vanished.empty());
    }
    SECTION("a lesson whose steps are hidden keeps the ones it had")
    {
        auto r = sample();
        r.read.lessons[0].steps.clear();
        r.read.lessons[0].title.clear();
        r.read.lessons[0].opaque = true;
        const auto c = difference(known, r, {});
        CHECK(in(c, 10).gradable_steps() == 1);
        CHECK(in(c, 10).title == "Lesson 10");
        CHECK(c.vanished_steps.empty());
        CHECK(c.lessons_without_tasks == ids{11});
    }
    SECTION("a hidden lesson that was never seen is not one without tasks")
    {
        auto r = sample();
        r.read.lessons.push_back(lesson(30, 2, 2, {}));
        r.read.lessons.back().opaque = true;
        const auto c = difference(known, r, {});
        CHECK(in(c, 30).gradable_steps() == 1);
        CHECK(c.lessons_without_tasks == ids{11});
    }
    SECTION("a single step that could not be read stays what it was, and a new one is taken for a task")
    {
        auto r = sample();
        r.read.lessons[1].steps[0].block.clear();
        CHECK(difference(known, r, {}).lessons_without_tasks == ids{11});
        r.read.lessons[1].steps.push_back(step(112, 3, ""));
        CHECK(difference(known, r, {}).lessons_without_tasks.empty());
    }
}

TEST_CASE("steps inserted and removed are noticed, and the lesson stays")
{
    const auto known = stored(difference({}, sample(), {}));
    auto r = sample();
    r.read.lessons[0].steps.insert(r.read.lessons[0].steps.begin(), step(102, 1, "number"));
    r.read.lessons[0].steps[1].position = 2;
    r.read.lessons[0].steps[2].position = 3;
    r.read.lessons[2].steps.pop_back();
    const auto c = difference(known, r, {});
    CHECK(c.differs);
    CHECK(c.moved.empty());
    CHECK(c.vanished.empty());
    CHECK(c.vanished_steps == ids{201});
    CHECK(in(c, 10).gradable_steps() == 2);
}

TEST_CASE("a step that grades list is a task whatever its block is called")
{
    const auto c = difference({}, sample(), {111});
    CHECK(in(c, 11).gradable_steps() == 1);
    CHECK(c.lessons_without_tasks.empty());
}

TEST_CASE("a lesson that is really empty can't be passed by anybody")
{
    auto r = sample();
    r.read.lessons.push_back(lesson(30, 2, 2, {}));
    CHECK(difference({}, r, {}).lessons_without_tasks == ids{11, 30});
}
