#include "coursegate/base/encoding.hpp"
#include "tests/playing.hpp"

#include <catch2/catch.hpp>

using namespace coursegate;
using namespace coursegate::sandbox;
using namespace std::chrono_literals;
using json = nlohmann::ordered_json;

namespace {

const json add = {
    {"code", "SBXGROUP"}, {"media", "V1859688"}, {"email", "a@example.org"}, {"hash", "123456789"}};

std::size_t buyers(playing& p)
{
    return p.control("GET", "ledger").value["buyers"].size();
}

// One call of addbuyer while this fault is on, and whether it took effect.
struct outcome
{
    playing::answer answer;
    bool done = false;
};
outcome with_fault(const json& fault, std::chrono::milliseconds deadline = 10s)
{
    playing p;
    auto f = fault;
    f["target"] = "boomstream";
    f["count"] = 1;
    const auto set = p.control("POST", "faults", f);
    REQUIRE(set.status == 201);
    outcome out;
    out.answer =
        p.send("POST", "/api/ppv/addbuyer", add.dump(), {{"Authorization", "Bearer sandbox-key"}}, deadline);
    out.done = buyers(p) == 1;
    // The fault was for one call; the next one is as always.
    CHECK(p.boom("ppv/list", json::object()).value["Status"] == "Success");
    CHECK(p.control("GET", "faults").value["faults"].empty());
    return out;
}

} // namespace

TEST_CASE("faults with a status of their own leave nothing done")
{
    for (const auto& [kind, status] :
        std::vector<std::pair<std::string, int>>{{"status_401", 401}, {"status_403", 403},
            {"status_404", 404}, {"status_429", 429}, {"status_500", 500}, {"bad_gateway_html", 502}})
    {
        INFO(kind);
        const auto got = with_fault({{"kind", kind}, {"retry_after", 7}});
        CHECK(got.answer.status == status);
        CHECK_FALSE(got.done);
        if (status == 429)
            CHECK(got.answer.headers.get("Retry-After") == "7");
        if (status == 502)
            CHECK(got.answer.body.starts_with("<html>"));
    }
    const auto failed = with_fault({{"kind", "failed_200"}, {"message", "Try later"}});
    CHECK(failed.answer.status == 200);
    CHECK(failed.answer.value["Status"] == "Failed");
    CHECK(failed.answer.value["Message"] == "Try later");
    CHECK_FALSE(failed.done);
    CHECK(with_fault({{"kind", "bad_gateway_html"}, {"effect", true}}).done);
}

TEST_CASE("timeouts do not answer, before or after the effect")
{
    const auto before = with_fault({{"kind", "timeout_before"}}, 150ms);
    CHECK_FALSE(before.answer.arrived);
    CHECK_FALSE(before.done);
    const auto after = with_fault({{"kind", "timeout_after"}}, 150ms);
    CHECK_FALSE(after.answer.arrived);
    CHECK(after.done);
}

TEST_CASE("a dropped connection gives no answer, before or after the effect")
{
    const auto before = with_fault({{"kind", "drop"}});
    REQUIRE(before.answer.error.has_value());
    CHECK(before.answer.error->code == http::errc::unknown_outcome);
    CHECK_FALSE(before.done);
    const auto after = with_fault({{"kind", "drop_after"}});
    REQUIRE(after.answer.error.has_value());
    CHECK(after.answer.error->code == http::errc::unknown_outcome);
    CHECK(after.done);
}

TEST_CASE("a truncated answer breaks off, an empty one is whole and empty; both calls are done")
{
    const auto cut = with_fault({{"kind", "truncated"}});
    CHECK_FALSE(cut.answer.arrived);
    CHECK(cut.done);
    const auto empty = with_fault({{"kind", "empty_body"}});
    CHECK(empty.answer.status == 200);
    CHECK(empty.answer.body.empty());
    CHECK(empty.done);
}

TEST_CASE("latency answers late but as always")
{
    const auto began = std::chrono::steady_clock::now();
    const auto got = with_fault({{"kind", "latency"}, {"millis", 120}});
    CHECK(got.answer.value["Status"] == "Success");
    CHECK(got.done);
    CHECK(std::chrono::steady_clock::now() - began >= 120ms);
}

TEST_CASE("Stepik's refusals look like Stepik's")
{
    playing p;
    p.token();
    const auto refused = [&](const std::string& kind) {
        p.control(
            "POST", "faults", {{"target", "stepik"}, {"kind", kind}, {"count", 1}, {"path", "/api/courses"}});
        return p.get("/api/courses/247644");
    };
    CHECK(refused("status_401").value["detail"] == "Authentication credentials were not provided.");
    CHECK(refused("status_403").value["detail"] == "You do not have permission to perform this action.");
    CHECK(refused("status_404").value["detail"] == "Not found.");
    const auto throttled = refused("status_429");
    CHECK(throttled.value["detail"] == "Request was throttled. Expected available in 1 seconds.");
    CHECK(throttled.headers.get("Retry-After") == "1");
    CHECK(refused("bad_gateway_html").status == 502);
    CHECK(p.get("/api/courses/247644").status == 200);
}

TEST_CASE("a grades answer that did not arrive has shown no pass")
{
    playing p;
    const auto user = p.students(1)[0];
    p.control("POST", "pass", {{"user", user}, {"lesson", first_lesson}});
    p.token();
    for (const auto* kind : {"truncated", "drop_after", "empty_body"}) {
        p.control("POST", "faults", {{"target", "stepik"}, {"kind", kind}, {"share", 1}});
        p.get("/api/course-grades?course=247644");
        CHECK(p.control("GET", "passes").value["passes"][0]["served_at"].is_null());
        p.control("DELETE", "faults");
    }
    p.get("/api/course-grades?course=247644");
    CHECK(p.control("GET", "passes").value["passes"][0]["served_at"].is_string());
}

TEST_CASE("waiting calls end when the sandbox stops")
{
    const auto began = std::chrono::steady_clock::now();
    {
        playing p;
        p.control("POST", "faults",
            {{"target", "boomstream"}, {"kind", "timeout_before"}, {"count", 1}, {"millis", 60000}});
        p.send("POST", "/api/ppv/list", "{}", {{"Authorization", "Bearer sandbox-key"}}, 50ms);
    }
    CHECK(std::chrono::steady_clock::now() - began < 8s);
}

TEST_CASE("a rate limit answers 429 above it and shows in the counters")
{
    playing p;
    p.control("PUT", "settings", {{"stepik_per_second", 3}});
    const auto token = p.token();
    CHECK(p.get("/api/courses/247644").status == 200);
    CHECK(p.get("/api/courses/247644").status == 200);
    CHECK(p.get("/api/courses/247644").status == 429);
    p.clock.advance(1s);
    CHECK(p.get("/api/courses/247644").status == 200);
    const auto counters = p.control("GET", "counters").value;
    CHECK(counters["load"]["stepik"]["most_per_second"] == 4);
    CHECK(counters["load"]["stepik"]["in_flight"] == 0);
    CHECK(counters["load"]["stepik"]["most_in_flight"] == 1);
}

TEST_CASE("every call is counted by target, path, status and fault")
{
    playing p;
    p.get("/api/courses/247644");
    p.get("/api/lessons/1859688");
    p.get("/api/lessons/1855854");
    p.boom("ppv/addbuyer", {{"code", "SBXGROUP"}});
    p.control("POST", "faults", {{"target", "boomstream"}, {"kind", "drop"}, {"count", 1}});
    p.boom("ppv/addbuyer", add);
    const auto counters = p.control("GET", "counters").value;
    CHECK(counters["total"]["stepik"] == 4); // with the token
    CHECK(counters["total"]["boomstream"] == 2);
    const auto find = [&](const std::string& path, int status) {
        for (const auto& c : counters["calls"])
            if (c["path"] == path && c["status"] == status)
                return c;
        return json();
    };
    CHECK(find("/api/lessons/{id}", 200)["calls"] == 2);
    CHECK(find("/oauth2/token/", 200)["calls"] == 1);
    CHECK(find("/api/ppv/addbuyer", 200)["failed"] == 1);
    CHECK(find("/api/ppv/addbuyer", 0)["fault"] == "drop");
    const auto calls = p.control("GET", "calls?limit=2").value["calls"];
    REQUIRE(calls.size() == 2);
    CHECK(calls[0]["fault"] == "drop");
    p.control("DELETE", "counters");
    CHECK(p.control("GET", "counters").value["calls"].empty());
}

TEST_CASE("keys and codes never show in counters or recent calls")
{
    playing p;
    p.boom("ppv/addbuyer", add);
    p.send("GET", "/api/ppv/listbuyers?apikey=sandbox-key&code=SBXGROUP");
    p.send("GET", "/V1859688?id_recovery=123456789");
    const auto shown = p.control("GET", "calls").body + p.control("GET", "counters").body;
    CHECK(shown.find("sandbox-key") == std::string::npos);
    CHECK(shown.find("123456789") == std::string::npos);
}

TEST_CASE("students are made with ids in a row, or as given, some lessons already passed")
{
    playing p;
    CHECK(p.students(3) == std::vector<std::int64_t>{900001001, 900001002, 900001003});
    const auto given = p.control("POST", "students",
        {{"list", json::array({json{{"user", 555}, {"email", "five@example.org"}, {"first_name", "Пять"}},
                      json{{"passed_share", 0.5}, {"date_joined", "2025-01-01T00:00:00Z"}}})}});
    REQUIRE(given.status == 201);
    CHECK(given.value["students"][0]["user"] == 555);
    CHECK(given.value["students"][0]["email"] == "five@example.org");
    CHECK(given.value["students"][1]["user"] == 900001004);
    const auto list = p.control("GET", "students?q=900001004").value;
    REQUIRE(list["students"].size() == 1);
    CHECK(list["students"][0]["passed_lessons"] == 25);
    CHECK(p.control("GET", "passes").value["passes"].empty()); // what was before does not count as passing
    const auto progress = p.control("GET", "progress").value["students"];
    CHECK(progress.size() == 5);
    CHECK(progress[4]["lessons"].size() == 25);
    CHECK(p.get("/api/course-grades?course=247644&user=900001004").value["course-grades"][0]["date_joined"] ==
          "2025-01-01T00:00:00Z");
    CHECK(
        p.control("POST", "students", {{"count", 1}, {"list", json::array({json::object()})}}).status == 400);
    CHECK(p.control("POST", "students", json::object()).status == 400);
}

TEST_CASE("passing by lesson, by step and many at once")
{
    playing p;
    const auto users = p.students(3);
    const auto one = p.control("POST", "pass", {{"user", users[0]}, {"lesson", twelve_steps}});
    REQUIRE(one.status == 200);
    CHECK(one.value["steps"] == 12);
    CHECK(one.value["lessons"] == json::array({twelve_steps}));
    CHECK(one.value["at"] == "2026-01-02T03:04:05.678000Z");
    const auto step = p.control("POST", "pass", {{"user", users[1]}, {"step", 7679036}, {"tries", 2}});
    CHECK(step.value["steps"] == 1);
    CHECK(step.value["lessons"].empty());
    const auto many =
        p.control("POST", "pass-many", {{"users", users}, {"lessons", {first_lesson, twelve_steps}}});
    CHECK(many.value["lessons"] == 5);
    const auto listed = p.control("POST", "pass-many",
        {{"passes", json::array({json{{"user", users[0]}, {"lesson", review_lesson}}})}});
    CHECK(listed.value["lessons"] == 1);
    CHECK(p.control("GET", "passes?user=" + std::to_string(users[0])).value["passes"].size() == 3);

    const auto nothing = p.control("POST", "pass", {{"user", users[0]}, {"lesson", theory_lesson}});
    CHECK(nothing.status == 409);
    CHECK(nothing.value["field"] == "lesson");
    const auto unknown = p.control("POST", "pass", {{"user", 1}, {"lesson", twelve_steps}});
    CHECK(unknown.status == 404);
    CHECK(unknown.value["field"] == "user");
    CHECK(p.control("POST", "pass", {{"user", users[0]}, {"lesson", 1}}).value["field"] == "lesson");
    CHECK(p.control("POST", "pass", {{"course", 1}, {"user", users[0]}, {"lesson", 1}}).value["field"] ==
          "course");
    CHECK(p.control("POST", "pass", {{"user", users[0]}}).status == 400);
    CHECK(p.control("POST", "pass-many", {{"users", users}, {"lessons", {twelve_steps + 1}}}).status == 404);

    REQUIRE(p.control("POST", "view", {{"user", users[2]}, {"failed_step", 7690194}}).status == 200);
    CHECK(p.get("/api/course-grades?course=247644&user=900001003")
              .value["course-grades"][0]["results"]["1859688-1"]["total_submissions"] == 2);
}

TEST_CASE("what a student can watch right now is listed by subscription")
{
    playing p;
    const auto user = std::to_string(p.students(1)[0]);
    CHECK(p.control("GET", "students/" + user).value["access"].empty());
    p.boom("ppv/addbuyer", {{"code", "S1859688"}, {"media", "V1859688"},
                               {"email", "student.900001001@example.org"}, {"hash", "111111111"}});
    p.boom("ppv/addbuyer", {{"code", "SBXGROUP"}, {"media", "V1859688"}, {"email", "hidden@example.org"},
                               {"hash", "222222222"}});
    auto access = p.control("GET", "students/" + user).value["access"];
    REQUIRE(access.size() == 1);
    CHECK(access[0]["subscription"] == "S1859688");
    CHECK(access[0]["videos"][0]["lesson"] == first_lesson);
    access = p.control("GET", "students/" + user + "?code=222-222-222").value["access"];
    REQUIRE(access.size() == 2);
    CHECK(access[0]["videos"].size() == 51); // the group has them all
    CHECK(p.control("GET", "students/1").status == 404);
}

TEST_CASE("subscriptions can be listed with the lessons' codes, and made by hand")
{
    playing p;
    const auto got = p.control("GET", "subscriptions").value;
    CHECK(got["group"] == "SBXGROUP");
    CHECK(got["lessons"].size() == 51);
    CHECK(got["lessons"][0]["media"] == "V1852228");
    CHECK(got["lessons"][0]["subscription"] == "S1852228");
    CHECK(
        p.control("POST", "subscriptions", {{"code", "BLOCK001"}, {"kind", "group"}, {"media", {"V1859688"}}})
            .status == 201);
    CHECK(p.boom("ppv/listmedia", {{"code", "BLOCK001"}}).value["Medias"].size() == 1);
    CHECK(p.control("POST", "subscriptions", {{"code", "short"}}).value["field"] == "code");
    CHECK(p.control("POST", "subscriptions", {{"code", "BLOCK002"}, {"media", {"NOTTHERE"}}}).status == 404);
}

TEST_CASE("bad input to the control API names the field and changes nothing")
{
    playing p;
    const auto refused = [&](const std::string& method, const std::string& what, const json& body) {
        const auto got = p.control(method, what, body);
        CHECK(got.status == 400);
        return got.value["field"].get<std::string>();
    };
    CHECK(refused("PUT", "settings", {{"page_size", 0}}) == "page_size");
    CHECK(refused("PUT", "settings", {{"page_size", "20"}}) == "page_size");
    CHECK(refused("PUT", "settings", {{"list_shape", "round"}}) == "list_shape");
    CHECK(refused("PUT", "settings", {{"gzip", true}, {"gzipp", true}}) == "gzipp");
    CHECK(p.control("GET", "settings").value["gzip"] == false);
    CHECK(refused("POST", "faults", {{"target", "stepic"}, {"kind", "drop"}, {"count", 1}}) == "target");
    CHECK(refused("POST", "faults", {{"target", "stepik"}, {"kind", "meteor"}, {"count", 1}}) == "kind");
    CHECK(refused("POST", "faults", {{"target", "stepik"}, {"kind", "drop"}}) == "share");
    CHECK(refused("POST", "faults", {{"target", "stepik"}, {"kind", "failed_200"}, {"count", 1}}) == "kind");
    CHECK(refused("POST", "faults", {{"target", "stepik"}, {"kind", "drop"}, {"share", 1.5}}) == "share");
    CHECK(refused("POST", "students", {{"list", json::array({json{{"user", "x"}}})}}) == "list[0].user");
    const auto not_json = p.send("POST", "/control/pass", "{");
    CHECK(not_json.status == 400);
    CHECK(p.control("DELETE", "faults/7").status == 404);
    CHECK(p.control("GET", "nonsense").status == 404);
}

TEST_CASE("reset goes back to the start")
{
    playing p;
    const auto user = p.students(1)[0];
    p.control("POST", "pass", {{"user", user}, {"lesson", first_lesson}});
    p.boom("ppv/addbuyer", add);
    p.control("PUT", "settings", {{"gzip", true}});
    p.control("POST", "faults", {{"target", "stepik"}, {"kind", "drop"}, {"share", 0.5}});
    REQUIRE(p.control("POST", "reset", {{"seed", 5}}).status == 200);
    CHECK(buyers(p) == 0);
    CHECK(p.control("GET", "students").value["total"] == 0);
    CHECK(p.control("GET", "settings").value["gzip"] == false);
    CHECK(p.control("GET", "faults").value["faults"].empty());
    CHECK(p.control("GET", "passes").value["passes"].empty());
    CHECK(p.students(1)[0] == 900001001);
}

TEST_CASE("the page and its files come with their content types and a strict policy")
{
    playing p;
    for (const auto& [path, type] :
        std::vector<std::pair<std::string, std::string>>{{"/", "text/html"}, {"/page/page.css", "text/css"},
            {"/page/page.js", "text/javascript"}, {"/page/icon.svg", "image/svg+xml"},
            {"/page/player.css", "text/css"}, {"/page/player.js", "text/javascript"}})
    {
        INFO(path);
        const auto got = p.send("GET", path);
        CHECK(got.status == 200);
        CHECK_FALSE(got.body.empty());
        CHECK(got.headers.get("Content-Type")->starts_with(type));
        CHECK(got.headers.get("Content-Security-Policy")->starts_with("default-src 'self'"));
    }
    const auto page = p.send("GET", "/").body;
    CHECK(page.find("style=") == std::string::npos);
    CHECK(page.find("<script>") == std::string::npos);
    CHECK(page.find("https://") == std::string::npos);
    CHECK(p.control("GET", "counters").value["total"]["boomstream"] == 0);
}

TEST_CASE("the course's structure is there for the page")
{
    playing p;
    const auto got = p.control("GET", "courses/247644").value;
    CHECK(got["modules"].size() == 13);
    CHECK(got["modules"][0]["lessons"][0]["gradable"] == 0);
    CHECK(got["modules"][0]["lessons"][0]["media"] == "V1852228");
    CHECK(p.control("GET", "courses/1").status == 404);
    const auto courses = p.control("GET", "courses").value["courses"];
    REQUIRE(courses.size() == 1);
    CHECK(courses[0]["clients"] == json::array({"sandbox-client"}));
}

TEST_CASE("faults that are taken away say how often they bit")
{
    playing p;
    p.control(
        "POST", "faults", {{"target", "boomstream"}, {"kind", "failed_200"}, {"count", 1}, {"message", ""}});
    p.control("POST", "faults", {{"target", "stepik"}, {"kind", "status_500"}, {"share", 1.0}});
    // An empty message is none; a message of its own may hold anything.
    CHECK(p.boom("ppv/list", playing::json::object()).value == playing::json{{"Status", "Failed"}});
    p.send("GET", "/api/courses/247644");
    p.send("GET", "/api/courses/247644");
    const auto removed = p.control("DELETE", "faults").value["removed"];
    REQUIRE(removed.size() == 2);
    CHECK(removed[0]["kind"] == "failed_200");
    CHECK(removed[0]["hits"] == 1);
    CHECK(removed[1]["hits"] == 2);
    CHECK(p.control("GET", "faults").value["faults"].empty());
    p.control("POST", "faults",
        {{"target", "boomstream"}, {"kind", "failed_200"}, {"count", 1}, {"message", "say \"no\""}});
    CHECK(p.boom("ppv/list", playing::json::object()).value["Message"] == "say \"no\"");
}

TEST_CASE("a call above the limit uses up no fault")
{
    playing p;
    p.control("PUT", "settings", {{"boomstream_per_second", 1}});
    CHECK(p.boom("ppv/list", playing::json::object()).status == 200);
    p.control("POST", "faults", {{"target", "boomstream"}, {"kind", "status_500"}, {"count", 1}});
    CHECK(p.boom("ppv/list", playing::json::object()).status == 429);
    CHECK(p.control("GET", "faults").value["faults"].at(0)["left"] == 1);
}

TEST_CASE("a pass that is refused happens in no other course either")
{
    playing p;
    const auto user = p.students(1).at(0);
    p.control("POST", "courses",
        {{"course", 300001}, {"client_id", "c2"}, {"client_secret", "s2"}, {"boomstream_api_key", "k2"},
            {"same_lessons", true}});
    CHECK(p.control("POST", "pass", {{"course", 300001}, {"user", user}, {"lesson", first_lesson}}).status ==
          404);
    CHECK(p.control("POST", "pass", {{"course", 300001}, {"user", user}, {"step", 7690194}}).status == 404);
    CHECK(p.control("GET", "progress").value["students"].at(0)["lessons"].empty());
}

TEST_CASE("an application's credentials are decoded as a form's")
{
    playing p;
    p.control("POST", "courses",
        {{"course", 300001}, {"client_id", "c&2"}, {"client_secret", "a+b/c="},
            {"boomstream_api_key", "k2"}});
    const auto basic =
        "Basic " + base::to_base64(base::percent_encode("c&2") + ":" + base::percent_encode("a+b/c="));
    CHECK(p.send("POST", "/oauth2/token/", "grant_type=client_credentials", {{"Authorization", basic}})
              .status == 200);
}

TEST_CASE("a body may come slowly")
{
    playing p;
    const auto at_once = p.get("/api/courses/247644");
    REQUIRE(at_once.status == 200);
    p.control("PUT", "settings", {{"bytes_per_second", static_cast<int>(at_once.body.size()) * 4}});
    const auto begin = std::chrono::steady_clock::now();
    const auto slow = p.get("/api/courses/247644");
    CHECK(std::chrono::steady_clock::now() - begin >= std::chrono::milliseconds(200));
    CHECK(slow.value["courses"].size() == 1);
    CHECK(slow.body.size() == at_once.body.size());
}

TEST_CASE("a list may show every buyer twice")
{
    playing p;
    p.control("PUT", "settings", {{"repeat_listed_buyers", true}});
    p.boom("ppv/addbuyer", {{"code", "SBXGROUP"}, {"media", "V" + std::to_string(twelve_steps)},
                               {"email", "a@example.org"}, {"hash", "123456789"}});
    const auto items = p.boom("ppv/listbuyers", {{"code", "SBXGROUP"}}).value["Items"];
    REQUIRE(items.size() == 2);
    CHECK(items[0] == items[1]);
}
