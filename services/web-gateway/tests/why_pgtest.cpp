#include "running_gateway.hpp"

using namespace coursegate;
using namespace coursegate::web_gateway;
using namespace coursegate::web_gateway::tests;

namespace {

// Course 5 with a video on lesson 501, and Anna who solved one task of three.
struct school
{
    running_gateway g;
    std::string anna;

    school()
    {
        g.add_course();
        anna = g.add_user("anna@example.org", 900);
        const std::string body =
            R"({"parts": [{"part": 1, "boom_media": "AAAAAAAA", "subscription_code": "SBX1"}]})";
        REQUIRE(g.call("PUT", "/v1/courses/5/lessons/501/media", body).status == 200);
        g.sql("INSERT INTO fixture.v_enrolments VALUES (5, 900, '2026-01-01', '2026-01-05', '2026-01-06', "
              "'2026-01-01', true);"
              "INSERT INTO fixture.v_lesson_state VALUES (5, 900, 501, false, 1, 3, '{7001,7002}', NULL, "
              "NULL, NULL, false);"
              "INSERT INTO fixture.v_steps VALUES (5, 501, 7000, 1, false), (5, 501, 7002, 2, true),"
              " (5, 501, 7001, 4, true), (6, 501, 7001, 9, true);"
              "INSERT INTO fixture.v_provider_health VALUES (5, true, NULL, now(), 'closed', 5, 0, 0);");
    }

    reply why(const std::string& query)
    {
        auto answer = g.call("GET", "/v1/why?" + query);
        REQUIRE(answer.status == 200);
        return answer;
    }

    void grant(
        const std::string& state, const std::string& more_columns = "", const std::string& more_values = "")
    {
        g.sql("DELETE FROM fixture.v_grants; INSERT INTO fixture.v_grants (grant_id, user_id, course_id, "
              "lesson_id,"
              " subscription_code, boom_media, state, cause, lane, attempts, wanted_at, asked_at" +
              more_columns + ") VALUES (gen_random_uuid(), '" + anna + "', 5, 501, 'SBX1', 'AAAAAAAA', '" +
              state + "', 'on_pass', 'fresh', 2, '2026-01-07', '2026-01-07 00:00:01'" + more_values + ")");
    }
};

} // namespace

TEST_CASE("the trail says the rule, the missing steps, when Stepik was read, and what to do")
{
    school s;
    const auto w = s.why("user=ANNA@example.org&lesson=501&lang=en");
    CHECK(w.at("/open") == "false");
    CHECK(w.at("/stage") == "steps_missing");
    CHECK(w.at("/user/user_id") == s.anna);
    CHECK(w.at("/course/course_id") == "5"); // the only one with this lesson
    CHECK(w.at("/lesson/title") == "Hello");
    CHECK(w.at("/lesson/module_title") == "Basics");
    document t;
    t.text = w.at("/trail");
    CHECK(t.at("/rule") == R"({"rule":"on_pass","scope":"default","scope_id":null})");
    CHECK(t.at("/progress/enrolled") == "true");
    CHECK(t.at("/progress/steps_passed") == "1");
    CHECK(t.at("/progress/steps_total") == "3");
    REQUIRE(t.size("/progress/missing_steps") == 2);
    CHECK(t.at("/progress/missing_steps/0/step_id") == "7002"); // in the order of the lesson
    CHECK(t.at("/progress/missing_steps/0/position") == "2");
    CHECK(t.at("/progress/missing_steps/0/link") == "https://stepik.org/lesson/501/step/2");
    CHECK(t.at("/progress/missing_steps/1/step_id") == "7001");
    CHECK(t.at("/progress/missing_steps/1/position") == "4");
    CHECK(t.at("/stepik/last_read_at") == "2026-01-06T00:00:00.000000Z");
    CHECK(t.at("/stepik/last_viewed") == "2026-01-05T00:00:00.000000Z");
    CHECK(t.at("/media/0/subscription_code") == "SBX1");
    CHECK(t.size("/grants") == 0);
    CHECK(
        w.at("/student/sentence") == "The video opens when all tasks of “Hello” are solved: 1 of 3 so far.");
    CHECK(w.at("/student/action") == "Solve step 2 of this lesson on Stepik.");
    CHECK(w.at("/student/link") == "https://stepik.org/lesson/501/step/2");
    CHECK(w.size("/ops/queues") == 2);
}

TEST_CASE("a missing step that has left the lesson has no place to be sent to")
{
    school s;
    s.g.sql("DELETE FROM fixture.v_steps WHERE course_id = 5 AND step_id <> 7000");
    const auto w = s.why("user=" + s.anna + "&lesson=501&lang=en");
    CHECK(w.at("/trail/progress/missing_steps/0/position") == "null");
    CHECK(w.at("/trail/progress/missing_steps/0/link") == "https://stepik.org/lesson/501");
    CHECK(w.at("/student/link") == "https://stepik.org/lesson/501");
}

TEST_CASE("the trail follows a grant through its states")
{
    school s;
    const auto why = [&] { return s.why("user=" + s.anna + "&course=5&lesson=501&lang=en"); };
    s.g.sql("UPDATE fixture.v_lesson_state SET passed = true, steps_passed = 3, missing_steps = '{}',"
            " passed_after = '2026-01-06', passed_before = '2026-01-07', seen_at = '2026-01-07'");
    CHECK(why().at("/stage") == "being_decided");
    s.grant("wanted");
    CHECK(why().at("/stage") == "wanted");
    s.g.sql("UPDATE fixture.v_provider_health SET ok = false, problem = 'The key is not accepted.'");
    CHECK(why().at("/student/sentence").find("does not answer") != std::string::npos);
    CHECK(why().at("/ops/provider_problems/0") == "The key is not accepted.");
    s.grant("asked");
    CHECK(why().at("/stage") == "asked");
    CHECK(why().at("/trail/grants/0/asked_at") == "2026-01-07T00:00:01.000000Z");
    s.grant("failed", ", provider_reason, next_try_at", ", 'Buyer limit reached', now() + interval '90 s'");
    auto w = why();
    CHECK(w.at("/stage") == "retrying");
    CHECK(w.at("/trail/grants/0/provider_reason") == "Buyer limit reached");
    CHECK(w.at("/trail/grants/0/next_try_at") != "null");
    CHECK(w.at("/student/sentence").find("in 2 min") != std::string::npos);
    s.grant("failed", ", provider_reason", ", 'No such subscription'");
    CHECK(why().at("/stage") == "needs_author");
    s.grant("confirmed", ", confirmed_at", ", '2026-01-07 00:00:02'");
    w = why();
    CHECK(w.at("/stage") == "open");
    CHECK(w.at("/open") == "true");
    s.grant("revoked", ", revoked_by, revoke_reason, revoked_at", ", 'olga', 'refund', now()");
    w = why();
    CHECK(w.at("/stage") == "revoked");
    CHECK(w.at("/student/sentence") == "Access to the video of “Hello” was closed by olga: refund");
}

TEST_CASE("what boomstream-grant decided and what was sent is in the trail")
{
    school s;
    s.g.sql("INSERT INTO fixture.v_lesson_decision VALUES ('" + s.anna +
            "', 5, 501, false, 'not_passed', 'Opens when …', now())");
    s.g.sql("INSERT INTO accounts.feed (event_id, event, type, course_id, lesson_id, stepik_user_id, "
            "user_id) VALUES"
            " ('018f3c6e-0000-7000-8000-000000000001', '{}', 'student_enrolled', 5, NULL, 900, NULL),"
            " ('018f3c6e-0000-7000-8000-000000000002', '{}', 'lesson_passed', 5, 502, 900, NULL),"
            " ('018f3c6e-0000-7000-8000-000000000003', '{}', 'lesson_passed', 5, 501, 901, NULL),"
            " ('018f3c6e-0000-7000-8000-000000000004', '{}', 'account_linked', NULL, NULL, NULL, '" +
            s.anna + "')");
    const auto w = s.why("user=" + s.anna + "&lesson=501");
    CHECK(w.at("/trail/decision/reason") == "not_passed");
    REQUIRE(w.size("/ops/events") == 2); // not of another lesson, not of another student
    CHECK(w.at("/ops/events/0/type") == "account_linked");
    CHECK(w.at("/ops/events/1/event_id") == "018f3c6e-0000-7000-8000-000000000001");
}

TEST_CASE("a student without an account has a trail too")
{
    school s;
    s.g.sql("INSERT INTO fixture.v_enrolments VALUES (5, 901, '2026-01-01', NULL, now(), now(), true)");
    const auto w = s.why("stepik_user=901&lesson=501&lang=ru");
    CHECK(w.at("/stage") == "no_account");
    CHECK(w.at("/user/user_id") == "null");
    CHECK(w.at("/user/stepik_user_id") == "901");
    CHECK(w.at("/trail/progress/enrolled") == "true");
    // Whoever has an account is known by either id.
    CHECK(s.why("stepik_user=900&lesson=501").at("/user/email") == "anna@example.org");
}

TEST_CASE("what is wrong with the connection is told to ops and not blamed on the student")
{
    school s;
    s.g.sql("UPDATE fixture.v_course_health SET ok = false, problems = '{\"The Stepik secret is wrong.\"}'");
    const auto w = s.why("user=" + s.anna + "&lesson=501&lang=en");
    CHECK(w.at("/stage") == "stepik_unreadable");
    CHECK(w.at("/ops/course_problems/0") == "The Stepik secret is wrong.");
    CHECK(w.at("/student/sentence").find("can't be read") != std::string::npos);
}

TEST_CASE("the words come in the language that was asked for, else the caller's, else the student's")
{
    school s;
    const auto target = "/v1/why?lesson=501&user=" + s.anna;
    const auto language = [&](const std::string& more, const char* accept) {
        header_list headers;
        if (accept != nullptr)
            headers.emplace_back("Accept-Language", accept);
        return s.g.call("GET", target + more, "", headers).at("/student/language");
    };
    CHECK(language("", nullptr) == "ru");
    CHECK(language("", "de, uk;q=0.5") == "uk");
    CHECK(language("&lang=en", "uk") == "en");
    REQUIRE(s.g.call("PATCH", "/v1/users/" + s.anna, R"({"locale": "uk"})").status == 200);
    CHECK(language("", "de") == "uk");
}

TEST_CASE("a question that can't be answered is refused by name")
{
    school s;
    auto& g = s.g;
    const auto refusal = [&](const std::string& query) {
        return g.call("GET", "/v1/why?" + query).refusal();
    };
    const auto user = "user=" + s.anna;
    CHECK(refusal(user) == "400 missing_field lesson");
    CHECK(refusal("lesson=501") == "400 missing_field user");
    CHECK(refusal(user + "&stepik_user=900&lesson=501") == "400 invalid_value stepik_user");
    CHECK(refusal(user + "&lesson=0") == "400 invalid_value lesson");
    CHECK(refusal(user + "&lesson=501&lang=de") == "400 invalid_value lang");
    CHECK(refusal(user + "&lesson=999") == "404 lesson_not_found lesson");
    CHECK(refusal(user + "&lesson=999&course=5") == "404 lesson_not_found lesson");
    CHECK(refusal(user + "&lesson=501&course=6") == "404 course_not_found course");
    CHECK(refusal("user=nobody@example.org&lesson=501") == "404 user_not_found user");
    CHECK(refusal("user=anna&lesson=501") == "400 invalid_value user");
    CHECK(refusal(user + "&lesson=501&why=1") == "400 unknown_field why");

    g.add_course(6); // the same lessons in another course
    const auto both = g.call("GET", "/v1/why?lesson=501&" + user);
    CHECK(both.refusal() == "409 course_ambiguous course");
    CHECK(both.at("/message").find("5, 6") != std::string::npos);
    g.call("PUT", "/v1/courses/7", R"({"stepik_client_id": "a", "stepik_client_secret": "b"})");
    CHECK(refusal(user + "&lesson=501&course=7") == "409 structure_unknown course");
}
