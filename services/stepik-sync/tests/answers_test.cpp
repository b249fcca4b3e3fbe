#include "clients/answers.hpp"
#include "clients/stepik_error.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <fstream>
#include <sstream>

using namespace coursegate;
using namespace coursegate::stepik_sync;

namespace {

std::string data(const std::string& name)
{
    std::ifstream in("services/stepik-sync/tests/data/" + name, std::ios::binary);
    REQUIRE(in.is_open());
    std::ostringstream out;
    out << in.rdbuf();
    return out.str();
}

std::string page_of(const std::string& rows, bool has_next = false)
{
    return R"({"meta":{"page":1,"has_next":)" + std::string(has_next ? "true" : "false") +
           R"(},"course-grades":[)" + rows + "]}";
}

grades_page parsed(std::string& body)
{
    auto page = parse_grades(body);
    REQUIRE(page.has_value());
    return std::move(*page);
}

grade_results results_of(std::string& body)
{
    const auto page = parsed(body);
    REQUIRE(page.rows.size() == 1);
    auto r = parse_results(page.rows[0].results);
    REQUIRE(r.has_value());
    return std::move(*r);
}

} // namespace

TEST_CASE("a recorded row is read")
{
    auto body = data("course-grades.one-student.json");
    const auto page = parsed(body);
    CHECK_FALSE(page.has_next);
    CHECK(page.malformed == 0);
    REQUIRE(page.rows.size() == 1);
    const grade_row& row = page.rows[0];
    CHECK(row.user == 900000101);
    CHECK_FALSE(row.is_teacher);
    CHECK(base::to_iso8601(row.date_joined.value()) == "2025-07-01T09:00:00.000000Z");
    CHECK(base::to_iso8601(row.last_viewed.value()) == "2025-12-01T10:11:12.188000Z");
    CHECK(row.results.front() == '{');
    CHECK(row.results.back() == '}');

    const auto results = parse_results(row.results);
    REQUIRE(results.has_value());
    CHECK(results->malformed == 0);
    CHECK(results->steps.size() == 29);
    CHECK(results->layout);
    const auto of_lesson = [&](std::int64_t lesson, bool passed) {
        return std::count_if(results->steps.begin(), results->steps.end(),
            [&](const step_result& s) { return s.lesson_id == lesson && s.is_passed == passed; });
    };
    CHECK(of_lesson(1855603, true) == 12);
    CHECK(of_lesson(1855603, false) == 0);
    CHECK(of_lesson(2071930, true) == 1); // reviewed, passed with score 0.0
    CHECK(of_lesson(1885356, false) > 0); // its scores are 0 as well as 0.0
}

TEST_CASE("teachers and students who never opened the course stand between the others")
{
    auto body = data("course-grades.mixed-page.json"); // with white space
    const auto page = parsed(body);
    CHECK(page.has_next);
    REQUIRE(page.rows.size() == 3);
    CHECK_FALSE(page.rows[0].is_teacher);
    CHECK(page.rows[1].is_teacher);
    CHECK_FALSE(page.rows[2].last_viewed);
    const auto nothing = parse_results(page.rows[2].results);
    REQUIRE(nothing.has_value());
    CHECK(nothing->steps.empty());
    CHECK_FALSE(nothing->layout);
    CHECK(parse_results(page.rows[0].results)->steps.size() == 29);
}

TEST_CASE("the digest is of the results alone")
{
    auto a = page_of(
        R"({"user":1,"results":{"7-1":{"step_id":5,"is_passed":true}},"score":1,"last_viewed":null})");
    auto b = page_of(
        R"({"user":2,"results":{"7-1":{"step_id":5,"is_passed":true}} , "score":2.5,"last_viewed":"2026-01-01T00:00:00Z"})");
    auto c = page_of(
        R"({"user":1,"results":{"7-1":{"step_id":5,"is_passed":false}},"score":1,"last_viewed":null})");
    const auto first = parsed(a).rows.at(0).results_digest;
    CHECK(first == parsed(b).rows.at(0).results_digest);
    CHECK(first != parsed(c).rows.at(0).results_digest);
}

TEST_CASE("the layout is the set of steps, whatever their places and outcomes")
{
    auto a = page_of(
        R"({"user":1,"results":{"7-1":{"step_id":5,"is_passed":true},"7-2":{"step_id":6,"is_passed":true}}})");
    auto moved = page_of(
        R"({"user":1,"results":{"7-2":{"step_id":5,"is_passed":false},"7-1":{"step_id":6,"is_passed":true}}})");
    auto more = page_of(
        R"({"user":1,"results":{"7-1":{"step_id":5,"is_passed":true},"7-2":{"step_id":6,"is_passed":true},"8-1":{"step_id":7,"is_passed":true}}})");
    const auto layout = results_of(a).layout;
    CHECK(layout == results_of(moved).layout);
    CHECK(layout != results_of(more).layout);
}

TEST_CASE("rows in every tolerable form")
{
    const std::vector<std::string> fine = {
        R"({"user":1,"results":{},"unknown":{"a":[1,{"b":null}]},"is_teacher":false})",
        R"({"is_teacher":null,"results":{},"user":1})",
        R"({"results":null,"user":1})",
        R"({"results":[],"user":1})",
        R"({"user":1.0,"results":{},"last_viewed":null,"date_joined":null})",
        R"({"user":1,"results":{},"last_viewed":"2026-01-02T03:04:05Z","date_joined":"2026-01-02T03:04:05.123456789Z"})",
        R"({"user":1,"results":{},"score":"12","rank":null,"certificate_url":"https:\/\/x"})",
    };
    for (const auto& row : fine) {
        INFO(row);
        auto body = page_of(row);
        const auto page = parsed(body);
        CHECK(page.rows.size() == 1);
        CHECK(page.malformed == 0);
        CHECK(page.rows.at(0).user == 1);
    }
}

TEST_CASE("a malformed row is left out, counted and described; the others are read")
{
    const std::vector<std::pair<std::string, std::string>> bad = {
        {R"({"user":null,"results":{}})", "user is not an id"},
        {R"({"user":"1","results":{}})", "user is not an id"},
        {R"({"user":1.5,"results":{}})", "user is not an id"},
        {R"({"user":99999999999999999999999,"results":{}})", "user is not an id"},
        {R"({"user":-4,"results":{}})", "user is not an id"},
        {R"({"results":{}})", "user is not an id"},
        {R"({"user":1})", "there are no results"},
        {R"({"user":1,"results":"none"})", "results is not an object"},
        {R"({"user":1,"results":{},"last_viewed":"yesterday"})", "last_viewed is not a date"},
        {R"({"user":1,"results":{},"date_joined":12})", "date_joined is not a date"},
        {R"(17)", "a row is not an object"},
        {R"(null)", "a row is not an object"},
    };
    for (const auto& [row, complaint] : bad) {
        INFO(row);
        auto body = page_of(R"({"user":8,"results":{}},)" + row + R"(,{"user":9,"results":{}})", true);
        const auto page = parsed(body);
        CHECK(page.malformed == 1);
        CHECK(page.complaint == complaint);
        CHECK(page.has_next);
        REQUIRE(page.rows.size() == 2);
        CHECK(page.rows[0].user == 8);
        CHECK(page.rows[1].user == 9);
    }
}

TEST_CASE("what is no page of grades is an error, not an empty page")
{
    const std::string whole = page_of(R"({"user":1,"results":{"7-1":{"step_id":5,"is_passed":true}}})");
    std::vector<std::string> bodies = {"", "null", "[]", "{}", "<html><h1>502 Bad Gateway</h1></html>",
        R"({"detail":"Not found."})", R"({"meta":{"has_next":false}})", R"({"meta":{},"course-grades":null})",
        R"({"meta":{},"course-grades":{"a":1}})", R"({"meta":{},"courses":[]})"};
    for (std::size_t cut = 1; cut < whole.size(); ++cut)
        bodies.push_back(whole.substr(0, cut));
    for (auto& body : bodies) {
        INFO(body);
        const auto page = parse_grades(body);
        REQUIRE_FALSE(page.has_value());
        CHECK(page.error().code == stepik_errc::bad_answer);
    }
}

TEST_CASE("results in every tolerable form")
{
    auto body = page_of(R"({"user":1,"results":{
        "7-1":{"step_id":5,"is_passed":true,"score":0.0,"is_review_started":true},
        "7-2":{"is_passed":true,"step_id":6.0},
        "7-3":{"step_id":8,"is_passed":null},
        "7-4":{"step_id":5,"is_passed":false},
        "12-1":{"step_id":9,"is_passed":false,"first_success":null,"extra":[[]]}}})");
    const auto r = results_of(body);
    CHECK(r.malformed == 0);
    REQUIRE(r.steps.size() == 4); // step 5 moved: it is there twice, and passed
    CHECK(r.steps[0].step_id == 5);
    CHECK(r.steps[0].is_passed);
    CHECK(r.steps[1].is_passed);
    CHECK_FALSE(r.steps[2].is_passed);
    CHECK(r.steps[3].lesson_id == 12);
}

TEST_CASE("an entry that can't be read holds its lesson back and is counted")
{
    for (const std::string entry : {R"({"is_passed":true})", R"({"step_id":"5","is_passed":true})",
             R"({"step_id":5})", R"({"step_id":5,"is_passed":"yes"})", R"(null)", R"(true)"})
    {
        INFO(entry);
        auto body =
            page_of(R"({"user":1,"results":{"7-1":)" + entry + R"(,"7-2":{"step_id":6,"is_passed":true}}})");
        const auto r = results_of(body);
        CHECK(r.malformed == 1);
        REQUIRE(r.steps.size() == 2);
        CHECK(std::count_if(
                  r.steps.begin(), r.steps.end(), [](const step_result& s) { return s.is_passed; }) == 1);
    }
}

TEST_CASE("a key that names no lesson spoils the row: nobody knows which lesson it would hold back")
{
    for (const char* key : {"", "7", "-1", "x-1", "0-1", "7x-1"}) {
        INFO(key);
        auto body =
            page_of(R"({"user":1,"results":{")" + std::string(key) + R"(":{"step_id":5,"is_passed":true}}})");
        const auto page = parsed(body);
        REQUIRE(page.rows.size() == 1);
        CHECK_FALSE(parse_results(page.rows[0].results).has_value());
    }
}

TEST_CASE("the recorded course object shows what we may not")
{
    auto body = data("courses.not-staff.json");
    const auto courses = parse_courses(body);
    REQUIRE(courses.has_value());
    REQUIRE(courses->items.size() == 1);
    const auto& c = courses->items[0];
    CHECK(c.id == 247644);
    CHECK(c.sections.size() == 13);
    CHECK(c.can_view_grades == false);
    CHECK_FALSE(c.has_learners_group);
    CHECK(c.learners_count);
    CHECK_FALSE(c.mark.empty());
}

TEST_CASE("a course's mark differs when it was edited and only then")
{
    const auto mark = [](std::string body) {
        auto courses = parse_courses(body);
        REQUIRE(courses.has_value());
        return courses->items.at(0).mark;
    };
    const auto before = mark(
        R"({"courses":[{"id":1,"sections":[2,3],"total_units":5,"update_date":"2026-01-01T00:00:00Z","learners_count":4}]})");
    CHECK(before ==
          mark(R"({"courses":[{"id":1,"sections":[2,3],"total_units":5,"update_date":"2026-01-01T00:00:00Z",)"
               R"("learners_count":5,"learners_group":7,"is_favorite":true}]})"));
    CHECK(
        before !=
        mark(
            R"({"courses":[{"id":1,"sections":[3,2],"total_units":5,"update_date":"2026-01-01T00:00:00Z"}]})"));
    CHECK(
        before !=
        mark(
            R"({"courses":[{"id":1,"sections":[2,3],"total_units":6,"update_date":"2026-01-01T00:00:00Z"}]})"));
    CHECK(
        before !=
        mark(
            R"({"courses":[{"id":1,"sections":[2,3],"total_units":5,"update_date":"2026-01-01T00:00:01Z"}]})"));
}

TEST_CASE("recorded sections, units, lessons and steps are read")
{
    auto sections = data("sections.json");
    const auto s = parse_sections(sections);
    REQUIRE(s.has_value());
    CHECK(s->items.at(0).id == 561993);
    CHECK(s->items.at(0).position == 2);
    CHECK(s->items.at(0).units.size() == 10);
    CHECK_FALSE(s->items.at(0).title.empty());

    auto units = data("units.json");
    const auto u = parse_units(units);
    REQUIRE(u.has_value());
    CHECK(u->items.at(0).id == 1881160);
    CHECK(u->items.at(0).lesson > 0);
    CHECK(u->items.at(0).position);

    auto lessons = data("lessons.not-visible.json");
    const auto l = parse_lessons(lessons);
    REQUIRE(l.has_value());
    CHECK(l->items.at(0).id == 1140055);
    CHECK(l->items.at(0).steps.empty());
    CHECK_FALSE(l->items.at(0).is_blank);

    auto steps = data("steps.quiz.json");
    const auto st = parse_steps(steps);
    REQUIRE(st.has_value());
    CHECK(st->items.at(0).id == 4818237);
    CHECK(st->items.at(0).lesson == 1140054);
    CHECK(st->items.at(0).position == 6);
    CHECK(st->items.at(0).block == "number");
}

TEST_CASE("objects without an id are counted and left out")
{
    std::string body =
        R"({"meta":{"has_next":true},"steps":[{"id":1,"block":null},{"id":null},4,{"id":2,"block":{"name":7}}]})";
    const auto steps = parse_steps(body);
    REQUIRE(steps.has_value());
    CHECK(steps->items.size() == 2);
    CHECK(steps->malformed == 2);
    CHECK(steps->has_next);
    CHECK(steps->items[0].block.empty());
}

TEST_CASE("tokens")
{
    const auto t = parse_token(data("token.json"));
    REQUIRE(t.has_value());
    CHECK(t->access_token == "ACCESS_TOKEN");
    CHECK(t->expires_in.count() == 36000);
    CHECK(parse_token(R"({"access_token":"x"})")->expires_in.count() == 600);
    CHECK(parse_token(R"({"access_token":"x","expires_in":12.7})")->expires_in.count() == 12);
    for (const char* bad :
        {"", "null", "[]", "{}", R"({"access_token":7})", R"({"access_token":""})", "<html>"})
        CHECK_FALSE(parse_token(bad).has_value());
}

TEST_CASE("an error's sentence is kept short and on one line")
{
    CHECK(error_detail(R"({"detail":"Not found."})") == "Not found.");
    CHECK(error_detail(R"({"error":"invalid_client"})") == "invalid_client");
    CHECK(error_detail(R"({"detail":"two\nlines"})") == "two lines");
    CHECK(error_detail("<h1>502</h1>").empty());
    CHECK(error_detail(R"({"detail":["a"]})").empty());
    CHECK(error_detail("").empty());
    const auto cut = error_detail(R"({"detail":")" + std::string(159, 'a') + "ёж и ещё\"}");
    CHECK(cut == std::string(159, 'a') + "…");
}
