#include "tests/sample.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include <set>

using namespace coursegate;
using namespace coursegate::sandbox;
using namespace std::chrono_literals;
using json = nlohmann::ordered_json;

namespace {

struct school
{
    school() : student_(person{900001001, "Анна", "Коваленко", "anna@example.org", now})
    {
        gradebook::enrol_options o;
        o.joined_at = now;
        grades.enrol(student_, o);
    }

    std::string row(std::int64_t user)
    {
        grade_query q;
        q.user = user;
        const auto page = grades.select(q);
        REQUIRE(page.rows.size() == 1);
        std::string out;
        served.clear();
        grades.append_row(out, page.rows[0], now, served);
        return out;
    }
    json row_json(std::int64_t user = 900001001) { return json::parse(row(user)); }

    base::time_point now = base::parse_iso8601("2026-01-02T03:04:05.678Z").value();
    course c = course::parse(embedded("course/247644.tsv"));
    gradebook grades{c};
    person student_;
    std::vector<std::size_t> served;
};

} // namespace

TEST_CASE("the recorded student's row comes out byte for byte as recorded")
{
    school s;
    const person recorded{900000101, "Анна", "Примерова", "", {}};
    s.grades.enrol_recorded(recorded, embedded("course/recorded-row.tsv"));
    const auto answer = recorded_answer();
    const std::string head = R"({"meta":{"page":1,"has_next":false,"has_previous":false},"course-grades":[)";
    const auto ours = head + s.row(900000101) + "]}";
    CHECK(json::parse(ours) == json::parse(answer));
    CHECK(ours.size() == answer.size());
    CHECK((ours == answer));
}

TEST_CASE("a student who never opened the course has a row without results")
{
    school s;
    CHECK(
        s.row(900001001) ==
        R"({"id":34000000,"course":247644,"user":900001001,"results":{},"score":0.0,"rank":null,"rank_max":null,)"
        R"("rank_position":null,"users_count":null,"is_teacher":false,"date_joined":"2026-01-02T03:04:05.678Z",)"
        R"("last_viewed":null,"certificate_issue_date":null,"certificate_issue_regular_date":null,)"
        R"("certificate_issue_distinction_date":null,"certificate_update_date":null,"certificate_url":null})");
    REQUIRE(s.grades.view(900001001, s.now).has_value());
    const auto row = s.row_json();
    CHECK(row["results"].size() == 562);
    CHECK(row["last_viewed"] == "2026-01-02T03:04:05.678Z");
    CHECK(row["results"]["1855854-1"] == json{{"step_id", 7679036}, {"is_passed", false},
                                             {"first_success", nullptr}, {"total_submissions", 0},
                                             {"score", 0.0}});
    CHECK(row["results"]["1885356-12"]["score"].is_number_integer()); // one of five that show an int 0
    CHECK(row["results"]["1855854-1"]["score"].is_number_float());
    CHECK_FALSE(row["results"].contains("1852228-1")); // theory never appears
}

TEST_CASE("passing a lesson passes all its steps, shows in the row and is recorded once")
{
    school s;
    const auto done = s.grades.pass_lesson(900001001, twelve_steps, s.now, 0s);
    REQUIRE(done.has_value());
    CHECK(done->steps == 12);
    CHECK(done->lessons == std::vector<std::int64_t>{twelve_steps});
    auto row = s.row_json();
    CHECK(row["score"] == 12.0);
    CHECK(row["score"].is_number_float());
    int passed = 0;
    for (const auto& [key, result] : row["results"].items())
        if (result["is_passed"] == true) {
            ++passed;
            CHECK(key.starts_with("1855854-"));
            CHECK(result["first_success"] == 1);
            CHECK(result["score"] == 1.0);
        }
    CHECK(passed == 12);
    REQUIRE(s.grades.passes().size() == 1);
    CHECK(s.grades.passes()[0].lesson == twelve_steps);
    CHECK(s.grades.passes()[0].passed_at == s.now);

    const auto again = s.grades.pass_lesson(900001001, twelve_steps, s.now + 1s, 0s);
    REQUIRE(again.has_value());
    CHECK(again->steps == 0);
    CHECK(s.grades.passes().size() == 1);
    CHECK(s.grades.passed_by(*s.c.find_step(7679036).step) == 1);
}

TEST_CASE("a lesson passed step by step becomes whole with its last step")
{
    school s;
    const auto steps = s.c.find_lesson(twelve_steps)->steps;
    for (std::size_t i = 0; i < steps.size(); ++i) {
        const auto done = s.grades.pass_step(900001001, steps[i].id, s.now, 0s, i == 0 ? 3 : 1);
        REQUIRE(done.has_value());
        CHECK(done->lessons.size() == (i + 1 == steps.size() ? 1U : 0U));
    }
    const auto first = s.row_json()["results"]["1855854-1"];
    CHECK(first["first_success"] == 3);
    CHECK(first["total_submissions"] == 3);
}

TEST_CASE("a reviewed step passes with score 0.0 and finished reviews")
{
    school s;
    REQUIRE(s.grades.pass_lesson(900001001, review_lesson, s.now, 0s).has_value());
    const auto row = s.row_json();
    const auto& result = row["results"]["2071929-1"];
    CHECK(result["is_passed"] == true);
    CHECK(result["score"] == 0.0);
    CHECK(result["is_review_started"] == true);
    CHECK(result["is_review_taking_finished"] == true);
    CHECK(row["score"] == 0.0);
    CHECK(row["results"]["1885348-12"]["is_review_giving_finished"] == true);
    CHECK(row["results"]["1885350-13"]["is_review_giving_finished"] == false);
}

TEST_CASE("a wrong submission changes the count and nothing else")
{
    school s;
    REQUIRE(s.grades.fail_step(900001001, 7690194, s.now).has_value());
    auto result = s.row_json()["results"]["1859688-1"];
    CHECK(result["is_passed"] == false);
    CHECK(result["total_submissions"] == 1);
    CHECK(result["first_success"] == nullptr);
    REQUIRE(s.grades.pass_lesson(900001001, first_lesson, s.now, 0s).has_value());
    result = s.row_json()["results"]["1859688-1"];
    CHECK(result["first_success"] == 2);
    CHECK(result["total_submissions"] == 2);
}

TEST_CASE("with a staleness delay the grades follow later, or when the row is refreshed")
{
    school s;
    REQUIRE(s.grades.pass_lesson(900001001, twelve_steps, s.now, 5s).has_value());
    s.grades.catch_up(s.now + 4s);
    auto row = s.row_json();
    CHECK(row["score"] == 0.0);
    CHECK(row["last_viewed"] == "2026-01-02T03:04:05.678Z"); // the visit shows at once
    CHECK(s.served.empty());
    CHECK(s.grades.lesson_progress(*s.grades.find(900001001), *s.c.find_lesson(twelve_steps)).passed == 12);
    s.grades.catch_up(s.now + 5s);
    CHECK(s.row_json()["score"] == 12.0);

    REQUIRE(s.grades.pass_lesson(900001001, first_lesson, s.now, 1h).has_value());
    CHECK(s.row_json()["score"] == 12.0);
    CHECK_FALSE(s.grades.refresh(1, s.now));
    CHECK(s.grades.refresh(34000000, s.now));
    CHECK(s.row_json()["score"] == 13.0);
    CHECK(s.served.size() == 2);
}

TEST_CASE("the first answer that shows a pass is remembered")
{
    school s;
    REQUIRE(s.grades.pass_lesson(900001001, first_lesson, s.now, 0s).has_value());
    s.row(900001001);
    REQUIRE(s.served == std::vector<std::size_t>{0});
    s.grades.mark_served(s.served, s.now + 1s);
    CHECK(s.grades.passes()[0].served_at == s.now + 1s);
    s.row(900001001);
    CHECK(s.served.empty());
}

TEST_CASE("keys move when a step is inserted, and what was passed stays passed")
{
    school s;
    id_source ids;
    REQUIRE(s.grades.pass_lesson(900001001, twelve_steps, s.now, 0s).has_value());
    const auto made = s.c.insert_step(ids, twelve_steps, 1, "choice", true);
    REQUIRE(made.has_value());
    auto row = s.row_json();
    CHECK(row["results"].size() == 563);
    CHECK(row["results"]["1855854-1"]["step_id"] == *made);
    CHECK(row["results"]["1855854-1"]["is_passed"] == false);
    CHECK(row["results"]["1855854-2"]["step_id"] == 7679036);
    CHECK(row["results"]["1855854-2"]["is_passed"] == true);

    REQUIRE(s.grades.pass_step(900001001, *made, s.now, 0s).has_value());
    CHECK(s.row_json()["results"]["1855854-1"]["is_passed"] == true);

    const auto unseen = s.c.insert_step(ids, twelve_steps, 1, "choice", false);
    REQUIRE(unseen.has_value());
    row = s.row_json();
    CHECK(row["results"].size() == 563);
    CHECK_FALSE(row["results"].contains("1855854-1"));

    REQUIRE(s.c.remove_lesson(twelve_steps).has_value());
    CHECK(s.row_json()["results"].size() == 550);
}

TEST_CASE("rows are selected by user, class, teacher, search and order, in pages")
{
    school s;
    std::deque<person> people;
    for (int i = 2; i <= 45; ++i) {
        people.push_back({900001000 + i, "Имя" + std::to_string(i), "Фамилия",
            "p" + std::to_string(i) + "@example.org", s.now});
        gradebook::enrol_options o;
        o.joined_at = s.now;
        o.is_teacher = i == 45;
        o.klass = i % 2 == 0 ? 62475 : 0;
        o.passed_lessons = i == 7 ? 3 : 0;
        s.grades.enrol(people.back(), o);
    }
    grade_query q;
    auto page = s.grades.select(q);
    CHECK(page.rows.size() == 20);
    CHECK(page.has_next);
    CHECK_FALSE(page.has_previous);
    q.page = 3;
    page = s.grades.select(q);
    CHECK(page.rows.size() == 5);
    CHECK_FALSE(page.has_next);
    CHECK(page.has_previous);
    q.page = 4;
    CHECK(s.grades.select(q).rows.empty());
    CHECK_FALSE(s.grades.select(q).has_next);

    q = {};
    q.is_teacher = false;
    q.page = 3;
    CHECK(s.grades.select(q).rows.size() == 4);
    q = {};
    q.klass = 62475;
    q.page_size = 100;
    CHECK(s.grades.select(q).rows.size() == 22);
    q = {};
    q.search = "P7@EXAMPLE";
    REQUIRE(s.grades.select(q).rows.size() == 1);
    q.search = "900001007";
    REQUIRE(s.grades.select(q).rows.size() == 1);
    q = {};
    q.order = "-score,-id";
    page = s.grades.select(q);
    CHECK(s.grades.enrolments()[page.rows[0]].person->id == 900001007);
    CHECK(s.grades.enrolments()[page.rows[1]].person->id == 900001045);
    // A change makes the next page look again.
    REQUIRE(s.grades.pass_lesson(900001009, twelve_steps, s.now, 0s).has_value());
    REQUIRE(s.grades.pass_lesson(900001009, 1855928, s.now, 0s).has_value());
    REQUIRE(s.grades.pass_lesson(900001009, 1855603, s.now, 0s).has_value());
    CHECK(s.grades.enrolments()[s.grades.select(q).rows[0]].person->id == 900001009);
    q.order = "-last_viewed";
    CHECK(s.grades.enrolments()[s.grades.select(q).rows[0]].person->id == 900001007 + 0);
}

TEST_CASE("one student in five has last_viewed in whole seconds")
{
    school s;
    const person fifth{900001005, "Пётр", "Белых", "", s.now};
    gradebook::enrol_options o;
    o.joined_at = s.now;
    o.viewed_at = s.now;
    s.grades.enrol(fifth, o);
    CHECK(s.row_json(900001005)["last_viewed"] == "2026-01-02T03:04:05Z");
}

TEST_CASE("what is not there is refused by name")
{
    school s;
    CHECK(s.grades.pass_lesson(1, first_lesson, s.now, 0s).error().code == grade_errc::unknown_student);
    CHECK(s.grades.pass_lesson(900001001, 1, s.now, 0s).error().code == grade_errc::unknown_lesson);
    CHECK(s.grades.pass_lesson(900001001, theory_lesson, s.now, 0s).error().code ==
          grade_errc::nothing_to_pass);
    CHECK(s.grades.pass_step(900001001, 1, s.now, 0s).error().code == grade_errc::unknown_step);
    CHECK(s.grades.pass_step(900001001, 7668629, s.now, 0s).error().code == grade_errc::nothing_to_pass);
    CHECK(s.grades.view(1, s.now).error().code == grade_errc::unknown_student);
}

TEST_CASE("a student passes in every course that shares the step")
{
    const testkit::fake_clock clock;
    world w{clock, sample_data()};
    world::course_request asked;
    asked.id = 5000;
    asked.client_id = "second";
    asked.client_secret = "s";
    asked.same_lessons = true;
    const auto second = w.add_course(asked);
    REQUIRE(second.has_value());
    auto& first = *w.find_course(world::sample_course);
    const auto user = w.add_student(first, {}).person->id;
    world::student_request same;
    same.user = user;
    w.add_student(**second, same);
    REQUIRE(w.pass_lesson(first, user, twelve_steps, 1).has_value());
    CHECK(first.grades.find(user)->score == 12);
    CHECK((*second)->grades.find(user)->score == 12);
    CHECK(w.add_course(asked).error().code == world_errc::taken);
}
