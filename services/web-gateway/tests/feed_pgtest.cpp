#include "handlers/on_event.hpp"

#include "coursegate/async/gate.hpp"
#include "coursegate/db/transaction.hpp"
#include "coursegate/events/grant_issued.hpp"
#include "coursegate/events/lesson_passed.hpp"
#include "coursegate/testkit/database.hpp"
#include "coursegate/testkit/run.hpp"

#include <boost/asio/io_context.hpp>
#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

using namespace coursegate;
using namespace coursegate::web_gateway;

namespace {

events::envelope passed(std::int64_t lesson)
{
    events::lesson_passed e;
    e.course_id = 5;
    e.stepik_user_id = 900;
    e.lesson_id = lesson;
    e.passed_before = e.seen_at = base::now();
    return events::wrap("stepik-sync", e);
}

// The handler over a database of its own.
struct recorded
{
    testkit::database database;
    boost::asio::io_context loop;
    db::pool pool{loop.get_executor(), database.settings_as("web-gateway")};
    on_event handler{pool};

    recorded()
    {
        testkit::run(loop, [this]() -> async::task<void> { co_await pool.start(); });
    }
    ~recorded()
    {
        testkit::run(loop, [this]() -> async::task<void> { co_await pool.stop(); });
    }

    // All at once, as a consumer with that prefetch does. One word per message: ack, dead_letter, or what was
    // thrown.
    std::vector<std::string> deliver(const std::vector<events::envelope>& messages)
    {
        std::vector<std::string> out(messages.size());
        async::gate gate(loop.get_executor());
        auto all = [&]() -> async::task<void> {
            for (std::size_t i = 0; i < messages.size(); ++i)
                gate.spawn("message", [&, i]() -> async::task<void> {
                    events::message_context context;
                    context.envelope = messages[i];
                    try {
                        const auto v = co_await handler.handle(context);
                        out[i] = v.what() == events::verdict::kind::ack ? "ack" : "dead_letter " + v.reason();
                    }
                    catch (const base::dependency_down&) {
                        out[i] = "dependency_down";
                    }
                });
            co_await gate.close(false);
        };
        testkit::run(loop, all);
        return out;
    }

    std::string one(const std::string& query)
    {
        return database.owner().transact([&](db::transaction& tx) {
            const auto rows = tx.exec(db::statement{"test.one", query});
            return rows.empty() || rows[0][0].is_null() ? std::string("(none)")
                                                        : rows[0][0].as<std::string>();
        });
    }
};

} // namespace

TEST_CASE("an event is recorded whole, with what finds it again")
{
    recorded r;
    events::grant_issued issued;
    issued.grant_id = base::new_uuid();
    issued.user_id = base::new_uuid();
    issued.stepik_user_id = 900;
    issued.course_id = 5;
    issued.lesson_id = 501;
    issued.subscription_code = "SBX1";
    issued.cause = "on_pass";
    issued.lane = "fresh";
    issued.wanted_at = issued.confirmed_at = base::now();
    const auto e = events::wrap("boomstream-grant", issued);
    CHECK(r.deliver({e}) == std::vector<std::string>{"ack"});
    const auto event = nlohmann::json::parse(r.one("SELECT event::text FROM accounts.v_feed"));
    CHECK(event == nlohmann::json::parse(e.to_body()));
    CHECK(r.one("SELECT concat_ws(' ', type, course_id, lesson_id, stepik_user_id, user_id) FROM "
                "accounts.feed") == "grant_issued 5 501 900 " + base::to_string(issued.user_id));
}

TEST_CASE("an event of an unknown type is kept too")
{
    recorded r;
    auto e = passed(1);
    e.type = "ticket_sold";
    e.version = 7;
    e.data = R"({"course_id": "not a number", "user_id": "not a uuid", "lesson_id": 1.5})";
    auto list = passed(2);
    list.data = "[1, 2]";
    CHECK(r.deliver({e, list}) == std::vector<std::string>{"ack", "ack"});
    CHECK(r.one("SELECT count(*) FROM accounts.feed WHERE course_id IS NULL AND user_id IS NULL") == "2");
}

TEST_CASE("a message delivered again is one row")
{
    recorded r;
    const auto e = passed(1);
    CHECK(r.deliver({e, e}) == std::vector<std::string>{"ack", "ack"});
    CHECK(r.deliver({e}) == std::vector<std::string>{"ack"});
    CHECK(r.one("SELECT count(*) FROM accounts.feed") == "1");
}

TEST_CASE("many messages share few transactions and keep their order")
{
    recorded r;
    std::vector<events::envelope> many;
    for (int lesson = 1; lesson <= 500; ++lesson)
        many.push_back(passed(lesson));
    CHECK(r.deliver(many) == std::vector<std::string>(500, "ack"));
    CHECK(r.one("SELECT count(*) FROM accounts.feed") == "500");
    CHECK(std::stoi(r.one("SELECT count(DISTINCT xid) FROM accounts.feed")) <= 10);
    CHECK(r.one("SELECT bool_and(lesson_id = nth) FROM (SELECT lesson_id, row_number() OVER (ORDER BY xid, "
                "seq) AS nth"
                " FROM accounts.feed) ordered") == "t");
}

TEST_CASE("an event that can't be stored is parked, and those beside it are recorded")
{
    recorded r;
    auto bad = passed(2);
    bad.data = R"({"course_id": 5, "text": "a\u0000b"})";
    const auto verdicts = r.deliver({passed(1), bad, passed(3)});
    CHECK(verdicts[0] == "ack");
    CHECK(verdicts[1].starts_with("dead_letter"));
    CHECK(verdicts[2] == "ack");
    CHECK(r.one("SELECT count(*) FROM accounts.feed") == "2");
}

TEST_CASE("one event that the database refuses does not take its batch along")
{
    recorded r;
    r.database.owner().execute_plain("ALTER TABLE accounts.feed ADD CONSTRAINT test CHECK (lesson_id <> 2)");
    std::vector<std::string> outcomes(3);
    async::gate gate(r.loop.get_executor());
    auto all = [&]() -> async::task<void> {
        for (int i = 0; i < 3; ++i)
            gate.spawn("message", [&, i]() -> async::task<void> {
                events::message_context context;
                context.envelope = passed(i + 1);
                try {
                    co_await r.handler.handle(context);
                    outcomes[static_cast<std::size_t>(i)] = "ack";
                }
                catch (const db::constraint_violation&) {
                    outcomes[static_cast<std::size_t>(i)] = "refused";
                }
            });
        co_await gate.close(false);
    };
    testkit::run(r.loop, all);
    CHECK(outcomes == std::vector<std::string>{"ack", "refused", "ack"});
}

TEST_CASE("while the database is away messages are handed back, and later recorded")
{
    recorded r;
    const auto name = r.one("SELECT current_database()");
    const auto role = r.one("SELECT usename FROM pg_stat_activity WHERE datname = current_database() AND "
                            "application_name = 'web-gateway' LIMIT 1");
    r.database.owner().execute_plain("REVOKE CONNECT ON DATABASE " + name + " FROM " + role);
    r.one("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = '" + role +
          "' AND datname = current_database()");
    const auto e = passed(1);
    CHECK(r.deliver({e, passed(2)}) == std::vector<std::string>{"dependency_down", "dependency_down"});
    r.database.owner().execute_plain("GRANT CONNECT ON DATABASE " + name + " TO " + role);
    CHECK(testkit::eventually(std::chrono::seconds(5), [&] { return r.deliver({e})[0] == "ack"; }));
    CHECK(r.one("SELECT count(*) FROM accounts.feed") == "1");
}
