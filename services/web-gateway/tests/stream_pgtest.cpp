#include "classroom.hpp"
#include "sse_client.hpp"

#include "handlers/on_event.hpp"

#include "coursegate/async/gate.hpp"
#include "coursegate/events/grant_failed.hpp"
#include "coursegate/events/lesson_passed.hpp"

using namespace coursegate;
using namespace coursegate::web_gateway;
using namespace coursegate::web_gateway::tests;
using namespace std::chrono_literals;

namespace {

const std::string with_token = std::string("Authorization: Bearer ") + token + "\r\n";

events::envelope passed(std::int64_t course, std::int64_t lesson, std::int64_t student = 900)
{
    events::lesson_passed e;
    e.course_id = course;
    e.stepik_user_id = student;
    e.lesson_id = lesson;
    e.passed_before = e.seen_at = base::now();
    return events::wrap("stepik-sync", e);
}

// Appends to the log the way the daemon does.
async::task<void> append(running_gateway& g, events::envelope e)
{
    std::vector<feed_record> records;
    records.push_back(record_of(e));
    auto body = [&](db::transaction& tx) { append_to_feed(tx, records); };
    co_await g.db().transact(body);
}

// A transaction of another process that has appended and not committed yet.
struct late_writer
{
    explicit late_writer(running_gateway& g) : session(g.settings()) {}

    void begin(std::int64_t lesson)
    {
        const auto e = passed(5, lesson);
        session.execute_plain(
            "BEGIN; INSERT INTO accounts.feed (event_id, event, type, course_id) VALUES ('" +
            base::to_string(e.id) + "', '" + e.to_body() + "', 'lesson_passed', 5)");
    }
    void commit() { session.execute_plain("NOTIFY feed; COMMIT"); }

    db::session session;
};

document data_of(const std::optional<http::sse_event>& e)
{
    document out;
    out.text = e ? e->data : "";
    return out;
}

std::int64_t lesson_of(const std::optional<http::sse_event>& e)
{
    if (!e)
        return -1;
    return std::stoll(data_of(e).at("/lesson_id"));
}

} // namespace

TEST_CASE("a stream shows what happens from now on, with id, type and data")
{
    running_gateway g;
    auto watch = [&]() -> async::task<void> {
        co_await append(g, passed(5, 1)); // before anybody looks
        sse_client stream(g.executor(), g.port());
        const auto status = co_await stream.open("/v1/grants/stream", with_token);
        CHECK(status == "HTTP/1.1 200 OK");
        CHECK(stream.head().find("text/event-stream") != std::string::npos);
        CHECK(stream.head().find("Cache-Control: no-store") != std::string::npos);
        const bool follows =
            co_await testkit::eventually_async(20s, [&] { return g.feed().followers() == 1; });
        CHECK(follows);
        const auto e = passed(5, 2);
        co_await append(g, e);
        const auto seen = co_await stream.next(20s);
        REQUIRE(seen);
        CHECK(seen->event == "lesson_passed");
        CHECK(parse_feed_place(seen->id).has_value());
        const auto data = data_of(seen);
        CHECK(data.at("/lesson_id") == "2");
        CHECK(data.at("/course_id") == "5");
        CHECK(data.at("/event_id") == base::to_string(e.id));
        CHECK(data.at("/type") == "lesson_passed");
        CHECK(data.at("/time") == base::to_iso8601(e.time));
        stream.close();
        const bool left = co_await testkit::eventually_async(20s, [&] { return g.feed().followers() == 0; });
        CHECK(left);
    };
    g.run(watch);
}

TEST_CASE("a page hears that something about its reader has changed, and of nobody else")
{
    classroom c;
    c.sign_in();
    auto watch = [&]() -> async::task<void> {
        sse_client stream(c.g.executor(), c.g.port());
        const auto cookie = "Cookie: __Host-session=" + c.b.token() + "\r\n";
        const auto status = co_await stream.open("/dashboard/moves", cookie);
        CHECK(status == "HTTP/1.1 200 OK");
        const bool follows =
            co_await testkit::eventually_async(20s, [&] { return c.g.feed().followers() == 1; });
        CHECK(follows);
        co_await append(c.g, passed(5, 1, 901));
        co_await append(c.g, passed(5, 2)); // Anna's, by her Stepik id
        const auto seen = co_await stream.next(20s);
        REQUIRE(seen);
        CHECK(seen->event == "moved");
        CHECK(seen->data == "1"); // what it was is the page's to say
        events::grant_failed failed;
        failed.user_id = base::parse_uuid(c.anna).value();
        const auto about_her = events::wrap("boomstream-grant", failed); // by her id here
        co_await append(c.g, about_her);
        const auto again = co_await stream.next(20s);
        CHECK(again.has_value());
        stream.close();
        const bool left =
            co_await testkit::eventually_async(20s, [&] { return c.g.feed().followers() == 0; });
        CHECK(left);
        const std::string nothing;
        sse_client stranger(c.g.executor(), c.g.port());
        const auto refused = co_await stranger.open("/dashboard/moves", nothing);
        CHECK(refused == "HTTP/1.1 302 Found");
    };
    c.g.run(watch);
}

TEST_CASE("a stream is woken, not polled")
{
    running_gateway g;
    auto watch = [&]() -> async::task<void> {
        sse_client stream(g.executor(), g.port());
        co_await stream.open("/v1/grants/stream", with_token);
        co_await testkit::eventually_async(20s, [&] { return g.feed().followers() == 1; });
        // An older transaction of another test on the same server may hold an event back: one of ten is
        // enough.
        auto fastest = std::chrono::steady_clock::duration::max();
        for (int lesson = 1; lesson <= 10 && fastest > 300ms; ++lesson) {
            const auto began = std::chrono::steady_clock::now();
            co_await append(g, passed(5, lesson));
            const auto seen = co_await stream.next(20s);
            CHECK(lesson_of(seen) == lesson);
            fastest = std::min(fastest, std::chrono::steady_clock::now() - began);
        }
        CHECK(fastest < 300ms); // the poll behind it comes once a second
        stream.close();
    };
    g.run(watch);
}

TEST_CASE("a stream resumes after the last event that was seen, with nothing left out")
{
    running_gateway g;
    auto watch = [&]() -> async::task<void> {
        std::string last;
        {
            sse_client stream(g.executor(), g.port());
            co_await stream.open("/v1/grants/stream", with_token);
            co_await testkit::eventually_async(20s, [&] { return g.feed().followers() == 1; });
            co_await append(g, passed(5, 1));
            co_await append(g, passed(5, 2));
            const auto first = co_await stream.next(20s);
            CHECK(lesson_of(first) == 1);
            last = first->id;
            stream.close();
        }
        for (int lesson = 3; lesson < 700; ++lesson) // more than a page of the table
            co_await append(g, passed(5, lesson));
        sse_client stream(g.executor(), g.port());
        co_await stream.open("/v1/grants/stream", with_token + "Last-Event-ID: " + last + "\r\n");
        co_await testkit::eventually_async(20s, [&] { return g.feed().followers() == 1; });
        co_await append(g, passed(5, 700));
        for (int lesson = 2; lesson <= 700; ++lesson) {
            const auto e = co_await stream.next(20s);
            REQUIRE(lesson_of(e) == lesson);
        }
        const auto nothing_more = co_await stream.next(100ms);
        CHECK_FALSE(nothing_more);
        stream.close();
    };
    g.run(watch);
}

TEST_CASE("a stream that was cut before its first event shows what came in the gap")
{
    running_gateway g;
    auto watch = [&]() -> async::task<void> {
        co_await append(g, passed(5, 1));
        sse_client stream(g.executor(), g.port());
        co_await stream.open("/v1/grants/stream?types=lesson_passed", with_token);
        const auto nothing_yet = co_await stream.next(100ms);
        CHECK_FALSE(nothing_yet);
        const auto opening = stream.last_id();
        REQUIRE(parse_feed_place(opening).has_value());
        stream.close();
        co_await append(g, passed(5, 2)); // nobody follows
        sse_client again(g.executor(), g.port());
        co_await again.open(
            "/v1/grants/stream?types=lesson_passed", with_token + "Last-Event-ID: " + opening + "\r\n");
        const auto e = co_await again.next(20s);
        CHECK(lesson_of(e) == 2);
        again.close();
    };
    g.run(watch);
}

TEST_CASE("a stream that was cut while older transactions ran shows the gap, and not what was there before")
{
    running_gateway g;
    late_writer late(g), later(g);
    auto watch = [&]() -> async::task<void> {
        late.begin(1);
        co_await append(g, passed(5, 2));
        later.begin(3);
        co_await append(g, passed(5, 4));
        std::string place;
        {
            sse_client stream(g.executor(), g.port());
            co_await stream.open("/v1/grants/stream", with_token);
            const auto nothing_yet = co_await stream.next(100ms);
            CHECK_FALSE(nothing_yet);
            place = stream.last_id();
            stream.close();
        }
        late.commit();
        {
            sse_client stream(g.executor(), g.port());
            co_await stream.open("/v1/grants/stream", with_token + "Last-Event-ID: " + place + "\r\n");
            const auto e = co_await stream.next(20s);
            CHECK(lesson_of(e) == 1);
            place = e ? e->id : "";
            stream.close();
        }
        later.commit();
        co_await append(g, passed(5, 5));
        sse_client stream(g.executor(), g.port());
        co_await stream.open("/v1/grants/stream", with_token + "Last-Event-ID: " + place + "\r\n");
        auto e = co_await stream.next(20s);
        CHECK(lesson_of(e) == 3);
        e = co_await stream.next(20s);
        CHECK(lesson_of(e) == 5);
        stream.close();
    };
    g.run(watch);
}

TEST_CASE("what was there before a stream began is not new, even while an older transaction runs")
{
    running_gateway g;
    late_writer late(g);
    auto watch = [&]() -> async::task<void> {
        late.begin(1);
        co_await append(g, passed(5, 2));
        sse_client stream(g.executor(), g.port());
        co_await stream.open("/v1/grants/stream", with_token);
        co_await testkit::eventually_async(20s, [&] { return g.feed().followers() == 1; });
        co_await append(g, passed(5, 3));
        late.commit();
        auto e = co_await stream.next(20s);
        CHECK(lesson_of(e) == 1); // committed after the stream began: news
        e = co_await stream.next(20s);
        CHECK(lesson_of(e) == 3);
        stream.close();
    };
    g.run(watch);
}

TEST_CASE("a transaction that commits late is not stepped over")
{
    running_gateway g;
    late_writer late(g);
    auto watch = [&]() -> async::task<void> {
        sse_client early(g.executor(), g.port());
        co_await early.open("/v1/grants/stream", with_token);
        co_await testkit::eventually_async(20s, [&] { return g.feed().followers() == 1; });
        late.begin(1);                    // took its place in the log first
        co_await append(g, passed(5, 2)); // was committed first
        const auto too_soon = co_await early.next(300ms);
        CHECK_FALSE(too_soon); // a reader that showed 2 now would never show 1
        late.commit();
        auto e = co_await early.next(20s);
        CHECK(lesson_of(e) == 1);
        const auto first_id = e->id;
        e = co_await early.next(20s);
        CHECK(lesson_of(e) == 2);

        // Who comes later and asks for all of it sees the same in the same order.
        sse_client resumed(g.executor(), g.port());
        co_await resumed.open("/v1/grants/stream", with_token + "Last-Event-ID: 0.0\r\n");
        e = co_await resumed.next(20s);
        CHECK(e->id == first_id);
        e = co_await resumed.next(20s);
        CHECK(lesson_of(e) == 2);
        early.close();
        resumed.close();
    };
    g.run(watch);
}

TEST_CASE("streams at different places each see everything once and in order")
{
    running_gateway g;
    auto watch = [&]() -> async::task<void> {
        for (int lesson = 1; lesson <= 20; ++lesson)
            co_await append(g, passed(5, lesson));
        std::vector<std::unique_ptr<sse_client>> streams;
        for (int i = 0; i < 3; ++i) {
            // Some join while others are already following, and events go on meanwhile.
            streams.push_back(std::make_unique<sse_client>(g.executor(), g.port()));
            co_await streams.back()->open("/v1/grants/stream", with_token + "Last-Event-ID: 0.0\r\n");
            co_await append(g, passed(5, 21 + i));
        }
        for (const auto& s : streams) {
            for (int lesson = 1; lesson <= 23; ++lesson) {
                const auto e = co_await s->next(20s);
                CHECK(lesson_of(e) == lesson);
            }
            const auto nothing_more = co_await s->next(100ms);
            CHECK_FALSE(nothing_more);
            s->close();
        }
    };
    g.run(watch);
}

TEST_CASE("a stream shows only the course and the types it was asked for")
{
    running_gateway g;
    g.add_course(6);
    auto watch = [&]() -> async::task<void> {
        sse_client one_course(g.executor(), g.port());
        co_await one_course.open("/v1/grants/stream?course=6", with_token);
        sse_client one_type(g.executor(), g.port());
        co_await one_type.open("/v1/grants/stream?types=grant_failed,grant_issued", with_token);
        co_await testkit::eventually_async(20s, [&] { return g.feed().followers() == 2; });
        co_await append(g, passed(5, 1));
        co_await append(g, passed(6, 2));
        events::grant_failed failed;
        failed.grant_id = failed.user_id = base::new_uuid();
        failed.course_id = 5;
        failed.lesson_id = 3;
        failed.subscription_code = "SBX1";
        failed.reason = "no";
        failed.failed_at = base::now();
        const auto envelope = events::wrap("boomstream-grant", failed);
        co_await append(g, envelope);
        const auto a = co_await one_course.next(20s);
        CHECK(lesson_of(a) == 2);
        const auto b = co_await one_type.next(20s);
        CHECK(lesson_of(b) == 3);
        CHECK(b->event == "grant_failed");
        const auto none = co_await one_course.next(100ms);
        CHECK_FALSE(none);
        one_course.close();
        one_type.close();
    };
    g.run(watch);
}

TEST_CASE("a stream starts at a time of the past when asked to")
{
    running_gateway g;
    auto watch = [&]() -> async::task<void> {
        co_await append(g, passed(5, 1));
        co_await append(g, passed(5, 2));
        g.sql("UPDATE accounts.feed SET recorded_at = '2026-01-01' WHERE lesson_id = 1;"
              "UPDATE accounts.feed SET recorded_at = '2026-01-03' WHERE lesson_id = 2");
        sse_client stream(g.executor(), g.port());
        co_await stream.open("/v1/grants/stream?since=2026-01-02T00:00:00Z", with_token);
        const auto e = co_await stream.next(20s);
        CHECK(lesson_of(e) == 2);
        stream.close();
    };
    g.run(watch);
}

TEST_CASE("a stream from a time of the past does not step over a transaction that commits late")
{
    running_gateway g;
    late_writer late(g);
    auto watch = [&]() -> async::task<void> {
        const auto since = base::to_iso8601(base::now() - 1min);
        late.begin(1);
        co_await append(g, passed(5, 2));
        sse_client stream(g.executor(), g.port());
        co_await stream.open("/v1/grants/stream?since=" + since, with_token);
        const auto too_soon = co_await stream.next(100ms);
        CHECK_FALSE(too_soon);
        late.commit();
        auto e = co_await stream.next(20s);
        CHECK(lesson_of(e) == 1);
        e = co_await stream.next(20s);
        CHECK(lesson_of(e) == 2);
        stream.close();
    };
    g.run(watch);
}

TEST_CASE("a reader that is too slow is cut and resumes where it was")
{
    running_gateway g;
    auto watch = [&]() -> async::task<void> {
        const auto executor = g.executor();
        const auto slow = std::make_shared<feed_reader::follower>(executor, feed_filter{});
        auto end = [&](db::transaction& tx) { return feed_end(tx); };
        const auto from = co_await g.db().transact(end);
        g.feed().attach(slow, from.after);
        std::vector<feed_record> many;
        for (std::size_t i = 0; i <= feed_reader::most_buffered; ++i)
            many.push_back(record_of(passed(5, 1)));
        auto write = [&](db::transaction& tx) { append_to_feed(tx, many); };
        co_await g.db().transact(write);
        const bool cut = co_await testkit::eventually_async(10s, [&] { return slow->cut; });
        CHECK(cut);
        CHECK(slow->items.empty()); // its memory is free at once
        g.feed().detach(slow);
    };
    g.run(watch);
}

TEST_CASE("a stream goes on after the database was away")
{
    running_gateway g;
    auto watch = [&]() -> async::task<void> {
        sse_client stream(g.executor(), g.port());
        co_await stream.open("/v1/grants/stream", with_token);
        co_await testkit::eventually_async(20s, [&] { return g.feed().followers() == 1; });
        g.cut_connections(false);
        std::exception_ptr failure;
        try {
            co_await append(g, passed(5, 1));
        }
        catch (const base::dependency_down&) {
            failure = std::current_exception();
        }
        if (failure)
            co_await append(g, passed(5, 1));
        const auto e = co_await stream.next(20s);
        CHECK(lesson_of(e) == 1);
        stream.close();
    };
    g.run(watch);
}

TEST_CASE("a stopping server ends its streams within seconds")
{
    std::unique_ptr<sse_client> stream;
    auto began = std::chrono::steady_clock::now();
    {
        running_gateway g;
        auto watch = [&]() -> async::task<void> {
            stream = std::make_unique<sse_client>(g.executor(), g.port());
            co_await stream->open("/v1/grants/stream", with_token);
            co_await testkit::eventually_async(20s, [&] { return g.feed().followers() == 1; });
        };
        g.run(watch);
        began = std::chrono::steady_clock::now();
        g.stop();
        CHECK(std::chrono::steady_clock::now() - began < 5s);
        CHECK(g.feed().followers() == 0);
        stream.reset(); // before the loop it lives on
    }
}

TEST_CASE("a bad wish for a stream is refused by name")
{
    running_gateway g;
    CHECK(g.call("GET", "/v1/grants/stream?course=x").refusal() == "400 invalid_value course");
    CHECK(g.call("GET", "/v1/grants/stream?course=7").refusal() == "404 course_not_found course");
    CHECK(g.call("GET", "/v1/grants/stream?types=Grant!").refusal() == "400 invalid_value types");
    CHECK(g.call("GET", "/v1/grants/stream?types=a,,b").refusal() == "400 invalid_value types");
    CHECK(g.call("GET", "/v1/grants/stream?since=today").refusal() == "400 invalid_value since");
    CHECK(g.call("GET", "/v1/grants/stream?until=1").refusal() == "400 unknown_field until");
    CHECK(g.call("GET", "/v1/grants/stream", "", {{"Last-Event-ID", "7"}}).refusal() ==
          "400 invalid_value Last-Event-ID");
}
