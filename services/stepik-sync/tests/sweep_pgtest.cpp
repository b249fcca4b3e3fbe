// Sweeps from the leader's tick to rows and events, with the broker played by hand.
#include "world.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include <future>

using namespace coursegate;
using namespace coursegate::stepik_sync;
using namespace std::chrono_literals;

namespace {

constexpr std::int64_t ann = 900000101;
constexpr std::int64_t ben = 900000102;

std::vector<std::pair<std::int64_t, std::int64_t>> pairs_of(const std::vector<nlohmann::json>& passes)
{
    std::vector<std::pair<std::int64_t, std::int64_t>> out;
    for (const auto& p : passes)
        out.emplace_back(p["stepik_user_id"], p["lesson_id"]);
    return out;
}

using pairs = std::vector<std::pair<std::int64_t, std::int64_t>>;

} // namespace

TEST_CASE_METHOD(world, "the first sweep stores every student and finds old passes as backfill")
{
    stub.add_student(ann);
    stub.add_student(ben);
    stub.students.push_back({900000001, nlohmann::ordered_json::object(), "", true});
    stub.honours_is_teacher = false;
    stub.pass_lesson(ann, 20);
    first_contact();

    CHECK(value("select count(*) from enrolments") == "2"); // the teacher is none
    CHECK(value("select bool_and(in_first_sweep) from enrolments") == "t");
    CHECK(value("select count(*) from lesson_progress") == "6"); // the theory lesson has no results
    CHECK(value("select count(*) from lesson_progress where passed") == "1");
    CHECK(value("select missing_steps from lesson_progress where stepik_user_id = 900000102 and lesson_id = "
                "21") == "{210,211,212}");
    CHECK(value("select outcome || ' ' || is_first || ' ' || rows_read || ' ' || passes from sweeps") ==
          "good true 2 1");

    const auto enrolled = take_events({"student_enrolled"});
    CHECK(enrolled.size() == 2);
    CHECK(enrolled.at(0).data["date_joined"] == "2025-07-01T09:00:00.000000Z");
    const auto found = passes();
    REQUIRE(pairs_of(found) == pairs{{ann, 20}});
    CHECK(found[0]["backfill"] == true);
    CHECK_FALSE(found[0].contains("passed_after"));
    CHECK(found[0]["passed_before"] < found[0]["seen_at"]); // cut by the student's last activity
    CHECK(value("select ok from v_course_health") == "t");
    CHECK(value("select students || ' ' || pages_done || ' ' || pages_expected from v_course_health") ==
          "2 1 1");
}

TEST_CASE_METHOD(world, "a sweep that finds nothing new writes one time and sends nothing")
{
    for (int i = 0; i < 5; ++i)
        stub.add_student(ann + i);
    first_contact();
    take_events();
    const auto read_before = value("select max(last_read_at) from enrolments");
    const auto lessons_before =
        value("select md5(string_agg(p::text, ',' order by p::text)) from lesson_progress p");

    sweep();
    CHECK(take_events().empty());
    CHECK(value("select count(*) from enrolments where last_read_at > '" + read_before + "'") == "5");
    CHECK(value("select md5(string_agg(p::text, ',' order by p::text)) from lesson_progress p") ==
          lessons_before);
    CHECK(value("select string_agg(rows_read || '/' || rows_changed, ' ' order by started_at) from sweeps") ==
          "5/5 5/0");
}

TEST_CASE_METHOD(world, "a pass is told once, with the interval it happened in")
{
    stub.add_student(ann);
    first_contact();
    take_events();
    const auto read_before =
        value("select to_char(last_read_at at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"') "
              "from enrolments");
    stub.pass(ann, 101);
    sweep();
    CHECK(passes().empty()); // one of two tasks
    CHECK(
        value("select steps_passed || '/' || steps_total || ' ' || missing_steps::text from lesson_progress "
              "where lesson_id = 10") == "1/2 {102}");
    const auto read_between = value("select to_char(last_read_at at time zone 'UTC', "
                                    "'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"') from enrolments");
    stub.pass(ann, 102);
    stub.find(ann).last_viewed =
        "2026-01-02T10:00:00Z"; // earlier than the last reading: the grades were late
    sweep();
    const auto found = passes();
    REQUIRE(pairs_of(found) == pairs{{ann, 10}});
    CHECK(found[0]["backfill"] == false);
    CHECK(found[0]["passed_after"] == read_between);
    CHECK(found[0]["passed_before"] == found[0]["seen_at"]);
    CHECK(found[0]["passed_after"] > read_before);
    sweep();
    CHECK(passes().empty());
    CHECK(value("select passed from v_lesson_state where lesson_id = 10") == "t");
    CHECK(
        value("select count(*) from v_lesson_state where lesson_id <> 10 and (passed_before is not null)") ==
        "0");
}

TEST_CASE_METHOD(world, "a reviewed step that is passed with score 0.0 is passed")
{
    stub.add_student(ann);
    first_contact();
    take_events();
    auto& r = stub.find(ann).results["20-1"];
    r["is_passed"] = true;
    r["score"] = 0.0;
    r["is_review_started"] = true;
    sweep();
    CHECK(pairs_of(passes()) == pairs{{ann, 20}});
}

TEST_CASE_METHOD(world, "a step inserted into a passed lesson never locks it again")
{
    stub.add_student(ann);
    stub.pass_lesson(ann, 20);
    first_contact();
    take_events();
    // Position 1 is the new step's; the old one moves to position 2.
    auto old = stub.find(ann).results["20-1"];
    stub.find(ann).results["20-1"] = {{"step_id", 299}, {"is_passed", false}, {"score", 0}};
    stub.find(ann).results["20-2"] = old;
    sweep();
    CHECK(take_events({"lesson_passed"}).empty());
    CHECK(
        value("select passed || ' ' || steps_passed || '/' || steps_total || ' ' || missing_steps::text from "
              "v_lesson_state where lesson_id = 20") == "true 1/2 {299}");
}

TEST_CASE_METHOD(world, "a step that the structure knows and the row does not delays the pass by one sweep")
{
    stub.add_student(ann);
    stub.add_student(ben); // has a row, too, so that the sweep sees results
    first_contact();
    take_events();
    // The author inserts step 299 into lesson 20; the structure has it before the grades do.
    stub.modules[1].lessons[0].steps.push_back({299, "choice"});
    stub.update_date = "2026-02-02T00:00:00Z";
    sweep(); // notices the edit
    tick();  // schedules the structure
    deliver_work();
    CHECK(value("select gradable_steps from v_structure where lesson_id = 20") == "2");
    take_events();
    stub.pass(ann, 200); // passed as the row sees it
    sweep();
    CHECK(passes().empty());
    CHECK(value("select passed || ' ' || missing_steps::text from v_lesson_state where stepik_user_id = "
                "900000101 and "
                "lesson_id = 20") == "false {299}");
    sweep();
    const auto found = passes();
    REQUIRE(pairs_of(found) == pairs{{ann, 20}}); // a whole sweep went by without it: not waited for
    CHECK(found[0]["passed_before"] < found[0]["seen_at"]);

    // And its author hears of it.
    CHECK(problem_names() == "steps_without_grades");
    CHECK_THAT(
        value("select problems[1] from v_course_health"), Catch::Contains("lesson “Lesson 20”, step 2"));
    CHECK(value("select ok from v_course_health") == "t");
    stub.find(ann).results["20-2"] = {{"step_id", 299}, {"is_passed", false}, {"score", 0}};
    sweep();
    CHECK(problem_names().empty());
}

TEST_CASE_METHOD(world, "the same page handled twice at the same time tells each pass once")
{
    for (int i = 0; i < 20; ++i)
        stub.pass_lesson(stub.add_student(ann + i).id, 20);
    tick();
    deliver_work();
    take_events();
    auto* two = add_instance("two");
    sql("update courses set sweep_due_at = now()");
    tick();
    const auto due = take_events({"sweep_page_due"});
    REQUIRE(due.size() == 1);
    // Both got as far as Stepik's answer before either saved: as after a broken connection to the broker.
    const auto event = events::unwrap<events::sweep_page_due>(due[0].envelope).value();
    const auto claim = run([&]() { return one->sweeps.claim(event, due[0].envelope.id); });
    REQUIRE(claim);
    application app;
    app.course_id = stub_stepik::course_id;
    app.client_id = "client";
    app.client_secret = base::secret("secret");
    const auto answer = run([&]() { return one->stepik.grades_page(app, 1); });
    REQUIRE(answer.has_value());
    rows_to_save rows;
    rows.course_id = app.course_id;
    rows.rows = &answer->page.rows;
    rows.read_at = claim->database_time(answer->last_byte_at);
    rows.first_sweep = true;
    rows.read_results = parse_results;
    int done = 0;
    int told = 0;
    const auto save = [&](instance* where) -> async::task<void> {
        const auto saved = co_await where->sweeps.save(*claim, true, 20, 0, rows);
        told += static_cast<int>(saved.rows.passes.size());
        ++done;
    };
    boost::asio::co_spawn(loop, save(one), boost::asio::detached);
    boost::asio::co_spawn(loop, save(two), boost::asio::detached);
    REQUIRE(run([&]() { return testkit::eventually_async(10s, [&] { return done == 2; }); }));
    CHECK(told == 20);
    CHECK(passes().size() == 20);
    CHECK(take_events({"student_enrolled"}).size() == 20);
    CHECK(value("select rows_read || ' ' || pages_done || ' ' || outcome from sweeps") == "20 1 good");
}

TEST_CASE_METHOD(world, "no page is asked for twice, however often its message comes")
{
    stub.add_student(ann);
    tick();
    deliver_work();
    sql("update courses set sweep_due_at = now()");
    tick();
    const auto due = take_events({"sweep_page_due"});
    REQUIRE(due.size() == 1);
    const int before = stub.grade_calls();
    auto copy = due[0].envelope;
    copy.id = base::new_uuid(); // scheduled again by a leader that thought it lost
    auto* two = add_instance("two");
    stub.during_grades = [&]() -> async::task<void> {
        const auto verdict = co_await two->deliver(copy); // while the first one is at it
        CHECK(verdict.what() == events::verdict::kind::ack);
    };
    run([&]() { return one->deliver(due[0].envelope); });
    stub.during_grades = nullptr;
    run([&]() { return one->deliver(due[0].envelope); });
    run([&]() { return two->deliver(copy); });
    CHECK(stub.grade_calls() == before + 1);
}

TEST_CASE_METHOD(world, "after a crash the message of the page may claim it again")
{
    stub.add_student(ann);
    tick();
    deliver_work();
    sql("update courses set sweep_due_at = now()");
    tick();
    const auto due = take_events({"sweep_page_due"});
    REQUIRE(due.size() == 1);
    const auto event = events::unwrap<events::sweep_page_due>(due[0].envelope).value();
    REQUIRE(run([&]() { return one->sweeps.claim(event, due[0].envelope.id); })); // and then it was killed
    auto* two = add_instance("two");
    run([&]() { return two->deliver(due[0].envelope); });
    CHECK(value("select outcome from sweeps") == "good");
}

TEST_CASE_METHOD(world, "pages are expected, chained when there are more, and dropped when there are fewer")
{
    stub.page_size = 2;
    for (int i = 0; i < 6; ++i)
        stub.add_student(ann + i);
    first_contact();
    CHECK(value("select last_page || ' ' || page_rows from courses") == "3 2");
    CHECK(value("select count(*) from enrolments") == "6");

    SECTION("the next sweep schedules all at once and asks exactly for them")
    {
        const int before = stub.grade_calls();
        sql("update courses set sweep_due_at = now()");
        tick();
        CHECK(take_events({"sweep_page_due"}).size() == 3);
        sql("update sweep_pages set retry_at = now()"); // as if they had been lost
        tick();
        deliver_work();
        CHECK(stub.grade_calls() == before + 3);
        CHECK(value("select count(*) from sweeps where outcome = 'good'") == "2");
    }
    SECTION("more students")
    {
        for (int i = 6; i < 11; ++i)
            stub.add_student(ann + i);
        sweep();
        CHECK(value("select count(*) from enrolments") == "11");
        CHECK(value("select last_page from courses") == "6");
    }
    SECTION("fewer students")
    {
        stub.students.resize(2);
        sweep();
        CHECK(value("select last_page from courses") == "1");
        CHECK(value("select count(*) from sweeps where outcome = 'good'") == "2");
        CHECK(value("select count(*) from enrolments") == "6"); // nobody is forgotten
    }
    SECTION("nobody at all")
    {
        stub.students.clear();
        sweep();
        CHECK(value("select last_page || ' ' || students from courses") == "1 0");
    }
}

TEST_CASE_METHOD(world, "a full sweep of a thousand students costs at most 52 calls")
{
    stub.modules = {{1, {{10, {{101, "choice"}}, false}}}};
    for (int i = 0; i < 1000; ++i)
        stub.add_student(ann + i);
    tick();
    deliver_work(); // the structure, which is read once an hour, is not part of it
    stub.calls.clear();
    stub.revoke_tokens();
    const auto before = stub.tokens_given.size();
    sweep();
    CHECK(value("select count(*) from enrolments") == "1000");
    // The revoked token cost one refused call, which a real sweep does not have.
    CHECK(stub.tokens_given.size() - before == 1);
    CHECK(stub.total_calls() - 1 <= 52);
    stub.calls.clear();
    sweep();
    CHECK(stub.total_calls() == 51);
}

TEST_CASE_METHOD(
    world, "a malformed row is left out and reported, and its student is up to date again when it is not")
{
    stub.add_student(ann);
    stub.add_student(ben);
    first_contact();
    take_events();
    stub.pass_lesson(ben, 20);
    stub.find(ann).results["20-1"]["step_id"] = "broken";
    stub.find(ann).results["20-1"]["is_passed"] = true;
    stub.pass(ann, 101);
    stub.pass(ann, 102);
    sweep();
    // What can be understood counts: Ann's lesson 10 is passed, her lesson 20 is not.
    CHECK(pairs_of(passes()) == pairs{{ann, 10}, {ben, 20}});
    CHECK(problem_names() == "rows_skipped");
    sweep();
    CHECK(problem_names() == "rows_skipped"); // still there, still told
    stub.find(ann).results["20-1"]["step_id"] = 200;
    sweep();
    CHECK(pairs_of(passes()) == pairs{{ann, 20}});
    CHECK(problem_names().empty());
}

TEST_CASE_METHOD(world, "an older reading that comes late takes nothing back")
{
    stub.add_student(ann);
    first_contact();
    take_events();
    // The sweep's page is answered, then a newer reading of the student is saved, then the page.
    stub.pass(ann, 101);
    stub.during_grades = [this]() -> async::task<void> {
        stub.during_grades = nullptr;
        stub.pass(ann, 102);
        events::sync_requested e;
        e.request_id = base::new_uuid();
        e.course_id = stub_stepik::course_id;
        e.stepik_user_id = ann;
        e.requested_by = "test";
        const auto envelope = events::wrap("test", e);
        co_await one->deliver(envelope);
        // What the page says was read before; only its last byte comes later. Stale answers look the same.
    };
    sweep();
    CHECK(value("select passed from lesson_progress where lesson_id = 10") == "t");
    CHECK(pairs_of(passes()) == pairs{{ann, 10}});
    sweep();
    CHECK(passes().empty());
    CHECK(value("select steps_passed from lesson_progress where lesson_id = 10") == "2");
}

TEST_CASE_METHOD(world, "of two readings of a new student at once the newer one stands, whoever comes last")
{
    stub.add_student(ann);
    tick();
    deliver_work();
    application app;
    app.course_id = stub_stepik::course_id;
    app.client_id = "client";
    app.client_secret = base::secret("secret");
    const auto older = run([&]() { return one->stepik.grades_page(app, 1); });
    stub.pass(ann, 101);
    const auto newer = run([&]() { return one->stepik.grades_page(app, 1); });
    const auto save = [&](const grades_answer& answer, base::time_point at, results_reader reader) {
        rows_to_save rows;
        rows.course_id = app.course_id;
        rows.rows = &answer.page.rows;
        rows.read_at = at;
        rows.read_results = std::move(reader);
        return one->pool.transact([rows](db::transaction& tx) { return save_rows(tx, rows); });
    };
    const auto now = base::now();
    // The older one has found no row of hers, and stands still until the newer one is stored.
    std::promise<void> is_stored;
    auto stored = is_stored.get_future().share();
    std::atomic<bool> stands_still{false};
    bool is_done = false;
    const auto late = [&]() -> async::task<void> {
        const results_reader slow = [&](std::string_view raw) {
            stands_still = true;
            stored.wait();
            return parse_results(raw);
        };
        co_await save(*older, now - 1s, slow);
        is_done = true;
    };
    boost::asio::co_spawn(loop, late, boost::asio::detached);
    CHECK(run([&]() { return testkit::eventually_async(10s, [&] { return stands_still.load(); }); }));
    run([&]() { return save(*newer, now, parse_results); });
    is_stored.set_value();
    CHECK(run([&]() { return testkit::eventually_async(10s, [&] { return is_done; }); }));
    CHECK(value("select steps_passed from lesson_progress where lesson_id = 10") == "1");
}

TEST_CASE_METHOD(world, "a page that is missing once in the middle ends no sweep")
{
    stub.page_size = 1;
    for (int i = 0; i < 3; ++i)
        stub.pass_lesson(stub.add_student(ann + i).id, 20);
    stub.during_grades = [this]() -> async::task<void> {
        stub.during_grades = nullptr; // page 1 is answered as it should be, page 2 is not
        stub.instead["/api/course-grades"] = {stub_stepik::status(404, "Invalid page.")};
        co_return;
    };
    first_contact();
    CHECK(value("select first_sweep_done_at from courses").empty());
    CHECK(value("select failures from sweep_pages where page = 2") == "1");
    sql("update sweep_pages set retry_at = now() where retry_at is not null");
    tick();
    deliver_work();
    CHECK(value("select last_page || ' ' || students from courses") == "3 3");
    const auto found = passes();
    CHECK(found.size() == 3);
    for (const auto& p : found)
        CHECK(p["backfill"] == true);
}

TEST_CASE_METHOD(world, "a page beyond the end that is read before the last one waits for it")
{
    stub.page_size = 1;
    for (int i = 0; i < 3; ++i)
        stub.add_student(ann + i);
    first_contact();
    stub.students.resize(1);
    sql("update courses set sweep_due_at = now()");
    tick();
    const auto due = take_events({"sweep_page_due"});
    REQUIRE(due.size() == 3);
    for (const int page : {2, 1, 0}) // the first one last
        run([&]() { return one->deliver(due[static_cast<std::size_t>(page)].envelope); });
    CHECK(value("select count(*) from sweeps where outcome = 'good'") == "2");
    CHECK(value("select sum(failures) from sweep_pages") == "0");
    CHECK(value("select last_page from courses") == "1");
}

TEST_CASE_METHOD(world, "a quarter of an hour of quiet keeps no message waiting and fails no page")
{
    stub.page_size = 1;
    for (int i = 0; i < 20; ++i)
        stub.add_student(ann + i);
    first_contact();
    run([&]() { return one->budget.pause(15min); });
    const auto begin = std::chrono::steady_clock::now();
    const int before = stub.total_calls();
    sweep();
    CHECK(std::chrono::steady_clock::now() - begin < 10s);
    CHECK(stub.total_calls() == before);
    CHECK(value("select count(*) from sweep_pages p join api_budget b on p.retry_at = b.paused_until "
                "where p.failures = 0 and p.claimed_by is null") == "20");
    sql("update sweeps set last_progress_at = now() - interval '10 minutes'");
    tick();
    CHECK(take_events({"sweep_page_due"}).empty()); // nothing is lost: it rests
    CHECK(value("select sum(failures) from sweep_pages") == "0");
    sql("update api_budget set paused_until = now(); update sweep_pages set retry_at = now()");
    tick();
    deliver_work();
    CHECK(value("select count(*) from sweeps where outcome = 'good'") == "2");
}

TEST_CASE_METHOD(world, "pages that fail rest and come again; a sweep of failures ends as failed")
{
    stub.add_student(ann);
    first_contact();
    SECTION("a page fails once")
    {
        for (int i = 0; i < 3; ++i)
            stub.instead["/api/course-grades"].push_back(http::response::html(502, "bad gateway"));
        sweep();
        CHECK(value("select count(*) from sweeps where finished_at is null") == "1");
        CHECK(value("select failures || ' ' || (retry_at > now()) from sweep_pages p join sweeps s using "
                    "(sweep_id) "
                    "where s.finished_at is null") == "1 true");
        CHECK(value("select failed_calls from course_health") == "1");
        CHECK(problem_names().empty()); // one failure is no news
        sql("update sweep_pages set retry_at = now()");
        tick();
        deliver_work();
        CHECK(value("select count(*) from sweeps where outcome = 'good'") == "2");
        CHECK(value("select failed_calls from course_health") == "0");
    }
    SECTION("it fails for good")
    {
        sql("update courses set sweep_due_at = now()");
        tick();
        sql("update sweep_pages set failures = 6");
        for (int i = 0; i < 3; ++i)
            stub.instead["/api/course-grades"].push_back(http::response::html(502, "bad gateway"));
        deliver_work();
        CHECK(value("select outcome from sweeps order by started_at desc limit 1") == "failed");
        CHECK(value("select last_sweep_good from courses") == "f");
        // The next one probes with a single page and recovers.
        sweep();
        CHECK(value("select outcome from sweeps order by started_at desc limit 1") == "good");
        CHECK(value("select last_sweep_good from courses") == "t");
    }
}

TEST_CASE_METHOD(world, "a 429 pauses everybody, then the sweep goes on")
{
    stub.add_student(ann);
    first_contact();
    stub.instead["/api/course-grades"] = {stub_stepik::throttled(1)};
    const auto begin = std::chrono::steady_clock::now();
    sweep();
    CHECK(std::chrono::steady_clock::now() - begin >= 950ms);
    CHECK(value("select count(*) from sweeps where outcome = 'good'") == "2");
    CHECK(value("select paused_until > now() - interval '30 seconds' from api_budget") == "t");
}

TEST_CASE_METHOD(world, "a paused course is left alone, its running sweep ends")
{
    stub.add_student(ann);
    first_contact();
    sql("update courses set sweep_due_at = now()");
    tick();
    connect("secret", "paused");
    const int before = stub.total_calls();
    deliver_work();
    CHECK(stub.total_calls() == before);
    CHECK(value("select outcome from sweeps order by started_at desc limit 1") == "abandoned");
    sql("update courses set sweep_due_at = now(), structure_due_at = now()");
    tick();
    CHECK(take_events({"sweep_page_due", "structure_sync_due"}).empty());
    run([&]() { return one->watch.judge_all(); });
    CHECK(problem_names() == "paused");
}
