#include "world.hpp"

using namespace coursegate;
using namespace coursegate::stepik_sync;

namespace {

constexpr std::int64_t ann = 900000101;

// "10:1.1 11:1.2 20:2.1 21:2.2": lesson, module position, lesson position; vanished ones in brackets.
const char* const order_query =
    "select string_agg(case when vanished then '(' || lesson_id || ')' else lesson_id || ':' || "
    "module_position || '.' || "
    "lesson_position end, ' ' order by vanished, module_position, lesson_position) from v_structure";

} // namespace

struct structure_world : world
{
    nlohmann::json read_again()
    {
        sql("update courses set structure_due_at = now()");
        tick();
        deliver_work();
        auto synced = take_events({"course_structure_synced"});
        return synced.empty() ? nlohmann::json() : synced.back().data;
    }
};

TEST_CASE_METHOD(structure_world, "a connected course's structure is read and told")
{
    tick();
    deliver_work();
    const auto synced = take_events({"course_structure_synced"});
    REQUIRE(synced.size() == 1);
    const auto& data = synced[0].data;
    CHECK(data["modules"] == 2);
    CHECK(data["lessons"] == 4);
    CHECK(data["steps"] == 8);
    CHECK(data["lessons_without_tasks"] == nlohmann::json{11});
    CHECK(data["added"] == nlohmann::json{10, 11, 20, 21});
    CHECK(value(order_query) == "10:1.1 11:1.2 20:2.1 21:2.2");
    CHECK(value("select string_agg(gradable_steps::text, ' ' order by lesson_id) from v_structure") ==
          "2 0 1 3");
    CHECK(value("select title from stepik_lessons where lesson_id = 10") == "Lesson 10");
    CHECK(value("select string_agg(step_id || ':' || position || ':' || gradable, ' ' order by position) "
                "from v_steps where lesson_id = 10") == "100:1:false 101:2:true 102:3:true");
    CHECK(value("select learners_count from courses") == "0");
    // course, sections, units, lessons, steps and a token
    CHECK(stub.total_calls() == 6);
    CHECK(read_again().is_null()); // nothing changed: nothing is told
}

TEST_CASE_METHOD(structure_world, "a course that is connected again is read at once and told in any case")
{
    tick();
    deliver_work();
    take_events();
    events::course_connected e;
    e.course_id = stub_stepik::course_id;
    e.source = "admin";
    const auto envelope = events::wrap("web-gateway", e);
    run([&]() { return one->deliver(envelope); });
    deliver_work();
    CHECK(take_events({"course_structure_synced"}).size() == 1);
    tick();
    CHECK(take_events({"sweep_page_due"}).size() == 1);
}

TEST_CASE_METHOD(structure_world, "lessons that move, vanish and come back keep their progress")
{
    stub.add_student(ann);
    stub.pass_lesson(ann, 20);
    stub.pass(ann, 210);
    first_contact();
    take_events();
    const auto progress =
        value("select md5(string_agg(p::text, ',' order by lesson_id)) from lesson_progress p");

    auto lesson20 = stub.modules[1].lessons[0];
    stub.modules[1].lessons.erase(stub.modules[1].lessons.begin());
    stub.modules[0].lessons.push_back(lesson20);
    auto told = read_again();
    CHECK(told["moved"] == nlohmann::json{20, 21});
    CHECK(told["vanished"].empty());
    CHECK(value(order_query) == "10:1.1 11:1.2 20:1.3 21:2.1");

    stub.modules[0].lessons.pop_back();
    told = read_again();
    CHECK(told["vanished"] == nlohmann::json{20});
    CHECK(value(order_query) == "10:1.1 11:1.2 21:2.1 (20)");
    CHECK(value("select count(*) from v_steps where lesson_id = 20") == "0");
    stub.find(ann).results.erase("20-1"); // and its grades with it
    sweep();
    CHECK(value("select passed from v_lesson_state where lesson_id = 20") == "t");

    stub.modules[0].lessons.insert(stub.modules[0].lessons.begin(), lesson20);
    told = read_again();
    CHECK(told["added"] == nlohmann::json{20});
    CHECK(value(order_query) == "20:1.1 10:1.2 11:1.3 21:2.1");
    CHECK(
        value("select md5(string_agg(p::text, ',' order by lesson_id)) from lesson_progress p") == progress);
    CHECK(take_events({"lesson_passed"}).empty());
}

TEST_CASE_METHOD(structure_world, "a single step that Stepik can't give is skipped")
{
    stub.broken_step = 211;
    tick();
    deliver_work();
    CHECK(value("select count(*) from stepik_steps") == "8");
    CHECK(value("select block || ' ' || gradable from stepik_steps where step_id = 211") == "unknown true");
    CHECK(value("select gradable_steps from v_structure where lesson_id = 21") == "3");
    stub.broken_step = 0;
    read_again();
    CHECK(value("select block from stepik_steps where step_id = 211") == "sql");
}

TEST_CASE_METHOD(structure_world, "losing sight of a lesson's steps does not make it a lesson without tasks")
{
    tick();
    deliver_work();
    take_events();
    stub.modules[1].lessons[0].hidden = true;
    read_again();
    CHECK(value("select gradable_steps from v_structure where lesson_id = 20") == "1");
    CHECK(problem_names() == "lessons_not_visible");
    CHECK(value("select ok from course_health") == "t");
}

TEST_CASE_METHOD(structure_world, "a failed reading rests and is made again")
{
    for (int i = 0; i < 3; ++i)
        stub.instead["/api/units"].push_back(http::response::html(502, "bad gateway"));
    // One unit is asked for alone at last; all of them fail, so the reading does.
    for (int i = 0; i < 60; ++i)
        stub.instead["/api/units"].push_back(stub_stepik::status(403, "no"));
    tick();
    deliver_work();
    SUCCEED("nothing is parked");
    CHECK(value("select structure_failures = 0 or structure_due_at > now() from courses") == "t");

    stub.instead.clear();
    read_again();
    CHECK(value("select structure_failures from courses") == "0");
    CHECK(value("select count(*) from v_structure") == "4");
}

TEST_CASE_METHOD(structure_world, "an edit that the course object shows is read after the sweep that saw it")
{
    stub.add_student(ann);
    first_contact();
    take_events();
    stub.modules[1].lessons[0].steps.push_back({201, "choice"});
    stub.update_date = "2026-03-03T00:00:00Z";
    sweep();
    tick();
    deliver_work();
    CHECK(value("select gradable_steps from v_structure where lesson_id = 20") == "2");
    CHECK(take_events({"course_structure_synced"}).size() == 1);
}

TEST_CASE_METHOD(structure_world, "a step that only the grades know of makes the structure due")
{
    stub.add_student(ann);
    first_contact();
    take_events();
    stub.modules[1].lessons[0].steps.push_back({201, "choice"}); // the course object says nothing of it
    stub.find(ann).results["20-2"] = {{"step_id", 201}, {"is_passed", false}, {"score", 0}};
    sweep();
    tick();
    deliver_work();
    CHECK(value("select gradable_steps from v_structure where lesson_id = 20") == "2");
}

TEST_CASE_METHOD(
    structure_world, "a step that grades show while the structure is being read is not forgotten")
{
    stub.add_student(ann);
    first_contact();
    sql("update courses set structure_due_at = now()");
    const auto turn = run([&]() { return one->structure.claim(stub_stepik::course_id, base::new_uuid()); });
    REQUIRE(turn);
    stub.find(ann).results["20-2"] = {{"step_id", 201}, {"is_passed", false}, {"score", 0}};
    sweep();
    structure_facts before_the_edit;
    run([&]() { return one->structure.save(*turn, before_the_edit, events::cause{}); });
    CHECK(value("select structure_due_at <= now() from courses") == "t");
}

TEST_CASE_METHOD(structure_world, "a reading that another one overtook changes nothing")
{
    tick();
    deliver_work();
    const auto turn = [&] {
        structure_turn t;
        t.course.course_id = stub_stepik::course_id;
        t.claimed_at = base::now() - std::chrono::hours(1);
        return t;
    }();
    structure_facts empty;
    const auto change = run([&]() { return one->structure.save(turn, empty, events::cause{}); });
    CHECK(change.vanished.empty());
    CHECK(value("select count(*) from v_structure where vanished") == "0");
}
