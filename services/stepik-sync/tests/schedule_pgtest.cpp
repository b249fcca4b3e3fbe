// Who leads, what is due, what is picked up again.
#include "world.hpp"

using namespace coursegate;
using namespace coursegate::stepik_sync;

namespace {
constexpr std::int64_t ann = 900000101;
}

TEST_CASE_METHOD(
    world, "one instance leads; another takes over with a higher term and yesterday's leader writes nothing")
{
    auto* two = add_instance("two");
    const auto first = run([&]() { return one->sweeps.schedule(); });
    CHECK(first.leads);
    CHECK(first.structures_due == 1);
    const auto second = run([&]() { return two->sweeps.schedule(); });
    CHECK_FALSE(second.leads);
    CHECK(second.structures_due == 0);

    sql("update leases set held_until = now() - interval '1 second'"); // the first one hangs
    const auto taken = run([&]() { return two->sweeps.schedule(); });
    CHECK(taken.leads);
    CHECK(taken.term == first.term + 1);
    sql("update courses set structure_read_at = now(), sweep_due_at = now()");
    const auto late = run([&]() { return one->sweeps.schedule(); }); // and wakes up
    CHECK_FALSE(late.leads);
    CHECK(value("select count(*) from sweeps") == "0");

    run([&]() { return two->sweeps.step_down(); });
    CHECK(run([&]() { return one->sweeps.schedule(); }).leads); // no waiting after a clean stop
}

TEST_CASE_METHOD(world, "a tick with nothing due changes nothing")
{
    stub.add_student(ann);
    first_contact();
    take_events();
    const auto report = run([&]() { return one->sweeps.schedule(); });
    CHECK(report.leads);
    CHECK(report.sweeps_begun + report.pages_again + report.structures_due + report.requests_given_up == 0);
    CHECK(take_events().empty());
}

TEST_CASE_METHOD(world, "sweeps come at the course's own pace, or at the setting's")
{
    stub.add_student(ann);
    first_contact();
    sweep();
    CHECK(value("select round(extract(epoch from sweep_due_at - now()) / 10) from courses") == "30");
    connect("secret", "connected", 60);
    sweep();
    CHECK(value("select round(extract(epoch from sweep_due_at - now()) / 10) from courses") == "6");
}

TEST_CASE_METHOD(world, "a new course's first sweep waits for its structure, but not for ever")
{
    tick();
    CHECK(take_events({"structure_sync_due"}).size() == 1);
    tick();
    CHECK(take_events({"sweep_page_due", "structure_sync_due"}).empty());
    sql("update courses set structure_asked_at = now() - interval '31 seconds'");
    tick();
    CHECK(take_events({"sweep_page_due"}).size() == 1);
    sql("update courses set structure_asked_at = now() - interval '3 minutes'"); // its message was lost
    tick();
    CHECK(take_events({"structure_sync_due"}).size() == 1);
}

TEST_CASE_METHOD(world, "pages whose messages were lost are scheduled again by whoever leads")
{
    stub.page_size = 1;
    for (int i = 0; i < 3; ++i)
        stub.add_student(ann + i);
    first_contact();
    sql("update courses set sweep_due_at = now()");
    tick();
    const auto lost = take_events({"sweep_page_due"});
    REQUIRE(lost.size() == 3);
    run([&]() { return one->deliver(lost[1].envelope); }); // one came through
    tick();
    CHECK(take_events({"sweep_page_due"}).empty()); // patience
    sql("update sweeps set last_progress_at = now() - interval '2 minutes'; "
        "update leases set held_until = now() - interval '1 second'");
    auto* two = add_instance("two");
    tick(two);
    const auto again = take_events({"sweep_page_due"});
    CHECK(again.size() == 2);
    for (const auto& e : again)
        run([&]() { return two->deliver(e.envelope); });
    CHECK(value("select count(*) from sweeps where outcome = 'good'") == "2");

    // The lost ones turn up after all: their term is over, and so is the sweep.
    const int before = stub.grade_calls();
    for (const auto& e : lost)
        run([&]() { return one->deliver(e.envelope); });
    CHECK(stub.grade_calls() == before);
}

TEST_CASE_METHOD(world, "a message of an earlier term is void once another leader took the sweep over")
{
    stub.add_student(ann);
    tick();
    deliver_work();
    sql("update courses set sweep_due_at = now()");
    tick();
    const auto old = take_events({"sweep_page_due"});
    REQUIRE(old.size() == 1);
    sql("update sweeps set term = term + 1");
    const int before = stub.grade_calls();
    run([&]() { return one->deliver(old[0].envelope); });
    CHECK(stub.grade_calls() == before);
}

TEST_CASE_METHOD(world, "a page whose handler was killed goes on although another leader took the sweep over")
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
    sql("update sweeps set term = term + 1");
    run([&]() { return one->deliver(due[0].envelope); }); // the same message again
    CHECK(value("select outcome from sweeps") == "good");
}

TEST_CASE_METHOD(world, "a claim of a killed instance does not keep its page for ever")
{
    stub.add_student(ann);
    tick();
    deliver_work();
    sql("update courses set sweep_due_at = now()");
    tick();
    const auto lost = take_events({"sweep_page_due"});
    REQUIRE(lost.size() == 1);
    const auto event = events::unwrap<events::sweep_page_due>(lost[0].envelope).value();
    REQUIRE(run([&]() { return one->sweeps.claim(event, lost[0].envelope.id); }));
    sql("update sweeps set last_progress_at = now() - interval '2 minutes'");
    tick();
    CHECK(take_events({"sweep_page_due"}).empty()); // somebody is at it
    sql("update sweeps set last_progress_at = now() - interval '2 minutes'; "
        "update sweep_pages set claimed_until = now() - interval '1 second'");
    tick();
    CHECK(deliver_work() == 1);
    CHECK(value("select outcome from sweeps") == "good");
}

TEST_CASE_METHOD(world, "a sweep that never gets on is given up")
{
    stub.add_student(ann);
    tick();
    deliver_work();
    sql("update courses set sweep_due_at = now()");
    tick();
    for (int i = 0; i < 7; ++i) {
        take_events();
        sql("update sweeps set last_progress_at = now() - interval '2 minutes'");
        tick();
    }
    CHECK(value("select outcome from sweeps") == "failed");
}

TEST_CASE_METHOD(world, "what nobody looks at any more is cleared away")
{
    stub.add_student(ann);
    first_contact();
    sweep();
    sql("update sweeps set started_at = started_at - interval '9 days', finished_at = finished_at - interval "
        "'9 days'");
    sql("insert into sync_requests (request_id, course_id, stepik_user_id, requested_by, finished_at, "
        "outcome) "
        "values (gen_random_uuid(), 1, 1, 'x', now() - interval '91 days', 'checked')");
    run([&]() { return one->sweeps.purge(); });
    CHECK(value("select count(*) from sweeps") == "1"); // the last one stays: it says when
    CHECK(value("select count(*) from sync_requests") == "0");
}
