#include "classroom.hpp"

using namespace coursegate;
using namespace coursegate::web_gateway::tests;

namespace {

// Anna's grants of 502 and 504 failed, one is tried again by itself.
struct failing : classroom
{
    failing()
    {
        grant(502, "failed");
        grant(504, "failed");
        g.sql("UPDATE fixture.v_grants SET provider_reason = 'user <not> found', changed_at = now();"
              "UPDATE fixture.v_grants SET next_try_at = now() + interval '5 minutes' WHERE lesson_id = 502;"
              "INSERT INTO fixture.v_audits VALUES (gen_random_uuid(), 5, true, 'done', 3, 1, 2, 0, now(), "
              "now(), '[]')");
    }

    // Signs Anna in with one more role.
    void as(const std::string& role)
    {
        REQUIRE(g.call("PUT", "/v1/users/" + anna + "/roles", R"({"role": ")" + role + "\"}").status == 200);
        sign_in();
    }

    static std::string cause(const std::string& course, const std::string& waits)
    {
        return "/admin/trouble/failures?course=" + course + "&for=" + waits +
               "&reason=user%20%3Cnot%3E%20found";
    }
};

} // namespace

TEST_CASE("what failed is grouped by cause, with the people it keeps waiting")
{
    failing c;
    c.as("support");
    const auto page = c.b.get("/admin/trouble");
    CHECK(page.status == 200);
    CHECK(page.says("user &lt;not&gt; found"));
    CHECK_FALSE(page.says("<not>"));
    CHECK(page.says("1 video, 1 person waits"));
    CHECK(page.says("waits for a person"));
    CHECK(page.says("is tried again"));
    CHECK(page.says("Missing at Boomstream: 3; there without a reason: 1; ending too early: 2."));
    CHECK(page.says("Stepik and Boomstream answer."));
    CHECK_FALSE(page.says("/admin/trouble/audits")); // support looks and does not change
    const auto people = c.b.get(failing::cause("5", "person"));
    CHECK(people.says("anna@example.org"));
    CHECK(people.says("Tasks")); // the lesson
    CHECK_FALSE(people.says("Loops"));
    CHECK_FALSE(people.says("Try all of them again"));
    CHECK(c.b.get("/admin/trouble/failures?course=5&for=nobody").status == 400);

    c.g.sql("UPDATE fixture.v_course_health SET ok = false, problems = '{The token is refused.}';"
            "INSERT INTO fixture.v_course_health (course_id, ok, problems) SELECT 5, false, '{The token is "
            "refused.}'"
            " WHERE NOT EXISTS (SELECT 1 FROM fixture.v_course_health);"
            "UPDATE fixture.v_provider_health SET ok = false, problem = 'The key is refused.'");
    const auto bad = c.b.get("/admin/trouble");
    CHECK(bad.says("Stepik: The token is refused."));
    CHECK(bad.says("Boomstream: The key is refused."));
}

TEST_CASE("all of a cause are ordered again with a reason, by those who may")
{
    failing c;
    c.as("ops");
    const auto csrf = c.b.csrf();
    const fields form{{"csrf", csrf}, {"course", "5"}, {"for", "person"}, {"cause", "user <not> found"}};
    // The lesson failed in a second subscription, too: it is ordered once.
    c.g.sql("INSERT INTO fixture.v_grants (grant_id, user_id, course_id, lesson_id, subscription_code, "
            "state, cause,"
            " lane, attempts, provider_reason, changed_at) SELECT gen_random_uuid(), user_id, course_id, "
            "lesson_id,"
            " 'other', state, cause, lane, attempts, provider_reason, changed_at FROM fixture.v_grants"
            " WHERE lesson_id = 504");
    auto with_reason = form;
    with_reason.emplace_back("reason", "the account is there now");
    const auto before = c.g.everything();
    const auto without = c.b.post("/admin/trouble/failures", form);
    CHECK(without.status == 400);
    CHECK(without.says("Why: this is needed."));
    auto of_blanks = form;
    of_blanks.emplace_back("reason", "  ");
    CHECK(c.b.post("/admin/trouble/failures", of_blanks).says("Why: this is not written as it should be."));
    auto of_nobody = with_reason;
    of_nobody[1].second = "77"; // no such course
    c.b.post("/admin/trouble/failures", of_nobody);
    CHECK(c.g.everything() == before);

    const auto done = c.b.post("/admin/trouble/failures", with_reason);
    CHECK(done.header("Location") == "/admin/trouble?done=retried");
    CHECK(c.b.get("/admin/trouble?done=retried").says("Ordered again."));
    CHECK(c.g.events("grant_requested") == 1);
    const auto event = c.g.last_event("grant_requested");
    CHECK(event.at("/data/lesson_id") == "504");
    CHECK(event.at("/data/actor") == "user/" + c.anna);
    CHECK(c.g.last_audit().at("/why") == "the account is there now");

    const auto audit = c.b.post("/admin/trouble/audits",
        {{"csrf", csrf}, {"course", "5"}, {"what", "look"}, {"reason", "to be sure"}});
    CHECK(audit.header("Location") == "/admin/trouble?done=audit");
    CHECK(c.g.last_event("audit_requested").at("/data/dry_run") == "true");
    c.b.post("/admin/trouble/audits",
        {{"csrf", csrf}, {"course", "5"}, {"what", "repair"}, {"reason", "mend it"}});
    CHECK(c.g.last_event("audit_requested").at("/data/dry_run") == "false");
}

TEST_CASE("an author sees and mends the trouble of his own courses, and of no other")
{
    failing c;
    c.g.add_course(6);
    REQUIRE(
        c.g.call("PUT", "/v1/users/" + c.anna + "/roles", R"({"role": "author", "course_id": 6})").status ==
        200);
    c.sign_in();
    const auto csrf = c.b.csrf();
    const auto page = c.b.get("/admin/trouble");
    CHECK(page.says("Nothing has failed."));
    CHECK_FALSE(page.says("user &lt;not&gt; found"));
    CHECK_FALSE(page.says("put aside")); // messages belong to no course
    CHECK(page.says("id=\"course-6\""));
    CHECK_FALSE(page.says("id=\"course-5\""));
    CHECK(c.b.get(failing::cause("5", "person")).status == 404);
    CHECK(c.b.get("/admin/trouble/parked/boomstream-grant.passes").status == 404);
    const auto before = c.g.everything();
    CHECK(c.b.post("/admin/trouble/failures", {{"csrf", csrf}, {"course", "5"}, {"for", "person"},
                                                  {"cause", "user <not> found"}, {"reason", "mine"}})
              .status == 404);
    CHECK(c.b.post("/admin/trouble/audits",
                 {{"csrf", csrf}, {"course", "5"}, {"what", "look"}, {"reason", "mine"}})
              .status == 404);
    CHECK(c.b.post("/admin/trouble/parked/boomstream-grant.passes", {{"csrf", csrf}, {"reason", "mine"}})
              .status == 404);
    CHECK(c.g.everything() == before);
}
