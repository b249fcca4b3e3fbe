// The program itself against a broker and a database of its own.
#include "coursegate/amqp/inspect.hpp"
#include "coursegate/amqp/publisher.hpp"
#include "coursegate/base/encoding.hpp"
#include "coursegate/db/transaction.hpp"
#include "coursegate/slices/slices.hpp"
#include "coursegate/testkit/broker.hpp"
#include "coursegate/testkit/database.hpp"
#include "coursegate/testkit/process.hpp"
#include "coursegate/testkit/run.hpp"

#include <boost/asio/io_context.hpp>
#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

using namespace coursegate;
using namespace std::chrono_literals;

namespace {

struct ran
{
    int code = -1;
    std::string output;

    bool says(const std::string& text) const { return output.find(text) != std::string::npos; }
};

amqp::topology one_queue(const std::string& name)
{
    amqp::topology t;
    t.queues.emplace_back();
    t.queues[0].name = name;
    t.queues[0].bindings = {"sweep_page_due.v1"};
    return t;
}

// An operator at a terminal.
struct terminal
{
    explicit terminal(const amqp::topology& t) : wanted(t), broker(t), look(broker.settings()) {}

    ran ctl(std::vector<std::string> words, const std::string& owner_url = {},
        const std::map<std::string, std::string>& settings = {})
    {
        testkit::process_options o;
        o.program = testkit::built_program("coursegate-ctl");
        o.arguments = std::move(words);
        o.environment = {{"AMQP_URL", broker.url()}, {"AMQP_PREFIX", broker.prefix()}};
        if (!owner_url.empty())
            o.environment["MIGRATE_DATABASE_URL"] = owner_url;
        o.environment.insert(settings.begin(), settings.end());
        testkit::process program(std::move(o));
        ran out;
        out.code = program.wait(60s).value_or(-1);
        out.output = program.output();
        return out;
    }

    void put(const std::string& queue, const std::vector<std::string>& ids, const std::string& body = "{}")
    {
        boost::asio::io_context loop;
        amqp::publisher publisher(loop.get_executor(), broker.settings(), wanted);
        auto publish = [&]() -> async::task<void> {
            co_await publisher.start();
            for (const auto& id : ids) {
                amqp::copy c;
                c.queue = name(queue);
                c.message_id = id;
                c.type = "sweep_page_due";
                c.body = body;
                c.headers["x-reason"] = "attempts ran out";
                const auto outcome = co_await publisher.publish_copy(c);
                CHECK(outcome == events::delivery::confirmed);
            }
            co_await publisher.stop();
        };
        testkit::run(loop, publish);
    }

    std::string name(const std::string& queue) const { return broker.prefix() + "." + queue; }
    bool holds(const std::string& queue, std::uint64_t count)
    {
        return testkit::eventually(20s, [&] { return look.depth(name(queue)).value_or(0) == count; });
    }

    amqp::topology wanted;
    testkit::broker broker;
    amqp::inspector look;
};

constexpr auto work = "stepik-sync.work";
constexpr auto dead = "stepik-sync.work.dead";

} // namespace

TEST_CASE("a redrive says what it would do, and does it when told to")
{
    terminal t(one_queue(work));
    CHECK(t.ctl({"dead", "redrive", work}).says("nothing to push back"));
    t.put(dead, {"a", "b", "c"});
    auto done = t.ctl({"dead", "redrive", work});
    CHECK(done.code == 0);
    CHECK(done.says("3 messages would go"));
    CHECK(done.says("attempts ran out"));
    CHECK(done.says("nothing was done"));
    CHECK(t.holds(dead, 3));
    CHECK(t.holds(work, 0));

    CHECK(t.ctl({"dead", "redrive", work, "--id", "x", "--yes"}).code == 1);
    done = t.ctl({"dead", "redrive", t.name(dead), "--id", "b", "--yes"});
    CHECK(done.code == 0);
    CHECK(done.says("1 pushed back"));
    CHECK(t.holds(dead, 2));
    const auto arrived = t.look.drain(t.name(work), 10);
    REQUIRE(arrived.size() == 1);
    CHECK(arrived[0].message_id == "b");
    CHECK(arrived[0].headers.count("x-reason") == 0);

    CHECK(t.ctl({"dead", "redrive", work, "--yes"}).says("2 pushed back"));
    CHECK(t.holds(dead, 0));
    CHECK(t.holds(work, 2));
}

TEST_CASE("a redrive into a queue that is gone loses nothing")
{
    terminal t(one_queue(dead)); // the parked messages are there, the queue they came from is not
    t.put(dead, {"a", "b"});
    const auto done = t.ctl({"dead", "redrive", work, "--yes"});
    CHECK(done.code == 1);
    CHECK(done.says("did not take a copy"));
    CHECK(t.holds(dead, 2));
}

TEST_CASE("a parked message is found by its id however many lie before it")
{
    terminal t(one_queue(work));
    std::vector<std::string> ids;
    for (int i = 1; i <= 25; ++i)
        ids.push_back("message-" + std::to_string(i));
    t.put(dead, ids);
    const auto one = t.ctl({"dead", "show", work, "--id", "message-24"});
    CHECK(one.code == 0);
    CHECK(one.says("message-24  sweep_page_due"));
    CHECK(one.says("1 of 25 shown"));
    CHECK(t.holds(dead, 25));
    CHECK(t.ctl({"dead", "show", work, "--limit", "3"}).says("3 of 25 shown"));
    CHECK(t.ctl({"dead", "show", work}).says("20 of 25 shown"));
    const auto none = t.ctl({"dead", "show", work, "--id", "message-99"});
    CHECK(none.code == 1);
    CHECK(none.says("0 of 25 shown"));
    const auto wrong = t.ctl({"dead", "show", work, "--limit", "0"});
    CHECK(wrong.code == 2);
    CHECK(wrong.says("--limit is at least 1"));
    CHECK(t.ctl({"dead", "list"}).says("25 × attempts ran out"));
}

TEST_CASE("migrate brings an empty system up, and a second run finds nothing to do")
{
    testkit::database database(false);
    terminal t(amqp::topology{});
    const auto first = t.ctl({"migrate"}, database.url());
    INFO(first.output);
    CHECK(first.code == 0);
    CHECK(first.says("applied accounts/0001_"));
    CHECK(first.says("queues declared"));
    const auto second = t.ctl({"migrate"}, database.url());
    INFO(second.output);
    CHECK(second.code == 0);
    CHECK(second.says("database: 0 migrations applied"));
    CHECK(second.says("queues were there"));
    for (const auto& q : slices::whole_topology().queues)
        CHECK(t.look.depth(t.name(q.name)).has_value());
    amqp::remove(t.broker.settings(), slices::whole_topology());
}

TEST_CASE("status tells a script whether something is wrong, and what")
{
    testkit::database database;
    terminal t(slices::whole_topology());
    const auto status = [&](int code) {
        const auto done = t.ctl({"status", "--json"}, database.url());
        INFO(done.output);
        CHECK(done.code == code);
        auto parsed = nlohmann::json::parse(done.output, nullptr, false);
        REQUIRE(parsed.is_object());
        CHECK(parsed["ok"] == (code == 0));
        return parsed;
    };
    auto s = status(0);
    CHECK(s["courses"].empty());
    CHECK(s["queues"].size() == slices::whole_topology().queues.size());
    CHECK(s["outboxes"].size() == slices::all().size());

    // nobody listens to this one, and nobody was meant to
    t.put("unheard", {"a"}, R"({"dataschema": "urn:coursegate:event:course_closed:v1"})");
    CHECK(t.holds("unheard", 1));
    s = status(0);
    CHECK(s["unheard"] == 1);
    CHECK(s["missed"].empty());

    t.put("unheard", {"b", "c"}, R"({"dataschema": "urn:coursegate:event:lesson_passed:v1"})");
    CHECK(t.holds("unheard", 3));
    s = status(3);
    REQUIRE(s["missed"].size() == 1);
    CHECK(s["missed"][0]["event"] == "lesson_passed.v1");
    CHECK(s["missed"][0]["count"] == 2);
    CHECK(s["missed"][0]["queues"].get<std::string>().find("web-gateway.feed") != std::string::npos);
    CHECK(t.ctl({"status"}, database.url()).says("NOT OK: 2 × lesson_passed.v1"));
    CHECK(t.look.drain(t.name("unheard"), 10).size() == 3); // looking left them there

    t.put(dead, {"d"});
    CHECK(t.holds(dead, 1));
    s = status(3);
    CHECK(s["missed"].empty());
    for (const auto& q : s["queues"])
        CHECK(q["parked"] == (q["name"] == work ? 1 : 0));
}

TEST_CASE("the first admin is made once, and is told his code once")
{
    testkit::database database;
    terminal t(slices::whole_topology());
    const std::string token = "a-token-of-this-test";
    const auto port = std::to_string(testkit::free_port());
    testkit::process_options o;
    o.program = testkit::built_program("web-gateway");
    o.environment = {{"AMQP_URL", t.broker.url()}, {"AMQP_PREFIX", t.broker.prefix()},
        {"DATABASE_URL", database.url_as("web-gateway")},
        {"SECRET_KEY", base::to_base64(std::string(32, 'k'))}, {"ADMIN_API_TOKEN", token}, {"PORT", port},
        {"ADMIN_PORT", "0"}};
    testkit::process gateway(std::move(o));
    REQUIRE(gateway.said("\"message\":\"ready\"", 30s));

    const std::map<std::string, std::string> settings{
        {"GATEWAY_URL", "http://127.0.0.1:" + port}, {"GATEWAY_TOKEN", token}};
    const auto admin = [&](std::vector<std::string> words) {
        words.insert(words.begin(), "admin");
        return t.ctl(std::move(words), {}, settings);
    };
    constexpr db::statement admins{"test.admins",
        "select count(*) filter (where role = 'admin') as admins, (select count(*) from accounts.users) as "
        "users,"
        " (select count(*) from accounts.audit_log) as audited from accounts.user_roles"};
    const auto state = [&] {
        return database.owner().transact([&](db::transaction& tx) {
            const auto row = tx.exec(admins)[0];
            return db::get<std::string>(row, "admins") + " of " + db::get<std::string>(row, "users") + ", " +
                   db::get<std::string>(row, "audited") + " audit rows";
        });
    };

    const auto first = admin({"--email", "olga+school@example.org"});
    INFO(first.output);
    CHECK(first.code == 0);
    CHECK(first.says("signs in with the code "));
    CHECK(first.says("olga+school@example.org is an administrator"));
    CHECK(state() == "1 of 1, 2 audit rows");

    const auto second = admin({"--email", "OLGA+school@example.org"});
    CHECK(second.code == 0);
    CHECK_FALSE(second.says("code"));
    CHECK(second.says("is an administrator"));
    CHECK(state() == "1 of 1, 2 audit rows");

    CHECK(admin({}).code == 2);
    CHECK(admin({"olga@example.org"}).code == 2);
    const auto wrong = admin({"--email", "olga"});
    CHECK(wrong.code == 1);
    CHECK(wrong.says("This is not an e-mail address"));
    const auto stranger = t.ctl({"admin", "--email", "x@example.org"}, {},
        {{"GATEWAY_URL", "http://127.0.0.1:" + port}, {"GATEWAY_TOKEN", "another-token-0123"}});
    CHECK(stranger.code == 1);
    CHECK(stranger.says("401"));
    CHECK(state() == "1 of 1, 2 audit rows");
    CHECK(gateway.stop() == 0);
}
