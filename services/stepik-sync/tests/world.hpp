// Everything of stepik-sync but the broker: a database of its own, the stand-in for Stepik, the stores and
// the handlers, wired as main.cpp does. Events are delivered by hand; deliver_work() plays the queue
// stepik-sync.work.
#pragma once

#include "clients/stepik_client.hpp"
#include "coursegate/base/keyring.hpp"
#include "coursegate/db/transaction.hpp"
#include "coursegate/events/sync_requested.hpp"
#include "coursegate/testkit/database.hpp"
#include "coursegate/testkit/run.hpp"
#include "handlers/on_course_connected.hpp"
#include "handlers/on_structure_sync_due.hpp"
#include "handlers/on_sweep_page_due.hpp"
#include "handlers/on_sync_requested.hpp"
#include "handlers/timers.hpp"
#include "storage/api_budget.hpp"
#include "stub_stepik.hpp"

#include <catch2/catch.hpp>

namespace coursegate::stepik_sync {

// One process's worth of stepik-sync. Several may share a database and a stand-in.
struct instance
{
    instance(async::executor ex, const testkit::database& database, const std::string& stepik_url,
        const base::keyring& keyring, const std::string& name)
        : pool(ex, database.settings_as("stepik-sync")), web(ex, stepik_client::web_settings()),
          budget(ex, pool, budget_settings(name)), stepik(ex, web, budget, client_settings(stepik_url)),
          health(pool, std::chrono::seconds(300)), structure(pool, std::chrono::seconds(300)),
          sweeps(pool, sweep_settings(name)), requests(pool, std::chrono::seconds(30)), watch(health),
          on_page(stepik, sweeps, structure, watch, keyring), on_structure(stepik, structure, watch, keyring),
          on_connected(structure), on_sync(stepik, requests, watch, keyring)
    {}

    static api_budget::settings budget_settings(const std::string& name)
    {
        api_budget::settings s;
        s.requests_per_second = 5000;
        s.concurrency = 8;
        s.holder = name;
        return s;
    }
    static stepik_client::settings client_settings(const std::string& url)
    {
        stepik_client::settings s;
        s.url = url;
        s.deadline = std::chrono::seconds(5);
        return s;
    }
    static sweep_store::settings sweep_settings(const std::string& name)
    {
        sweep_store::settings s;
        s.instance = name;
        s.requests_per_second = 5000;
        return s;
    }

    db::pool pool;
    http::client web;
    api_budget budget;
    stepik_client stepik;
    health_store health;
    structure_store structure;
    sweep_store sweeps;
    request_store requests;
    connection_watch watch;
    on_sweep_page_due on_page;
    on_structure_sync_due on_structure;
    on_course_connected on_connected;
    on_sync_requested on_sync;

    static events::message_context context_of(const events::envelope& e)
    {
        events::message_context c;
        c.envelope = e;
        return c;
    }

    async::task<events::verdict> deliver(events::envelope e)
    {
        auto context = context_of(e);
        if (e.type == "sweep_page_due") {
            const auto event = events::unwrap<events::sweep_page_due>(e).value();
            co_return co_await on_page(event, context);
        }
        if (e.type == "structure_sync_due") {
            const auto event = events::unwrap<events::structure_sync_due>(e).value();
            co_return co_await on_structure(event, context);
        }
        if (e.type == "course_connected") {
            const auto event = events::unwrap<events::course_connected>(e).value();
            co_return co_await on_connected(event, context);
        }
        const auto event = events::unwrap<events::sync_requested>(e).value();
        co_return co_await on_sync(event, context);
    }
};

class world
{
public:
    world() : keys(base::secret(base::to_base64(std::string(32, 'k')))), stub(loop.get_executor())
    {
        // Module 1: lesson 10 (two tasks), 11 (theory). Module 2: lesson 20 (one task), 21 (three).
        stub.modules = {{1, {{10, {{100, "text"}, {101, "choice"}, {102, "code"}}, false},
                                {11, {{110, "video"}}, false}}},
            {2, {{20, {{200, "string"}}, false},
                    {21, {{210, "sql"}, {211, "sql"}, {212, "number"}}, false}}}};
        testkit::run(loop, [this]() { return stub.server().start(); });
        one = add_instance("one");
        connect("secret");
    }

    ~world()
    {
        testkit::run(loop, [this]() { return stop(); });
    }
    world(const world&) = delete;

    boost::asio::io_context loop;
    testkit::database database;
    base::keyring keys;
    stub_stepik stub;
    std::vector<std::unique_ptr<instance>> instances;
    instance* one = nullptr;

    instance* add_instance(const std::string& name)
    {
        instances.push_back(
            std::make_unique<instance>(loop.get_executor(), database, stub.url(), keys, name));
        return instances.back().get();
    }

    template <class F>
    auto run(F body)
    {
        return testkit::run(loop, std::move(body));
    }

    // As web-gateway writes it.
    void connect(const std::string& secret, const std::string& state = "connected",
        std::optional<int> sweep_seconds = {})
    {
        const std::string row = std::to_string(stub_stepik::course_id);
        const auto box =
            keys.seal({"catalog.courses", "stepik_client_secret_box", row}, base::secret(secret));
        static constexpr db::statement insert{"test.connect",
            "insert into catalog.courses (course_id, title, state, source, stepik_client_id, "
            "stepik_client_secret_box, "
            "  sweep_seconds) values ($1, 'Sample', $2, 'admin', 'client', $3, $4) "
            "on conflict (course_id) do update set state = excluded.state, "
            "  stepik_client_secret_box = excluded.stepik_client_secret_box, sweep_seconds = "
            "excluded.sweep_seconds"};
        database.owner().transact([&](db::transaction& tx) {
            tx.exec(insert, stub_stepik::course_id, state, db::bytes(box), sweep_seconds);
        });
    }

    void sql(const std::string& text)
    {
        database.owner().transact(
            [&](db::transaction& tx) { tx.exec_script("set local search_path = learning;" + text); });
    }

    // One value of one row, as text; "" for null or no row.
    std::string value(const std::string& query)
    {
        return database.owner().transact([&](db::transaction& tx) {
            tx.exec_script("set local search_path = learning");
            const db::statement s{"test.value", query};
            const auto rows = tx.exec(s);
            if (rows.empty() || rows[0][0].is_null())
                return std::string();
            return std::string(rows[0][0].c_str());
        });
    }

    struct sent
    {
        events::envelope envelope;
        nlohmann::json data;
    };

    // Takes what stands in the outbox; with `types`, only those.
    std::vector<sent> take_events(const std::vector<std::string>& types = {})
    {
        static constexpr db::statement take{"test.take_outbox",
            "with gone as (delete from learning.outbox where $1::text[] = '{}' or type = any ($1::text[]) "
            "returning id, body) "
            "select body from gone order by id"};
        return database.owner().transact([&](db::transaction& tx) {
            std::vector<sent> out;
            for (const auto& row : tx.exec(take, types)) {
                sent s;
                s.envelope = events::parse_envelope(db::get<std::string>(row, "body")).value();
                s.data = nlohmann::json::parse(s.envelope.data);
                out.push_back(std::move(s));
            }
            return out;
        });
    }

    void tick(instance* on = nullptr)
    {
        run([&]() { return schedule_tick((on == nullptr ? one : on)->sweeps); });
    }

    // Delivers the daemon's own messages until there are none; returns how many.
    int deliver_work()
    {
        int delivered = 0;
        for (;;) {
            const auto due = take_events({"sweep_page_due", "structure_sync_due"});
            if (due.empty())
                return delivered;
            for (const auto& e : due) {
                run([&]() { return one->deliver(e.envelope); });
                ++delivered;
            }
        }
    }

    // The course's structure is read and a whole sweep is made, whatever is due.
    void sweep()
    {
        sql("update courses set sweep_due_at = now() - interval '1 second'");
        tick();
        deliver_work();
    }

    void first_contact()
    {
        tick(); // finds the course, schedules its structure
        deliver_work();
        sweep();
    }

    std::vector<nlohmann::json> passes()
    {
        std::vector<nlohmann::json> out;
        for (auto& e : take_events({"lesson_passed"}))
            out.push_back(std::move(e.data));
        return out;
    }

    std::string problem_names()
    {
        return value("select array_to_string(problem_names, ',') from course_health");
    }

private:
    async::task<void> stop()
    {
        for (auto& i : instances)
            co_await i->budget.close();
        for (auto& i : instances)
            co_await i->pool.stop();
        co_await stub.server().stop();
    }
};

} // namespace coursegate::stepik_sync
