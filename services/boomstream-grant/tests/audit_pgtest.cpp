// Audits: what Boomstream lists against what we believe.
#include "world.hpp"

using namespace coursegate;
using namespace coursegate::boomstream_grant;
using namespace coursegate::boomstream_grant::test;

namespace {

std::string audit_row(world& w, const base::uuid& id, const std::string& column)
{
    return w.one(
        "select " + column + " from access.v_audits where request_id = '" + base::to_string(id) + "'");
}

// Three students with an open lesson, in one subscription.
std::vector<base::uuid> open_course(world& w)
{
    w.add_course();
    w.add_lesson(11);
    w.attach(11, "MEDIA011", "SUB11");
    std::vector<base::uuid> users;
    for (int i = 0; i < 3; ++i) {
        users.push_back(w.add_user(101 + i, "11111111" + std::to_string(i)));
        w.write_pass(101 + i, 11);
    }
    w.sql("insert into access.dirty (user_id, lane) select id, 'fresh' from accounts.users");
    return users;
}

async::task<void> all_open(world& w)
{
    co_await w.until("open", [&w] { return w.outbox("grant_issued") == 3 && w.quiet(); });
}

// Boomstream loses one buyer, shortens another's access, uses up the third's activations, and has a stranger.
void spoil(world& w)
{
    w.stub.buyers["SUB11"].erase("111111110");
    w.stub.buyers["SUB11"]["111111111"].end = "2026-01-01 00:00:00";
    w.stub.buyers["SUB11"]["111111112"].recovery = "0";
    w.stub.buyers["SUB11"]["999999999"].email = "stranger@example.org";
}

} // namespace

TEST_CASE("a dry run reports every difference and changes nothing")
{
    world w;
    open_course(w);
    w.play([&]() -> async::task<void> {
        co_await all_open(w);
        spoil(w);
        const int before = w.stub.changes();
        const auto id = co_await w.audit(true, 100);
        co_await w.until("done", [&] { return audit_row(w, id, "state") == "done"; });
        CHECK(audit_row(w, id, "missing") == "1");
        CHECK(audit_row(w, id, "extra") == "1");
        CHECK(audit_row(w, id, "wrong_end") == "1");
        CHECK(audit_row(w, id, "repaired") == "0");
        CHECK(audit_row(w, id, "jsonb_array_length(findings)") == "4");
        const auto findings = audit_row(w, id, "findings");
        CHECK(findings.find("used_up") != std::string::npos);
        CHECK(findings.find("stranger@example.org") != std::string::npos);
        for (const auto* code : {"111111110", "111111111", "111111112", "999999999"})
            CHECK(findings.find(code) == std::string::npos);
        CHECK(w.stub.changes() == before);
        CHECK(w.outbox("audit_completed") == 1);
    });
    CHECK(w.stub.calls["listbuyers"] == 1);
}

TEST_CASE("an audit repairs what is ours, leaves strangers alone, and issues nothing twice")
{
    world w;
    const auto users = open_course(w);
    w.stub.shape = 1;
    w.play([&]() -> async::task<void> {
        co_await all_open(w);
        spoil(w);
        const auto id = co_await w.audit(false, 100);
        co_await w.until("done", [&] { return audit_row(w, id, "state") == "done"; });
        CHECK(audit_row(w, id, "repaired") == "2");
        for (const auto& u : users)
            CHECK(w.state(u, 11) == "confirmed"); // what is open stays open
        co_await w.until("repaired", [&] {
            return w.stub.has("SUB11", "111111110") &&
                   w.stub.buyers["SUB11"]["111111111"].end == "2100-12-12 23:59:59" && w.quiet();
        });
        CHECK(w.stub.has("SUB11", "999999999"));
        CHECK(w.outbox("grant_issued") == 3);
        CHECK(w.number("select count(*) from access.grants g join access.buyers b using (buyer_id) where "
                       "b.state = 'live'") == 3);

        w.sql("update access.subscription_lists set next_at = now()");
        const auto again = co_await w.audit(false, 100);
        co_await w.until("done again", [&] { return audit_row(w, again, "state") == "done"; });
        CHECK(audit_row(w, again, "missing || '/' || wrong_end || '/' || repaired") == "0/0/0");
    });
    CHECK(w.stub.calls["updatebuyer"] == 1);
    CHECK(w.stub.calls["addbuyer"] == 4);
}

TEST_CASE("repairs stop at the budget")
{
    world w;
    open_course(w);
    w.play([&]() -> async::task<void> {
        co_await all_open(w);
        w.stub.buyers.clear();
        const auto id = co_await w.audit(false, 2);
        co_await w.until("done", [&] { return audit_row(w, id, "state") == "done"; });
        CHECK(audit_row(w, id, "missing") == "3");
        CHECK(audit_row(w, id, "repaired") == "2");
        co_await w.until("repaired", [&] { return w.stub.count("SUB11") == 2 && w.quiet(); });
    });
}

TEST_CASE("a buyer that was deleted and is there again is deleted again")
{
    world w;
    const auto users = open_course(w);
    w.play([&]() -> async::task<void> {
        co_await all_open(w);
        const auto request = co_await w.order(users[0], 11, false);
        co_await w.until("revoked", [&] { return w.request(request) == "done"; });
        w.stub.buyers["SUB11"]["111111110"].end =
            "2100-12-12 23:59:59"; // as if deletebuyer had been forgotten there
        const auto id = co_await w.audit(false, 10);
        co_await w.until("done", [&] { return audit_row(w, id, "state") == "done"; });
        CHECK(audit_row(w, id, "extra || '/' || repaired") == "1/1");
        co_await w.until("gone", [&] { return w.stub.count("SUB11") == 2 && w.quiet(); });
    });
}

TEST_CASE("a shorter access than the course's is extended by the audit")
{
    world w;
    open_course(w);
    w.sql("update catalog.courses set access_until = '2030-06-30 20:59:59+00'");
    w.play([&]() -> async::task<void> {
        co_await all_open(w);
        CHECK(w.stub.buyers["SUB11"]["111111110"].end == "2030-06-30 23:59:59");
        w.sql("update catalog.courses set access_until = null");
        const auto id = co_await w.audit(false, 10);
        co_await w.until("done", [&] { return audit_row(w, id, "state") == "done"; });
        CHECK(audit_row(w, id, "wrong_end || '/' || repaired") == "3/3");
        co_await w.until("extended",
            [&] { return w.stub.buyers["SUB11"]["111111112"].end == "2100-12-12 23:59:59" && w.quiet(); });
    });
}

TEST_CASE("the daily audit looks first and repairs then, within its budget")
{
    world w;
    w.settings.daily_audit_budget = 1;
    open_course(w);
    w.sql("update catalog.courses set connected_at = now() - interval '2 days'");
    w.play([&]() -> async::task<void> {
        co_await all_open(w);
        w.stub.buyers.clear();
        co_await w.daemons[0]->grants.order_daily_audits();
        co_await w.daemons[0]->grants.order_daily_audits(); // once a day
        co_await w.until(
            "two audits",
            [&] { return w.number("select count(*) from access.v_audits where state = 'done'") == 2; }, 20s);
        CHECK(w.one("select string_agg(dry_run || ':' || missing || ':' || repaired, ' ' order by "
                    "started_at) from access.v_audits") == "true:3:0 false:3:1");
        co_await w.until("repaired", [&] { return w.stub.count("SUB11") == 1 && w.quiet(); });
    });
    CHECK(w.outbox("audit_completed") == 2);
}

TEST_CASE("an extension whose outcome is unknown is read back, and counts when it is there")
{
    world w;
    open_course(w);
    w.play([&]() -> async::task<void> {
        co_await all_open(w);
        w.stub.buyers["SUB11"]["111111111"].end = "2026-01-01 00:00:00";
        w.stub.next = {ugly::bad_gateway_after};
        const auto id = co_await w.audit(false, 10);
        co_await w.until("done", [&] { return audit_row(w, id, "state") == "done"; });
        co_await w.until("asked for", [&] { return w.stub.calls["updatebuyer"] == 1; });
        w.nothing_is_under_way();
        co_await w.until("known", [&] { return w.quiet(); });
        CHECK(w.number("select count(*) from access.buyers where state = 'live' and not extend") == 3);
    });
    CHECK(w.stub.calls["updatebuyer"] == 1);
    CHECK(w.stub.calls["listbuyers"] == 2);
    CHECK(w.stub.buyers["SUB11"]["111111111"].end == "2100-12-12 23:59:59");
}

TEST_CASE("an audit taken up again has what is left of its budget")
{
    world w;
    open_course(w);
    w.play([&]() -> async::task<void> {
        co_await all_open(w);
        w.stub.buyers.clear();
        // Its instance died after two repairs of three.
        w.sql(
            "insert into access.audits (request_id, course_id, dry_run, budget, actor, state, claimed_until, "
            "started_at, repaired, claims) values ('00000000-0000-7000-8000-000000000001', 247644, false, 3, "
            "'anna', 'running', now() - interval '1 second', now(), 2, 1)");
        (void)co_await w.audit(true, 0); // wakes the loop
        co_await w.until("all", [&] {
            return w.number("select count(*) from access.v_audits where finished_at is not null") == 2;
        });
        CHECK(w.one("select missing || '/' || repaired from access.v_audits where not dry_run") == "3/3");
        co_await w.until("repaired", [&] { return w.stub.count("SUB11") == 1 && w.quiet(); });
    });
}

TEST_CASE("a daily audit that failed is tried again after an hour")
{
    world w;
    open_course(w);
    w.sql("update catalog.courses set connected_at = now() - interval '2 days', boomstream_api_key_box = "
          "'\\x00'");
    w.play([&]() -> async::task<void> {
        co_await w.daemons[0]->grants.order_daily_audits();
        co_await w.until("failed",
            [&] { return w.number("select count(*) from access.v_audits where state = 'failed'") == 1; });
        CHECK(w.one("select detail from access.v_audits").find("can't be read") != std::string::npos);
        co_await w.daemons[0]->grants.order_daily_audits();
        CHECK(w.number("select count(*) from access.audits") == 1);
        w.set_key("stub-key");
        w.sql("update access.audits set asked_at = now() - interval '61 minutes'");
        co_await w.daemons[0]->grants.order_daily_audits();
        CHECK(w.number("select count(*) from access.audits") == 2);
    });
}

TEST_CASE("a deleted buyer that is to be added again is not deleted by the audit")
{
    world w;
    const auto users = open_course(w);
    w.play([&]() -> async::task<void> {
        co_await all_open(w);
        const auto request = co_await w.order(users[0], 11, false);
        co_await w.until("revoked", [&] { return w.request(request) == "done"; });
        w.stub.buyers["SUB11"]["111111110"].end = "2100-12-12 23:59:59"; // still there, against its word
        // Granted again, and the call has not gone out yet.
        w.sql(
            "insert into access.buyers (buyer_id, user_id, course_id, subscription_code, boom_media, state, "
            "lane, ends_at, due_at) select gen_random_uuid(), user_id, course_id, subscription_code, "
            "boom_media, 'wanted', 'fresh', ends_at, now() + interval '1 hour' from access.buyers where "
            "state "
            "= 'gone'");
        const auto id = co_await w.audit(false, 10);
        co_await w.until("done", [&] { return audit_row(w, id, "state") == "done"; });
        CHECK(audit_row(w, id, "extra || '/' || repaired") == "1/0");
        CHECK(w.number("select count(*) from access.buyers where state = 'closing'") == 0);
    });
    CHECK(w.stub.calls["deletebuyer"] == 1);
}

TEST_CASE("a course's first day has no daily audit")
{
    world w;
    open_course(w);
    w.play([&]() -> async::task<void> {
        co_await all_open(w);
        co_await w.daemons[0]->grants.order_daily_audits();
        CHECK(w.number("select count(*) from access.audits") == 0);
    });
}

TEST_CASE("an audit whose instance died is started again, and one that can't be read fails with a reason")
{
    world w;
    open_course(w);
    w.play([&]() -> async::task<void> {
        co_await all_open(w);
        w.sql("insert into access.audits (request_id, course_id, dry_run, budget, actor, state, "
              "claimed_until, started_at)"
              " values ('00000000-0000-7000-8000-000000000001', 247644, true, 0, 'anna', 'running', now() - "
              "interval '1 second', now())");
        const auto unknown_course = base::new_uuid();
        w.sql("insert into access.audits (request_id, course_id, dry_run, budget, actor) values ('" +
              base::to_string(unknown_course) + "', 4711, true, 0, 'anna')");
        (void)co_await w.audit(true, 0); // wakes the loop
        co_await w.until(
            "all",
            [&] {
                return w.number("select count(*) from access.v_audits where finished_at is not null") == 3;
            },
            30s);
        CHECK(w.number("select count(*) from access.v_audits where state = 'done'") == 2);
        CHECK(audit_row(w, unknown_course, "state") == "failed");
    });
    CHECK(w.outbox("audit_completed") == 3);
}
