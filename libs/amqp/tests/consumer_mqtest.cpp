#include "fixture.hpp"

#include "coursegate/base/trace.hpp"
#include "coursegate/log/log.hpp"
#include "coursegate/metrics/metrics.hpp"
#include "coursegate/testkit/tcp_proxy.hpp"

#include <algorithm>
#include <map>
#include <mutex>
#include <set>

using namespace coursegate;
using namespace coursegate::amqp;

namespace {

using events::verdict;

double counted(const std::string& name, const metrics::labels& l)
{
    return metrics::get_counter(name, "", l).value();
}

} // namespace

TEST_CASE("every message is handled once and acked; the handler learns where it came from")
{
    fixture f;
    std::multiset<std::int64_t> lessons;
    std::optional<events::message_context> seen;
    f.handle([&](const events::lesson_passed& e, events::message_context& context) -> async::task<verdict> {
        lessons.insert(e.lesson_id);
        seen = context;
        co_return verdict::ack();
    });
    const auto before =
        counted("coursegate_handler_total", {{"handler", "test.on_lesson_passed"}, {"outcome", "ack"}});
    f.run([&]() -> async::task<void> {
        co_await f.publish(messages(1, 300));
        const bool all = co_await testkit::eventually_async(20s, [&] { return lessons.size() >= 300; });
        CHECK(all);
        CHECK(f.in->check().ok);
        CHECK(f.in->check().last_work.has_value());
    });
    std::multiset<std::int64_t> expected;
    for (std::int64_t lesson = 1; lesson <= 300; ++lesson)
        expected.insert(lesson);
    CHECK(lessons == expected);
    CHECK(testkit::eventually(30s, [&] { return f.waiting() == 0; }));
    CHECK(f.depth(f.dead()) == 0);
    REQUIRE(seen.has_value());
    CHECK(seen->handler == "test.on_lesson_passed");
    CHECK(seen->queue == "work");
    CHECK(seen->attempt == 1);
    CHECK_FALSE(seen->redelivered);
    CHECK(seen->envelope.source == "/test");
    const auto after =
        counted("coursegate_handler_total", {{"handler", "test.on_lesson_passed"}, {"outcome", "ack"}});
    CHECK(after - before == 300);
}

TEST_CASE("at most `prefetch` handlers run at once, and that many do")
{
    fixture f(one_queue(5));
    int running = 0;
    int most = 0;
    int done = 0;
    bool open = false;
    f.handle([&](const events::lesson_passed&, events::message_context&) -> async::task<verdict> {
        most = std::max(most, ++running);
        co_await testkit::eventually_async(20s, [&] { return open; });
        --running;
        ++done;
        co_return verdict::ack();
    });
    f.run([&]() -> async::task<void> {
        co_await f.publish(messages(1, 12));
        const bool full = co_await testkit::eventually_async(20s, [&] { return running == 5; });
        CHECK(full);
        open = true;
        const bool all = co_await testkit::eventually_async(20s, [&] { return done == 12; });
        CHECK(all);
    });
    CHECK(most == 5);
}

TEST_CASE("a retry comes back after its delay with the attempt counted, and is parked with its story when "
          "attempts run out")
{
    fixture f(one_queue(20, 2));
    std::vector<int> attempts;
    std::vector<std::chrono::steady_clock::time_point> at;
    f.handle([&](const events::lesson_passed&, events::message_context& context) -> async::task<verdict> {
        attempts.push_back(context.attempt);
        at.push_back(std::chrono::steady_clock::now());
        co_return verdict::retry(10ms, "no " + std::to_string(attempts.size()));
    });
    const auto all = messages(5, 1);
    f.run([&]() -> async::task<void> {
        co_await f.publish(all);
        const bool parked = co_await testkit::eventually_async(20s, [&] { return f.depth(f.dead()) == 1; });
        CHECK(parked);
    });
    CHECK(attempts == std::vector<int>{1, 2});
    REQUIRE(at.size() == 2);
    CHECK(at[1] - at[0] >= 950ms); // 10 ms is rounded up to the 1 s queue
    const auto dead = f.look().drain(f.dead(), 10);
    REQUIRE(dead.size() == 1);
    CHECK(dead[0].message_id == all[0].message_id);
    CHECK(dead[0].body == all[0].body);
    const auto& h = dead[0].headers;
    CHECK(h.at("x-attempts") == "2");
    CHECK(h.at("x-handler") == "test.on_lesson_passed");
    CHECK(h.at("x-reason") == "attempts ran out (2): no 2");
    CHECK(h.at("x-first-error") == "no 1");
    CHECK(h.at("x-last-error") == "no 2");
    CHECK(h.at("x-origin-queue") == f.name());
    CHECK(h.at("x-origin-user") == f.settings.addresses[0].user);
    CHECK(base::parse_iso8601(h.at("x-first-failed-at")).has_value());
    CHECK(testkit::eventually(30s, [&] { return f.waiting() == 0; }));
}

TEST_CASE("what can't be read is parked with its reason, and the rest go on")
{
    fixture f;
    int handled = 0;
    f.handle([&](const events::lesson_passed& e, events::message_context&) -> async::task<verdict> {
        ++handled;
        if (e.lesson_id == 13)
            co_return verdict::dead_letter("bad luck");
        if (e.lesson_id == 14)
            throw std::runtime_error("a bug");
        co_return verdict::ack();
    });
    auto not_json = messages(1, 1)[0];
    not_json.body = "{\"half\":";
    auto unknown = message_of(events::wrap("test", passed(1)));
    unknown.body.replace(unknown.body.find("lesson_passed:v1"), 16, "lesson_passed:v2");
    auto wrong_data = message_of(events::wrap("test", passed(1)));
    wrong_data.body.replace(wrong_data.body.find("\"lesson_id\":1"), 13, "\"lesson_id\":\"one\"");

    f.run([&]() -> async::task<void> {
        std::vector<events::outgoing> all{not_json, unknown, wrong_data};
        for (auto& m : messages(13, 7))
            all.push_back(m);
        co_await f.publish(all);
        const bool parked =
            co_await testkit::eventually_async(20s, [&] { return f.depth(f.dead()) == 4 && handled >= 7; });
        CHECK(parked);
    });
    std::map<std::string, std::string> reasons;
    for (const auto& m : f.look().drain(f.dead(), 10))
        reasons[m.message_id] = m.headers.at("x-reason");
    REQUIRE(reasons.size() == 4);
    CHECK(reasons.at(not_json.message_id) == "the body is not a JSON object");
    CHECK(reasons.at(unknown.message_id) == "nobody here reads lesson_passed.v2");
    CHECK(reasons.at(wrong_data.message_id) == "lesson_id: must be an integer");
    reasons.erase(not_json.message_id);
    reasons.erase(unknown.message_id);
    reasons.erase(wrong_data.message_id);
    CHECK(reasons.begin()->second == "bad luck");
    CHECK(testkit::eventually(30s, [&] { return f.waiting() == 0; }));
    CHECK(f.depth(f.name() + ".retry.1s") + f.waiting() <= 1); // the bug is tried again
}

TEST_CASE("while a dependency is down the same messages wait here, nothing counts as an attempt, and all are "
          "done after it")
{
    fixture f(one_queue(5));
    bool down = true;
    int tries = 0;
    std::multiset<std::int64_t> done;
    std::set<int> attempts;
    f.handle([&](const events::lesson_passed& e, events::message_context& context) -> async::task<verdict> {
        ++tries;
        attempts.insert(context.attempt);
        if (down)
            throw base::dependency_down("PostgreSQL is restarting");
        done.insert(e.lesson_id);
        co_return verdict::ack();
    });
    f.run([&]() -> async::task<void> {
        co_await f.publish(messages(1, 20));
        const bool paused = co_await testkit::eventually_async(20s, [&] {
            const auto now = f.in->check();
            return !now.ok && now.detail.find("PostgreSQL is restarting") != std::string::npos;
        });
        CHECK(paused);
        const bool tried = co_await testkit::eventually_async(20s, [&] { return tries >= 4; });
        CHECK(tried);
        CHECK(tries <= 5); // one at a time, not all that wait
        down = false;
        const bool all = co_await testkit::eventually_async(30s, [&] { return done.size() == 20; });
        CHECK(all);
        const bool well = co_await testkit::eventually_async(20s, [&] { return f.in->check().ok; });
        CHECK(well);
    });
    CHECK(done.size() == 20);
    CHECK(attempts == std::set<int>{1});
    CHECK(testkit::eventually(30s, [&] { return f.waiting() == 0; }));
    CHECK(f.depth(f.dead()) == 0);
}

TEST_CASE("messages that wait for a dependency are handed back when the consumer stops")
{
    fixture f(one_queue(5));
    int tries = 0;
    f.handle([&](const events::lesson_passed&, events::message_context&) -> async::task<verdict> {
        ++tries;
        throw base::dependency_down("gone for good");
        co_return verdict::ack();
    });
    f.run([&]() -> async::task<void> {
        co_await f.publish(messages(1, 8));
        const bool tried = co_await testkit::eventually_async(20s, [&] { return tries > 0; });
        CHECK(tried);
        const auto began = std::chrono::steady_clock::now();
        co_await f.in->stop();
        CHECK(std::chrono::steady_clock::now() - began < 5s);
    });
    const bool back = testkit::eventually(30s, [&] { return f.depth(f.name()) >= 8; });
    CHECK(back);
}

TEST_CASE(
    "a postponed message is handled again later without counting an attempt, and does not hold up the others")
{
    fixture f;
    int first = 0;
    int others = 0;
    int attempt = 0;
    f.handle([&](const events::lesson_passed& e, events::message_context& context) -> async::task<verdict> {
        if (e.lesson_id != 1) {
            ++others;
            co_return verdict::ack();
        }
        attempt = context.attempt;
        if (++first < 3)
            co_return verdict::postpone(200ms, "busy");
        co_return verdict::ack();
    });
    f.run([&]() -> async::task<void> {
        co_await f.publish(messages(1, 5));
        const bool done = co_await testkit::eventually_async(20s, [&] { return first == 3 && others == 4; });
        CHECK(done);
    });
    CHECK(attempt == 1);
    CHECK(testkit::eventually(30s, [&] { return f.waiting() == 0; }));
}

TEST_CASE("stop lets running handlers finish and settles them")
{
    fixture f;
    int begun = 0;
    int done = 0;
    bool stopping = false;
    f.handle([&](const events::lesson_passed&, events::message_context&) -> async::task<verdict> {
        ++begun;
        co_await testkit::eventually_async(20s, [&] { return stopping; });
        ++done;
        co_return verdict::ack();
    });
    f.run([&]() -> async::task<void> {
        co_await f.publish(messages(1, 10));
        const bool all = co_await testkit::eventually_async(20s, [&] { return begun == 10; });
        CHECK(all);
        stopping = true;
        co_await f.in->stop();
        CHECK(done == 10);
        co_await f.in->stop(); // twice is allowed
    });
    CHECK(testkit::eventually(30s, [&] { return f.waiting() == 0; }));
}

TEST_CASE("two consumers share a queue: everything is handled, nothing twice")
{
    fixture f(one_queue(10));
    std::multiset<std::int64_t> lessons;
    std::set<std::string> workers;
    const auto handler_of = [&](std::string who) {
        return [&lessons, &workers, who](
                   const events::lesson_passed& e, events::message_context&) -> async::task<verdict> {
            lessons.insert(e.lesson_id);
            workers.insert(who);
            co_await async::yield();
            co_return verdict::ack();
        };
    };
    f.handle(handler_of("one"));
    f.run([&]() -> async::task<void> {
        events::subscriptions more;
        more.on<events::lesson_passed>("work", "test.on_lesson_passed", handler_of("two"));
        consumer second{f.loop.get_executor(), f.settings, f.wanted, more, *f.out};
        co_await second.start();
        co_await f.publish(messages(1, 400));
        const bool all = co_await testkit::eventually_async(30s, [&] { return lessons.size() >= 400; });
        CHECK(all);
        co_await second.stop();
    });
    CHECK(lessons.size() == 400);
    CHECK(std::set<std::int64_t>(lessons.begin(), lessons.end()).size() == 400);
    CHECK(workers == std::set<std::string>{"one", "two"});
    CHECK(testkit::eventually(30s, [&] { return f.waiting() == 0; }));
}

TEST_CASE("a queue deleted under its consumer is declared again and consumed again")
{
    fixture f;
    int handled = 0;
    f.handle([&](const events::lesson_passed&, events::message_context&) -> async::task<verdict> {
        ++handled;
        co_return verdict::ack();
    });
    f.run([&]() -> async::task<void> {
        co_await f.publish(messages(1, 2));
        const bool works = co_await testkit::eventually_async(20s, [&] { return handled == 2; });
        CHECK(works);
        remove(f.settings, f.wanted); // the exchange too: the worst that a tidy operator can do
        const bool back =
            co_await testkit::eventually_async(20s, [&] { return f.look().depth(f.name()).has_value(); });
        CHECK(back);
        // The exchange is back as well, by whichever of the two notices; until then nothing is confirmed.
        handled = 0;
        const bool again =
            co_await testkit::eventually_async(30s, [&] { return f.in->check().ok && f.out->check().ok; });
        CHECK(again);
        copy direct;
        const auto e = events::wrap("test", passed(1));
        direct.queue = f.name();
        direct.body = e.to_body();
        direct.message_id = base::to_string(e.id);
        const auto outcome = co_await f.out->publish_copy(direct);
        CHECK(outcome == events::delivery::confirmed);
        const bool consumed = co_await testkit::eventually_async(20s, [&] { return handled == 1; });
        CHECK(consumed);
    });
}

TEST_CASE("probes prove that the queue works, and never reach a handler or stay behind")
{
    fixture f;
    f.settings.probe_interval = 1s;
    int handled = 0;
    f.subscriptions.on_any("work", "test.on_any", [&](events::message_context&) -> async::task<verdict> {
        ++handled;
        co_return verdict::ack();
    });
    f.run([&]() -> async::task<void> {
        const bool probed =
            co_await testkit::eventually_async(20s, [&] { return f.in->check().last_work.has_value(); });
        CHECK(probed);
        // Well beyond three intervals without any event: the probes keep it ready.
        const auto first = *f.in->check().last_work;
        const bool later =
            co_await testkit::eventually_async(20s, [&] { return *f.in->check().last_work - first > 4s; });
        CHECK(later);
        CHECK(f.in->check().ok);
    });
    CHECK(handled == 0);
    CHECK(testkit::eventually(30s, [&] { return f.waiting() == 0; }));
    CHECK(f.depth(f.dead()) == 0);
}

TEST_CASE("a queue whose handlers all hang is not ready, and ready again when they end")
{
    fixture f(one_queue(1));
    f.settings.probe_interval = 1s;
    int begun = 0;
    bool open = false;
    f.handle([&](const events::lesson_passed&, events::message_context&) -> async::task<verdict> {
        ++begun;
        co_await testkit::eventually_async(40s, [&] { return open; });
        co_return verdict::ack();
    });
    f.run([&]() -> async::task<void> {
        const bool ready = co_await testkit::eventually_async(30s, [&] { return f.in->check().ok; });
        CHECK(ready);
        co_await f.publish(messages(1, 1));
        const bool hangs = co_await testkit::eventually_async(30s, [&] { return begun == 1; });
        CHECK(hangs);
        const bool told = co_await testkit::eventually_async(30s, [&] { return !f.in->check().ok; });
        CHECK(told);
        CHECK_THAT(f.in->check().detail, Catch::Contains("nothing comes through queue " + f.name()));
        open = true;
        const bool again = co_await testkit::eventually_async(30s, [&] { return f.in->check().ok; });
        CHECK(again);
    });
}

TEST_CASE("a queue that hung before the daemon started is not ready because of its mere connection")
{
    fixture f(one_queue(1));
    bool begun = false;
    bool open = false;
    f.handle([&](const events::lesson_passed&, events::message_context&) -> async::task<verdict> {
        begun = true;
        co_await testkit::eventually_async(40s, [&] { return open; });
        co_return verdict::ack();
    });
    const auto waiting = messages(1, 1);
    copy c;
    c.body = waiting[0].body;
    c.message_id = waiting[0].message_id;
    REQUIRE(f.look().publish(waiting[0].routing_key, c));
    f.run([&]() -> async::task<void> {
        const bool hangs = co_await testkit::eventually_async(30s, [&] { return begun; });
        CHECK(hangs);
        CHECK_FALSE(f.in->check().ok);
        CHECK_THAT(f.in->check().detail, Catch::Contains("nothing has come through queue " + f.name()));
        open = true;
        const bool ready = co_await testkit::eventually_async(30s, [&] { return f.in->check().ok; });
        CHECK(ready);
    });
}

TEST_CASE("a consumer is ready within a moment of its start")
{
    fixture f;
    f.handle([](const events::lesson_passed&, events::message_context&) -> async::task<verdict> {
        co_return verdict::ack();
    });
    f.run([&]() -> async::task<void> {
        const auto began = std::chrono::steady_clock::now();
        const bool ready = co_await testkit::eventually_async(30s, [&] { return f.in->check().ok; });
        CHECK(ready);
        const auto took = std::chrono::steady_clock::now() - began;
        INFO(std::chrono::duration_cast<std::chrono::milliseconds>(took).count() << " ms");
        CHECK(took < 2s); // not a whole probe interval
    });
}

TEST_CASE("what is tried again or parked is logged with its event's id and trace")
{
    static std::mutex mutex;
    static std::vector<std::string> lines;
    struct sink
    {
        log::sink before = log::set_sink([](std::string_view line) {
            const std::lock_guard lock(mutex);
            lines.emplace_back(line);
        });
        ~sink() { log::set_sink(before); }
    } const captured;
    fixture f(one_queue(5, 2));
    f.handle([](const events::lesson_passed&, events::message_context&) -> async::task<verdict> {
        co_return verdict::retry(10ms, "no");
    });
    const auto all = messages(1, 1);
    f.run([&]() -> async::task<void> {
        co_await f.publish(all);
        const bool parked = co_await testkit::eventually_async(20s, [&] { return f.depth(f.dead()) == 1; });
        CHECK(parked);
    });
    const auto trace = base::trace_id_of(all[0].traceparent);
    REQUIRE(trace.size() == 32);
    const std::lock_guard lock(mutex);
    for (const auto* const message : {"a message will be tried again", "a message is parked"}) {
        INFO(message);
        const auto line = std::find_if(lines.begin(), lines.end(),
            [&](const std::string& l) { return l.find(message) != std::string::npos; });
        REQUIRE(line != lines.end());
        CHECK_THAT(*line, Catch::Contains("\"event_id\":\"" + all[0].message_id + "\"") &&
                              Catch::Contains("\"trace_id\":\"" + trace + "\"") &&
                              Catch::Contains("\"handler\":\"test.on_lesson_passed\""));
    }
    const auto shown = metrics::expose();
    CHECK_THAT(shown, Catch::Contains("coursegate_dead_letters_total{queue=\"" + f.name() + "\"} 1"));
    CHECK_THAT(
        shown, Catch::Contains(
                   "coursegate_handler_seconds_count{handler=\"test.on_lesson_passed\",outcome=\"retry\"}"));
}

TEST_CASE("ready messages are counted per queue")
{
    fixture f(one_queue(1));
    bool open = false;
    f.handle([&](const events::lesson_passed&, events::message_context&) -> async::task<verdict> {
        co_await testkit::eventually_async(40s, [&] { return open; });
        co_return verdict::ack();
    });
    for (const auto& m : messages(1, 4)) {
        copy c;
        c.body = m.body;
        c.message_id = m.message_id;
        REQUIRE(f.look().publish(m.routing_key, c));
    }
    auto& ready = metrics::get_gauge("coursegate_queue_ready", "", {{"queue", f.name()}});
    f.run([&]() -> async::task<void> {
        const bool sampled = co_await testkit::eventually_async(30s, [&] { return ready.value() >= 3; });
        CHECK(sampled);
        open = true;
        const bool done = co_await testkit::eventually_async(30s, [&] { return f.depth(f.name()) == 0; });
        CHECK(done);
    });
}

// Faults of the connection
// -----------------------------------------------------------------------------------

namespace {

settings by_way_of(const testkit::tcp_proxy& proxy, settings s)
{
    s.addresses[0].host = "127.0.0.1";
    s.addresses[0].port = proxy.port();
    return s;
}

} // namespace

TEST_CASE("a node that goes down under publisher and consumer: both go on through the next address")
{
    fixture f;
    testkit::tcp_proxy first{f.broker.url()};
    testkit::tcp_proxy second{f.broker.url()};
    const auto original = f.settings;
    f.settings = by_way_of(first, original);
    f.settings.addresses.push_back(by_way_of(second, original).addresses[0]);
    std::set<std::int64_t> lessons;
    f.handle([&](const events::lesson_passed& e, events::message_context&) -> async::task<verdict> {
        lessons.insert(e.lesson_id);
        co_return verdict::ack();
    });
    f.run([&]() -> async::task<void> {
        co_await f.publish(messages(1, 3));
        const bool before = co_await testkit::eventually_async(30s, [&] { return lessons.size() == 3; });
        CHECK(before);
        CHECK(second.accepted() == 0);
        first.refuse(true);
        first.cut();
        const bool moved = co_await testkit::eventually_async(
            20s, [&] { return second.open() == 2 && f.in->check().ok && f.out->check().ok; });
        CHECK(moved);
        co_await f.publish(messages(4, 3));
        const bool after = co_await testkit::eventually_async(20s, [&] { return lessons.size() == 6; });
        CHECK(after);
    });
}

TEST_CASE("connections cut again and again: every event arrives, and nothing is parked")
{
    fixture f;
    testkit::tcp_proxy proxy{f.broker.url()};
    f.settings = by_way_of(proxy, f.settings);
    std::map<std::int64_t, int> times;
    f.handle([&](const events::lesson_passed& e, events::message_context&) -> async::task<verdict> {
        ++times[e.lesson_id];
        if (e.lesson_id % 50 == 0 && times[e.lesson_id] == 1)
            co_return verdict::retry(1s, "once more"); // some of them by way of a copy
        co_return verdict::ack();
    });
    constexpr std::int64_t count = 1'000;
    f.run(
        [&]() -> async::task<void> {
            // What a relay does: publish again, under the same id, whatever was not confirmed.
            auto all = messages(1, count);
            int cuts = 0;
            std::size_t refused = 0;
            while (!all.empty()) {
                auto batch = all;
                batch.resize(std::min<std::size_t>(batch.size(), 100));
                if (cuts < 8 && batch.size() == 100) {
                    ++cuts;
                    if (cuts % 2 == 0)
                        proxy.cut_after_sent(5'000); // in the middle of a message
                    else
                        proxy.cut_after_received(100); // with confirms on their way
                }
                const auto outcomes = co_await f.out->publish(batch);
                std::vector<events::outgoing> left;
                for (std::size_t n = 0; n < all.size(); ++n)
                    if (n >= outcomes.size() || outcomes[n] != events::delivery::confirmed)
                        left.push_back(all[n]);
                for (const auto outcome : outcomes)
                    refused += outcome == events::delivery::refused ? 1 : 0;
                all = std::move(left);
            }
            CHECK(cuts == 8);
            CHECK(refused == 0);
            const bool handled = co_await testkit::eventually_async(
                60s, [&] { return times.size() == count && times[1'000] >= 2; });
            CHECK(handled);
            const bool settled = co_await testkit::eventually_async(
                60s, [&] { return f.depth(f.name()) == 0 && f.depth(f.name() + ".retry.1s") == 0; });
            CHECK(settled);
        },
        180s);
    std::int64_t doubled = 0;
    for (const auto& [lesson, n] : times)
        doubled += n > 1 ? 1 : 0;
    INFO("handled more than once (what the inbox is for): " << doubled);
    CHECK(times.size() == count);
    CHECK(f.depth(f.dead()) == 0);
    CHECK(f.waiting() == 0);
}

TEST_CASE("a message held by a slow handler over a cut connection is not acked twice and not lost")
{
    fixture f;
    testkit::tcp_proxy proxy{f.broker.url()};
    f.settings = by_way_of(proxy, f.settings);
    int begun = 0;
    bool open = false;
    bool redelivered = false;
    f.handle([&](const events::lesson_passed&, events::message_context& context) -> async::task<verdict> {
        ++begun;
        redelivered = redelivered || context.redelivered;
        co_await testkit::eventually_async(30s, [&] { return open; });
        co_return verdict::ack();
    });
    f.run([&]() -> async::task<void> {
        co_await f.publish(messages(1, 1));
        const bool running = co_await testkit::eventually_async(20s, [&] { return begun == 1; });
        CHECK(running);
        proxy.cut();
        const bool again = co_await testkit::eventually_async(20s, [&] { return begun == 2; });
        CHECK(again);
        CHECK(redelivered);
        open = true;
        const bool settled = co_await testkit::eventually_async(
            20s, [&] { return f.in->check().ok && f.depth(f.name()) == 0; });
        CHECK(settled);
    });
    CHECK(f.waiting() == 0);
    CHECK(begun == 2);
}

TEST_CASE("a broker that no longer answers: confirms are unknown after their deadline, and work goes on when "
          "it is back")
{
    fixture f;
    testkit::tcp_proxy proxy{f.broker.url()};
    f.settings = by_way_of(proxy, f.settings);
    f.settings.confirm_deadline = 1s;
    f.run([&]() -> async::task<void> {
        co_await f.publish(messages(1, 1));
        proxy.pause();
        const auto began = std::chrono::steady_clock::now();
        auto lost = messages(2, 2);
        const auto outcomes = co_await f.out->publish(lost);
        const auto took = std::chrono::steady_clock::now() - began;
        CHECK(outcomes == std::vector<events::delivery>(2, events::delivery::unknown));
        CHECK(took >= 900ms);
        CHECK(took < 10s);
        const bool noticed = co_await testkit::eventually_async(30s, [&] { return !f.out->check().ok; });
        CHECK(noticed);
        proxy.resume();
        const bool back = co_await testkit::eventually_async(30s, [&] { return f.out->check().ok; });
        CHECK(back);
        co_await f.publish(lost);
    });
    // Published twice under the same ids: whether the first two arrived is not known, that is what the inbox
    // is for.
    CHECK(f.depth(f.name()) >= 3);
}

TEST_CASE("health says that the broker is gone, and that it is back")
{
    fixture f;
    testkit::tcp_proxy proxy{f.broker.url()};
    f.settings = by_way_of(proxy, f.settings);
    f.handle([](const events::lesson_passed&, events::message_context&) -> async::task<verdict> {
        co_return verdict::ack();
    });
    f.run([&]() -> async::task<void> {
        proxy.refuse(true);
        proxy.cut();
        const auto says = [](const async::health& h) {
            return h.detail.find("not connected") != std::string::npos;
        };
        const bool gone = co_await testkit::eventually_async(
            20s, [&] { return says(f.in->check()) && says(f.out->check()); });
        CHECK(gone);
        CHECK_FALSE(f.in->check().ok);
        CHECK_FALSE(f.out->check().ok);
        const auto outcome = co_await f.out->publish(messages(1, 1));
        CHECK(outcome[0] == events::delivery::unknown);
        proxy.refuse(false);
        const bool back =
            co_await testkit::eventually_async(30s, [&] { return f.in->check().ok && f.out->check().ok; });
        CHECK(back);
        co_await f.publish(messages(1, 1));
        const bool handled = co_await testkit::eventually_async(20s, [&] { return f.depth(f.name()) == 0; });
        CHECK(handled);
    });
}
