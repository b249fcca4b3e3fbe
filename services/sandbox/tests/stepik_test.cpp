#include "coursegate/base/encoding.hpp"
#include "tests/playing.hpp"

#include <catch2/catch.hpp>

#include <fstream>

using namespace coursegate;
using namespace coursegate::sandbox;
using namespace std::chrono_literals;
using json = nlohmann::ordered_json;

namespace {

std::vector<std::string> keys(const json& object)
{
    std::vector<std::string> out;
    for (const auto& [key, value] : object.items())
        out.push_back(key);
    return out;
}

json recorded_object(const char* name)
{
    return json::parse(embedded("course/templates.json")).at(name);
}

} // namespace

TEST_CASE("the token endpoint takes Basic and form credentials and refuses the rest")
{
    playing p;
    const auto form = p.send("POST", "/oauth2/token/",
        "grant_type=client_credentials&client_id=sandbox-client&client_secret=sandbox-secret");
    REQUIRE(form.status == 200);
    CHECK(keys(form.value) == std::vector<std::string>{"access_token", "scope", "expires_in", "token_type"});
    CHECK(form.value["expires_in"] == 36000);
    CHECK(form.value["token_type"] == "Bearer");
    CHECK(form.value["scope"] == "read write");

    const auto basic = p.send("POST", "/oauth2/token/", "grant_type=client_credentials",
        {{"Authorization", "Basic " + base::to_base64("sandbox-client:sandbox-secret")}});
    CHECK(basic.status == 200);
    CHECK(basic.value["access_token"] != form.value["access_token"]);

    const auto wrong = p.send("POST", "/oauth2/token/", "grant_type=client_credentials",
        {{"Authorization", "Basic " + base::to_base64("sandbox-client:wrong")}});
    CHECK(wrong.status == 401);
    CHECK(wrong.body == R"({"error":"invalid_client"})");
    CHECK(p.send("POST", "/oauth2/token/", "grant_type=password&client_id=sandbox-client").status == 400);

    p.control("PUT", "settings", {{"client_secret_ok", false}});
    CHECK(p.send("POST", "/oauth2/token/",
               "grant_type=client_credentials&client_id=sandbox-client&client_secret=sandbox-secret")
              .status == 401);
}

TEST_CASE("a person who agrees is known to the application by a code, once")
{
    playing p;
    const auto student = p.students(1, {{"course", 247644}}).at(0);
    const std::string ask = "client_id=sandbox-client&response_type=code&state=a%26b"
                            "&redirect_uri=https%3A%2F%2Fwatch.example.org%2Fback";
    const auto page = p.send("GET", "/oauth2/authorize/?" + ask);
    REQUIRE(page.status == 200);
    CHECK(page.body.find("name=\"state\" value=\"a&amp;b\"") != std::string::npos);
    CHECK(p.send("GET", "/oauth2/authorize/?response_type=code&client_id=nobody").status == 400);

    const auto no = p.send("POST", "/oauth2/authorize/", ask + "&user=" + std::to_string(student));
    CHECK(no.headers.get("Location") == "https://watch.example.org/back?error=access_denied&state=a%26b");
    const auto agreed = [&] {
        const auto yes =
            p.send("POST", "/oauth2/authorize/", ask + "&allow=1&user=" + std::to_string(student));
        REQUIRE(yes.status == 302);
        const auto location = yes.headers.get("Location").value_or("");
        const auto query = http::query::parse(location.substr(location.find('?') + 1));
        CHECK(query.get("state") == "a&b");
        return query.get("code").value_or("");
    };
    const auto redeem = [&](const std::string& code, const std::string& back) {
        return p.send("POST", "/oauth2/token/",
            "grant_type=authorization_code&code=" + code + "&redirect_uri=" + base::percent_encode(back),
            {{"Authorization", "Basic " + base::to_base64("sandbox-client:sandbox-secret")}});
    };
    const auto code = agreed();
    const auto given = redeem(code, "https://watch.example.org/back");
    REQUIRE(given.status == 200);
    CHECK(given.value.contains("refresh_token"));
    const auto me = p.send("GET", "/api/stepics/1", "",
        {{"Authorization", "Bearer " + given.value["access_token"].get<std::string>()}});
    CHECK(me.value["users"][0]["id"] == student);
    CHECK(me.value["profiles"][0]["is_guest"] == false);
    CHECK(redeem(code, "https://watch.example.org/back").body == R"({"error":"invalid_grant"})");
    CHECK(redeem(agreed(), "https://evil.example.org/").status == 400);
}

TEST_CASE("a token is good until it expires or is revoked")
{
    playing p;
    REQUIRE(p.get("/api/course-grades?course=247644").status == 200);
    p.clock.advance(9h + 59min);
    CHECK(p.get("/api/course-grades?course=247644").status == 200);
    p.clock.advance(1min);
    const auto expired = p.get("/api/course-grades?course=247644");
    CHECK(expired.status == 401);
    CHECK(expired.value["detail"] == "Authentication credentials were not provided.");
    CHECK(p.send("GET", "/api/courses/247644", {}, {{"Authorization", "Bearer nonsense"}}).status == 401);

    playing other;
    REQUIRE(other.get("/api/stepics/1").status == 200);
    other.control("POST", "expire-tokens");
    CHECK(other.get("/api/stepics/1").status == 401);
}

TEST_CASE("the recorded student's answer over HTTP is the recorded answer")
{
    playing p;
    const auto got = p.get("/api/course-grades?course=247644&user=900000101");
    REQUIRE(got.status == 200);
    CHECK(got.headers.get("Content-Type") == "application/json");
    CHECK((got.body == recorded_answer()));
}

TEST_CASE("objects have the recorded fields in the recorded order")
{
    playing p;
    for (const auto& [path, name, list] : std::vector<std::tuple<std::string, const char*, std::string>>{
             {"/api/courses/247644", "course", "courses"}, {"/api/sections/561993", "section", "sections"},
             {"/api/units/1881160", "unit", "units"}, {"/api/lessons/1852228", "lesson", "lessons"},
             {"/api/steps/7679036", "step", "steps"}, {"/api/users/900000101", "user", "users"}})
    {
        const auto got = p.get(path);
        INFO(path);
        REQUIRE(got.status == 200);
        REQUIRE(got.value[list].size() == 1);
        CHECK(keys(got.value[list][0]) == keys(recorded_object(name)));
        CHECK(got.value["meta"] == json{{"page", 1}, {"has_next", false}, {"has_previous", false}});
        CHECK(p.get(path + "0000000").status == 404);
    }
    CHECK(p.get("/api/sections/561993").value["sections"][0]["units"] ==
          json::array(
              {1881160, 1881193, 1880870, 1884880, 1884888, 1884960, 1884981, 1884983, 1885563, 1881214}));
    CHECK(p.get("/api/sections/561993").value["sections"][0]["position"] == 2);
    const auto unit = p.get("/api/units/1881160").value["units"][0];
    CHECK(unit["section"] == 561993);
    CHECK(unit["lesson"] == 1855854);
    CHECK(unit["assignments"].size() == 12);
    CHECK(p.get("/api/courses/247644").value.contains("enrollments"));
    CHECK(p.get("/api/users/900000101").value["users"][0]["full_name"] == "Анна Примерова");
    CHECK_FALSE(p.get("/api/users/900000101").value["users"][0].contains("email"));
    CHECK(p.get("/api/nonsense/1").status == 404);
}

TEST_CASE("a stranger sees the public course, without groups, grades or steps")
{
    playing p;
    const auto open = p.send("GET", "/api/courses/247644");
    REQUIRE(open.status == 200);
    auto course = open.value["courses"][0];
    CHECK(course["learners_group"].is_null());
    CHECK(course["actions"]["view_grade_book"]["enabled"] == false);
    CHECK(p.send("GET", "/api/lessons/1859688").value["lessons"][0]["steps"].empty());
    CHECK(p.send("GET", "/api/lessons/1852228").value["lessons"][0]["steps"].size() ==
          1); // the free first lesson
    CHECK(p.send("GET", "/api/steps?ids[]=7690194").value["steps"].empty());
    CHECK(p.send("GET", "/api/course-grades?course=247644").status == 401);
    CHECK(p.send("GET", "/api/stepics/1").status == 401);

    course = p.get("/api/courses/247644").value["courses"][0];
    CHECK(course["learners_group"] == 12000001);
    CHECK(course["actions"]["view_grade_book"]["enabled"] == true);
    CHECK(course["actions"]["view_grade_book"]["needs_permission"] == "assist");
    CHECK(p.get("/api/stepics/1").value["users"][0]["id"] == 900000001);
}

TEST_CASE("an author without grade book or learners group is told so")
{
    playing p;
    p.control("PUT", "settings", {{"grade_book_enabled", false}, {"learners_group_visible", false}});
    const auto course = p.get("/api/courses/247644").value["courses"][0];
    CHECK(course["actions"]["view_grade_book"]["enabled"] == false);
    CHECK(course["learners_group"].is_null());
    const auto grades = p.get("/api/course-grades?course=247644");
    CHECK(grades.status == 403);
    CHECK(grades.value["detail"] == "You do not have permission to perform this action.");
    CHECK(p.get("/api/members?group=12000001").status == 403);
}

TEST_CASE("ids come back in the order asked, unknown ones left out, in both spellings, in one page")
{
    playing p;
    const auto got = p.get("/api/lessons?ids[]=1855854&ids%5B%5D=5&ids[]=1859688");
    REQUIRE(got.value["lessons"].size() == 2);
    CHECK(got.value["lessons"][0]["id"] == 1855854);
    CHECK(got.value["lessons"][1]["id"] == 1859688);

    std::string many = "/api/steps?";
    int count = 0;
    for (const auto& s : p.w.classrooms()[0]->course.sections())
        for (const auto& l : s.lessons)
            for (const auto& st : l.steps)
                if (count < 100) {
                    many += "ids[]=" + std::to_string(st.id) + "&";
                    ++count;
                }
    const auto hundred = p.get(many);
    REQUIRE(hundred.status == 200);
    CHECK(hundred.value["steps"].size() == 100);
    CHECK(hundred.value["meta"]["has_next"] == false);
    CHECK(p.get(many + "ids[]=7690194").status == 414);
    p.control("PUT", "settings", {{"too_many_ids_status", 400}, {"max_ids", 30}});
    CHECK(p.get(many).status == 400);
}

TEST_CASE("the whole structure can be read in pages, theory steps included")
{
    playing p;
    std::size_t lessons = 0;
    for (int page = 1;; ++page) {
        const auto got = p.get("/api/lessons?course=247644&page=" + std::to_string(page));
        lessons += got.value["lessons"].size();
        CHECK(got.value["meta"]["has_previous"] == (page > 1));
        if (got.value["meta"]["has_next"] == false)
            break;
        CHECK(got.value["lessons"].size() == 20);
    }
    CHECK(lessons == 51);
    const auto theory = p.get("/api/steps?lesson=1852228").value["steps"];
    REQUIRE(theory.size() == 1);
    CHECK(theory[0]["block"]["name"] == "text");
    CHECK(p.get("/api/steps?lesson=1855577").value["steps"][0]["block"]["name"] == "video");
    CHECK(p.get("/api/steps?lesson=2071929").value["steps"][0]["block"]["name"] == "free-answer");
    CHECK(p.get("/api/units?section=561993").value["units"].size() == 10);
    CHECK(p.get("/api/units?course=247644&lesson=1855854").value["units"][0]["id"] == 1881160);
    CHECK(p.get("/api/sections?course=247644").value["sections"].size() == 13);
    CHECK(p.get("/api/steps").status == 403);
}

TEST_CASE("grade pages hold 20 rows, say whether more follow, and may be strict beyond the end")
{
    playing p;
    const auto users = p.students(45);
    CHECK(users.front() == 900001001);
    CHECK(users.back() == 900001045);
    auto page = p.get("/api/course-grades?course=247644&is_teacher=false&page=1");
    REQUIRE(page.value["course-grades"].size() == 20);
    CHECK(page.value["course-grades"][0]["user"] == 900001001);
    CHECK(page.value["course-grades"][0]["results"].empty());
    CHECK(page.value["meta"] == json{{"page", 1}, {"has_next", true}, {"has_previous", false}});
    page = p.get("/api/course-grades?course=247644&page=3"); // 46 rows with the teacher
    CHECK(page.value["course-grades"].size() == 6);
    CHECK(page.value["meta"] == json{{"page", 3}, {"has_next", false}, {"has_previous", true}});
    page = p.get("/api/course-grades?course=247644&page=9");
    CHECK(page.status == 200);
    CHECK(page.value["course-grades"].empty());
    CHECK(p.get("/api/course-grades?course=247644&page=0").status == 404);
    CHECK(p.get("/api/course-grades?course=247644&page_size=100").value["course-grades"].size() == 20);
    p.control("PUT", "settings", {{"strict_pages", true}, {"honour_page_size", true}});
    page = p.get("/api/course-grades?course=247644&page=9");
    CHECK(page.status == 404);
    CHECK(page.body == R"({"detail":"Invalid page."})");
    CHECK(p.get("/api/course-grades?course=247644&page_size=40").value["course-grades"].size() == 40);
    p.control("PUT", "settings", {{"page_size", 5}});
    CHECK(p.get("/api/course-grades?course=247644").value["course-grades"].size() == 5);
    CHECK(p.get("/api/course-grades").status == 400);
    CHECK(p.get("/api/course-grades?course=1").status == 404);
}

TEST_CASE("teacher rows are marked and can be left out; search, class and order work over HTTP")
{
    playing p;
    p.students(3, {{"klass", 62475}, {"passed_lessons", 2}});
    p.students(2);
    const auto rows = [&](const std::string& more) {
        return p.get("/api/course-grades?course=247644" + more).value["course-grades"];
    };
    CHECK(rows("").size() == 6);
    CHECK(rows("&is_teacher=true").size() == 1);
    CHECK(rows("&is_teacher=true")[0]["is_teacher"] == true);
    CHECK(rows("&is_teacher=false").size() == 5);
    CHECK(rows("&klass=62475").size() == 3);
    CHECK(rows("&search=student.900001002%40example.org").size() == 1);
    CHECK(rows("&search=").size() == 6);
    CHECK(rows("&is_teacher=false&order=-score%2C-id")[0]["user"] == 900001003);
    CHECK(rows("&user=900001004")[0]["user"] == 900001004);
    CHECK(rows("&user=1").empty());

    const auto students = p.get("/api/students?klass=62475").value["students"];
    REQUIRE(students.size() == 3);
    CHECK(keys(students[0]) == std::vector<std::string>{"id", "klass", "user", "date_joined"});
    CHECK(p.get("/api/classes/62475").value["classes"][0]["students_count"] == 3);
}

TEST_CASE("members are found by e-mail: none, one or many")
{
    playing p;
    p.students(3);
    const auto found = [&](const std::string& search) {
        return p.get("/api/members?group=12000001&search=" + search).value["members"];
    };
    CHECK(found("nobody@example.org").empty());
    const auto one = found("student.900001002%40example.org");
    REQUIRE(one.size() == 1);
    CHECK(keys(one[0]) == std::vector<std::string>{"id", "group", "user", "date_joined"});
    CHECK(one[0]["user"] == 900001002);
    CHECK(one[0]["group"] == 12000001);
    CHECK(found("example.org").size() == 4);
    CHECK(p.get("/api/members?group=1").status == 403);
    CHECK(p.get("/api/groups/12000001").value["groups"][0]["users"].size() == 4);
}

TEST_CASE("grades follow a pass after the staleness delay, or when refreshed")
{
    playing p;
    const auto user = p.students(1)[0];
    p.control("PUT", "settings", {{"staleness_ms", 5000}});
    p.control("POST", "pass", {{"user", user}, {"lesson", first_lesson}});
    const auto result = [&] {
        return p.get("/api/course-grades?course=247644&user=" + std::to_string(user))
            .value["course-grades"][0]["results"]["1859688-1"]["is_passed"];
    };
    CHECK(result() == false);
    p.clock.advance(5s);
    CHECK(result() == true);
    const auto passes = p.control("GET", "passes").value["passes"];
    REQUIRE(passes.size() == 1);
    CHECK(passes[0]["at"] == "2026-01-02T03:04:05.678000Z");
    CHECK(passes[0]["served_at"] == "2026-01-02T03:04:10.678000Z");

    p.control("POST", "pass", {{"user", user}, {"lesson", twelve_steps}});
    const auto row =
        p.get("/api/course-grades?course=247644&user=" + std::to_string(user)).value["course-grades"][0];
    CHECK(row["results"]["1855854-1"]["is_passed"] == false);
    CHECK(p.send("POST", "/api/course-grades/1/refresh", {}, {{"Authorization", "Bearer " + p.token()}})
              .status == 404);
    CHECK(p.send("POST", "/api/course-grades/" + row["id"].dump() + "/refresh", {},
               {{"Authorization", "Bearer " + p.token()}})
              .status == 200);
    CHECK(p.get("/api/course-grades?course=247644&user=" + std::to_string(user))
              .value["course-grades"][0]["results"]["1855854-1"]["is_passed"] == true);
}

TEST_CASE("gzip only with the knob on and where asked for")
{
    playing p;
    p.students(20, {{"passed_lessons", 5}});
    const std::string target = "/api/course-grades?course=247644&is_teacher=false";
    const std::vector<std::pair<std::string, std::string>> with{{"Authorization", "Bearer " + p.token()}};
    const auto plain = p.send("GET", target, {}, with, 10s, true);
    CHECK_FALSE(plain.headers.get("Content-Encoding").has_value());
    p.control("PUT", "settings", {{"gzip", true}});
    const auto unasked = p.send("GET", target, {}, with, 10s, false);
    CHECK_FALSE(unasked.headers.get("Content-Encoding").has_value());
    const auto packed = p.send("GET", target, {}, with, 10s, true);
    CHECK(packed.body.size() > 1'000'000);
    CHECK((packed.body == plain.body));
    CHECK(packed.headers.get("Vary") == "Accept-Encoding");
}

TEST_CASE("a second course has its own application, which sees only its own grades")
{
    playing p;
    const auto made = p.control("POST", "courses",
        {{"course", 300001}, {"client_id", "second"}, {"client_secret", "s2"},
            {"boomstream_api_key", "second-key"}});
    REQUIRE(made.status == 201);
    CHECK(made.value["group_subscription"] == "SBXGRP01");
    p.control("POST", "students", {{"course", 300001}, {"count", 2}});
    const auto as_second = [&](const std::string& target) {
        return p.send("GET", target, {}, {{"Authorization", "Bearer " + p.token("second", "s2")}});
    };
    CHECK(as_second("/api/course-grades?course=300001").value["course-grades"].size() == 2);
    CHECK(as_second("/api/course-grades?course=247644").status == 403);
    CHECK(p.get("/api/course-grades?course=300001").status == 403);
    CHECK(as_second("/api/courses/300001").value["courses"][0]["learners_group"] == 12000002);
    CHECK(as_second("/api/courses/300001").value["courses"][0]["sections"][0] == 10561992);
    CHECK(p.control("POST", "courses", {{"course", 300001}, {"client_id", "x"}, {"client_secret", "y"}})
              .status == 409);
    CHECK(p.boom("ppv/listmedia", {{"code", "SBXGRP01"}}, "second-key").value["Medias"].size() == 51);
    CHECK(p.boom("ppv/listmedia", {{"code", "SBXGRP01"}}).value["Message"] == "Subscription not found");
}

TEST_CASE("structure changes show in the API and in the grade keys")
{
    playing p;
    const auto user = p.students(1)[0];
    p.control("POST", "pass", {{"user", user}, {"lesson", twelve_steps}});
    const auto step =
        p.control("POST", "course/insert-step", {{"lesson", twelve_steps}, {"position", 1}}).value["step"];
    CHECK(p.get("/api/lessons/1855854").value["lessons"][0]["steps"][0] == step);
    const auto results = p.get("/api/course-grades?course=247644&user=" + std::to_string(user))
                             .value["course-grades"][0]["results"];
    CHECK(results["1855854-1"]["step_id"] == step);
    CHECK(results["1855854-2"]["step_id"] == 7679036);
    CHECK(results["1855854-2"]["is_passed"] == true);

    REQUIRE(p.control("POST", "course/move-lesson", {{"lesson", twelve_steps}, {"section", 561992}}).status ==
            200);
    CHECK(p.get("/api/sections/561992").value["sections"][0]["units"][0] == 1881160);
    CHECK(p.get("/api/units/1881160").value["units"][0]["section"] == 561992);
    const auto added =
        p.control("POST", "course/add-lesson", {{"section", 561992}, {"title", "Новый"}, {"steps", 2}});
    REQUIRE(added.status == 201);
    CHECK(p.get("/api/lessons/" + added.value["lesson"].dump()).value["lessons"][0]["steps"].size() == 2);
    CHECK(p.boom("media/info", {{"code", added.value["media"]}}).value["Title"] == "Новый");
    REQUIRE(p.control("POST", "course/remove-lesson", {{"lesson", twelve_steps}}).status == 200);
    CHECK(p.get("/api/lessons/1855854").status == 404);
    CHECK(p.get("/api/courses/247644").value["courses"][0]["total_units"] == 51);
}
