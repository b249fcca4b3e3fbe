// A database with every slice's schema, a stub Boomstream over HTTP, and one or more instances of the
// daemon's workers in front of it: what a life-cycle test needs. Facts are written into the tables of the
// slices that own them, as those slices would; events are given to the daemon's own handlers.
#pragma once

#include "clients/boomstream_client.hpp"
#include "coursegate/base/encoding.hpp"
#include "coursegate/base/keyring.hpp"
#include "coursegate/db/transaction.hpp"
#include "coursegate/events/access_rule_changed.hpp"
#include "coursegate/events/account_linked.hpp"
#include "coursegate/events/audit_requested.hpp"
#include "coursegate/events/boom_code_rotated.hpp"
#include "coursegate/events/course_connected.hpp"
#include "coursegate/events/grant_requested.hpp"
#include "coursegate/events/grant_revoke_requested.hpp"
#include "coursegate/events/lesson_media_changed.hpp"
#include "coursegate/events/lesson_passed.hpp"
#include "coursegate/events/student_enrolled.hpp"
#include "coursegate/testkit/database.hpp"
#include "handlers/on_events.hpp"
#include "handlers/workers.hpp"
#include "stub_boomstream.hpp"

#include <boost/asio/io_context.hpp>
#include <catch2/catch.hpp>

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace coursegate::boomstream_grant::test {

using namespace std::chrono_literals;

inline constexpr std::int64_t course_id = 247644;

// One process: its own connections, its own workers.
struct instance
{
    instance(async::executor ex, const testkit::database& db, const base::keyring& keys,
        const std::string& url, worker_settings s, int circuit_after)
        : pool(ex, pool_settings(db)), web(ex, web_settings(s, circuit_after)),
          boomstream(web, client_settings_of(url, s)), grants(ex, pool, keys, boomstream, s)
    {
        subscribe(subs, ex, pool);
    }

    static db::settings pool_settings(const testkit::database& db)
    {
        return db.settings_as("boomstream-grant");
    }
    static http::client_settings web_settings(const worker_settings& s, int circuit_after)
    {
        http::client_settings out;
        out.connections_per_host = static_cast<std::size_t>(s.budget.concurrency) + 2;
        out.circuit_after = circuit_after;
        return out;
    }
    static boomstream_settings client_settings_of(const std::string& url, const worker_settings& s)
    {
        boomstream_settings out;
        out.url = url;
        out.play_url = url;
        out.deadline = s.call_deadline;
        return out;
    }

    async::task<void> start()
    {
        co_await pool.start();
        co_await grants.start();
    }
    async::task<void> stop()
    {
        co_await grants.stop();
        co_await pool.stop();
    }

    db::pool pool;
    http::client web;
    boomstream_client boomstream;
    workers grants;
    events::subscriptions subs;
};

class world
{
public:
    world() : keys(base::secret(base::to_base64(base::random_bytes(32)))), stub(loop.get_executor())
    {
        settings.budget.rate = 0;
        settings.budget.concurrency = 4;
        settings.call_deadline = 2000ms; // not a limit that a busy machine meets
        settings.poll = 50ms;
    }

    // Runs `body` with the stub and `instances` workers up.
    void play(
        std::function<async::task<void>()> body, int instances = 1, std::chrono::milliseconds limit = 120s)
    {
        testkit::run(
            loop,
            [&]() -> async::task<void> {
                co_await stub.start();
                for (int i = 0; i < instances; ++i)
                    co_await add_instance();
                std::exception_ptr fault;
                try {
                    co_await body();
                }
                catch (...) {
                    fault = std::current_exception();
                }
                for (auto& d : daemons)
                    co_await d->stop();
                co_await stub.stop();
                if (fault)
                    std::rethrow_exception(fault);
            },
            limit);
        daemons.clear();
        CHECK(stub.unexpected.empty());
        CHECK(stub.most_at_once <= 1);
    }

    async::task<void> add_instance()
    {
        daemons.push_back(std::make_unique<instance>(
            loop.get_executor(), database, keys, stub.url(), settings, circuit_after));
        co_await daemons.back()->start();
    }

    // --- Facts ---

    void sql(const std::string& text)
    {
        database.owner().transact([&](db::transaction& tx) { tx.exec_script(text); });
    }

    void add_course(std::int64_t id = course_id, const std::string& default_subscription = "SBXGROUP",
        const std::string& key = "stub-key")
    {
        static constexpr db::statement insert{"test.add_course",
            "insert into catalog.courses (course_id, title, source, stepik_client_id, "
            "stepik_client_secret_box,"
            " boomstream_api_key_box, default_subscription) values ($1, 'a course', 'admin', 'x', 'x', $2, "
            "nullif($3, ''))"};
        const auto row = std::to_string(id);
        const auto box = keys.seal({"catalog.courses", "boomstream_api_key_box", row}, base::secret(key));
        database.owner().transact(
            [&](db::transaction& tx) { tx.exec(insert, id, db::bytes(box), default_subscription); });
        sql("insert into learning.stepik_modules (course_id, module_id, position, title) values (" + row +
            ", 1, 1, 'm')");
    }

    void set_key(const std::string& key, std::int64_t id = course_id)
    {
        static constexpr db::statement update{"test.set_key",
            "update catalog.courses set boomstream_api_key_box = $2, changed_at = now() "
            "where course_id = $1"};
        const auto row = std::to_string(id);
        const auto box = keys.seal({"catalog.courses", "boomstream_api_key_box", row}, base::secret(key));
        database.owner().transact([&](db::transaction& tx) { tx.exec(update, id, db::bytes(box)); });
    }

    void add_lesson(std::int64_t id, int tasks = 2, std::int64_t course = course_id)
    {
        static constexpr db::statement insert{"test.add_lesson",
            "insert into learning.stepik_lessons (course_id, lesson_id, module_id, position, title, "
            "steps_amount, gradable_steps,"
            " first_seen_at) values ($1, $2, 1, $3, 'l', 3, $4, now())"};
        const int position = static_cast<int>(id % 1000);
        database.owner().transact([&](db::transaction& tx) { tx.exec(insert, course, id, position, tasks); });
    }

    void attach(std::int64_t lesson, const std::string& media, const std::string& subscription = "",
        int part = 1, std::int64_t course = course_id)
    {
        static constexpr db::statement insert{"test.attach",
            "insert into catalog.lesson_media (course_id, lesson_id, part, boom_media, subscription_code)"
            " values ($1, $2, $3, $4, nullif($5, ''))"};
        database.owner().transact(
            [&](db::transaction& tx) { tx.exec(insert, course, lesson, part, media, subscription); });
        // As if it had been attached long ago, before the test's passes.
        sql("insert into access.media_since (course_id, lesson_id, subscription_code, since) select "
            "course_id, lesson_id,"
            " coalesce(subscription_code, 'SBXGROUP'), now() - interval '1 day' from catalog.lesson_media on "
            "conflict do nothing");
    }

    void set_rule(
        const std::string& scope, std::int64_t id, const std::string& rule, const std::string& days = "null")
    {
        sql("insert into catalog.access_rules (course_id, scope, scope_id, rule, days) values (" +
            std::to_string(course_id) + ", '" + scope + "', " + std::to_string(id) + ", '" + rule + "', " +
            days +
            ") on conflict (course_id, scope, scope_id) do update set rule = excluded.rule, days = "
            "excluded.days");
    }

    // An account of yesterday. No Stepik id: 0. No code: empty.
    base::uuid add_user(std::int64_t stepik_id, const std::string& code = "123456789")
    {
        static constexpr db::statement insert{"test.add_user",
            "insert into accounts.users (id, email, stepik_user_id, boom_code_box, boom_code_hmac, "
            "created_at)"
            " values ($1, $2, nullif($3::bigint, 0), $4, $5, now() - interval '1 day')"};
        const auto id = base::new_uuid();
        const auto row = base::to_string(id);
        const db::param none(std::nullopt);
        const auto box = code.empty() ? none : db::bytes(seal_code(id, code));
        const auto hmac = code.empty() ? none : db::bytes(keys.hmac("boom_code", code));
        database.owner().transact(
            [&](db::transaction& tx) { tx.exec(insert, id, row + "@example.org", stepik_id, box, hmac); });
        if (stepik_id != 0)
            enrol(stepik_id);
        return id;
    }

    void set_code(const base::uuid& user, const std::string& code)
    {
        static constexpr db::statement update{"test.set_code",
            "update accounts.users set boom_code_box = $2, boom_code_hmac = $3, "
            "code_version = code_version + 1 where id = $1"};
        database.owner().transact([&](db::transaction& tx) {
            tx.exec(update, user, db::bytes(seal_code(user, code)), db::bytes(keys.hmac("boom_code", code)));
        });
    }

    std::string seal_code(const base::uuid& user, const std::string& code)
    {
        const auto row = base::to_string(user);
        return keys.seal({"accounts.users", "boom_code_box", row}, base::secret(code));
    }

    void enrol(std::int64_t stepik_id, const std::string& joined = "now() - interval '2 days'")
    {
        sql("insert into learning.enrolments (course_id, stepik_user_id, date_joined, last_read_at, "
            "first_seen_at, in_first_sweep,"
            " found_by) values (" +
            std::to_string(course_id) + ", " + std::to_string(stepik_id) + ", " + joined +
            ", now(), now(), false, gen_random_uuid()) on conflict do nothing");
    }

    // The pass as stepik-sync writes it; tell it with pass_event.
    void write_pass(std::int64_t stepik_id, std::int64_t lesson, bool backfill = false)
    {
        enrol(stepik_id);
        sql("insert into learning.lesson_progress (course_id, stepik_user_id, lesson_id, passed, "
            "steps_passed, steps_total,"
            " missing_steps, passed_after, passed_before, seen_at, backfill, found_by) values (" +
            std::to_string(course_id) + ", " + std::to_string(stepik_id) + ", " + std::to_string(lesson) +
            ", true, 2, 2, '{}', now() - interval '5 minutes', now(), now(), " +
            (backfill ? "true" : "false") + ", gen_random_uuid()) on conflict do nothing");
    }

    static events::lesson_passed pass_event(
        std::int64_t stepik_id, std::int64_t lesson, bool backfill = false)
    {
        events::lesson_passed e;
        e.course_id = course_id;
        e.stepik_user_id = stepik_id;
        e.lesson_id = lesson;
        e.passed_before = e.seen_at = base::now();
        e.backfill = backfill;
        return e;
    }

    // --- Events ---

    template <events::event E>
    async::task<void> deliver(E e, std::string queue = "boomstream-grant.changes", std::size_t to = 0)
    {
        const auto envelope = events::wrap("test", e);
        co_await deliver_envelope(envelope, std::move(queue), to);
    }

    async::task<void> deliver_envelope(events::envelope envelope, std::string queue, std::size_t to = 0)
    {
        auto& subs = daemons.at(to)->subs;
        const auto* entry = subs.find(queue, envelope.type, envelope.version);
        REQUIRE(entry);
        events::message_context context;
        context.envelope = std::move(envelope);
        context.handler = entry->handler_name;
        context.queue = queue;
        const auto verdict = co_await entry->handler(context);
        CHECK(verdict.what() == events::verdict::kind::ack);
    }

    async::task<void> pass(std::int64_t stepik_id, std::int64_t lesson, std::size_t to = 0)
    {
        write_pass(stepik_id, lesson);
        auto e = pass_event(stepik_id, lesson);
        co_await deliver(e, "boomstream-grant.passes", to);
    }

    async::task<base::uuid> order(const base::uuid& user, std::int64_t lesson, bool is_grant)
    {
        const auto id = base::new_uuid();
        if (is_grant) {
            events::grant_requested e;
            e.request_id = id;
            e.user_id = user;
            e.course_id = course_id;
            e.lesson_id = lesson;
            e.actor = "anna";
            e.reason = "by hand";
            co_await deliver(e, "boomstream-grant.orders");
        }
        else {
            events::grant_revoke_requested e;
            e.request_id = id;
            e.user_id = user;
            e.course_id = course_id;
            e.lesson_id = lesson;
            e.actor = "anna";
            e.reason = "refund";
            co_await deliver(e, "boomstream-grant.orders");
        }
        co_return id;
    }

    async::task<base::uuid> audit(bool dry_run, int budget)
    {
        events::audit_requested e;
        e.request_id = base::new_uuid();
        e.course_id = course_id;
        e.dry_run = dry_run;
        e.budget = budget;
        e.actor = "anna";
        co_await deliver(e, "boomstream-grant.orders");
        co_return e.request_id;
    }

    // --- Looking ---

    std::string one(const std::string& query)
    {
        return database.owner().transact([&](db::transaction& tx) {
            const db::statement s{"test.one", query, false};
            const auto r = tx.exec(s);
            return r.empty() || r[0][0].is_null() ? std::string() : std::string(r[0][0].c_str());
        });
    }
    int number(const std::string& query) { return std::stoi("0" + one(query)); }

    std::string state(const base::uuid& user, std::int64_t lesson)
    {
        return one("select string_agg(state, ',' order by subscription_code) from access.v_grants where "
                   "user_id = '" +
                   base::to_string(user) + "' and lesson_id = " + std::to_string(lesson));
    }
    std::string reason(const base::uuid& user, std::int64_t lesson)
    {
        return one("select reason from access.v_lesson_decision where user_id = '" + base::to_string(user) +
                   "' and lesson_id = " + std::to_string(lesson));
    }
    int outbox(const std::string& type)
    {
        return number("select count(*) from access.outbox where type = '" + type + "'");
    }
    std::string request(const base::uuid& id)
    {
        return one("select state from access.v_requests where request_id = '" + base::to_string(id) + "'");
    }

    // Waits; a failure names what was waited for.
    async::task<void> until(
        std::string what, std::function<bool()> done, std::chrono::milliseconds limit = 30s)
    {
        const bool came = co_await testkit::eventually_async(limit, std::move(done));
        INFO("waited for: " << what << "\ngrants: " << dump("grants") << "\nbuyers: " << dump("buyers")
                            << "\nrequests: " << dump("requests"));
        REQUIRE(came);
    }
    async::task<void> until_state(base::uuid user, std::int64_t lesson, std::string wanted)
    {
        const std::function<bool()> reached = [this, user, lesson, wanted] {
            return state(user, lesson) == wanted;
        };
        co_await until("lesson " + std::to_string(lesson) + " " + wanted, reached);
    }
    std::string dump(const std::string& table)
    {
        return one("select string_agg(row_to_json(t)::text, E'\\n') from (select * from access." + table +
                   " limit 20) t");
    }

    // Time passes for calls of unknown outcome: whatever was under way at Boomstream is over, and its lists
    // may be read again.
    void nothing_is_under_way()
    {
        sql("update access.buyers set asked_until = now() where asked_until is not null;"
            "update access.subscription_lists set next_at = now()");
    }
    // An addbuyer is unknown, and an early look has not found it.
    async::task<void> not_found_early()
    {
        co_await until("an early list without it", [this] {
            return stub.calls["listbuyers"] == 1 &&
                   number("select count(*) from access.buyers where state = 'asked' and read_from is null") ==
                       1;
        });
    }

    // True when nothing waits: no named student, no due or flying call.
    bool quiet()
    {
        return number("select count(*) from access.dirty") == 0 &&
               number("select count(*) from access.buyers where due_at is not null or asked_until is not "
                      "null") == 0;
    }

    boost::asio::io_context loop;
    testkit::database database;
    base::keyring keys;
    stub_boomstream stub;
    worker_settings settings;
    int circuit_after = 1000; // the circuit is libs/http's; it would only stand in the way of ugly answers
    std::vector<std::unique_ptr<instance>> daemons;
};

} // namespace coursegate::boomstream_grant::test
