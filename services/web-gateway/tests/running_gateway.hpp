// A web-gateway of one test: the real route table behind the real HTTP server on a loopback port, a database
// of its own, logged in as the daemon's own role. What stepik-sync and boomstream-grant publish is played by
// tables in the schema `fixture`, put behind the names of their views.
#pragma once

#include "openapi.hpp"

#include "handlers/environment_course.hpp"
#include "handlers/feed_reader.hpp"
#include "routes.hpp"
#include "storage/feed.hpp"

#include "coursegate/base/encoding.hpp"
#include "coursegate/db/listener.hpp"
#include "coursegate/db/transaction.hpp"
#include "coursegate/http/client.hpp"
#include "coursegate/slices/slices.hpp"
#include "coursegate/testkit/database.hpp"
#include "coursegate/testkit/run.hpp"

#include <boost/asio/io_context.hpp>
#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include <optional>
#include <string>
#include <vector>

namespace coursegate::web_gateway::tests {

inline constexpr const char* token = "test-admin-token-0123";

inline base::keyring test_keys()
{
    return base::keyring(base::secret(base::to_base64(std::string(32, 'k'))));
}

// Views of other slices as tables that a test fills. The columns are those of the published views.
inline constexpr const char* published_by_others = R"(
CREATE SCHEMA fixture;
CREATE TABLE fixture.v_structure (course_id bigint, module_id bigint, module_position int, module_title text,
    lesson_id bigint, lesson_position int, lesson_title text, gradable_steps int, vanished boolean DEFAULT false);
CREATE TABLE fixture.v_enrolments (course_id bigint, stepik_user_id bigint, date_joined timestamptz,
    last_viewed timestamptz, last_read_at timestamptz, first_seen_at timestamptz, in_first_sweep boolean);
CREATE TABLE fixture.v_lesson_state (course_id bigint, stepik_user_id bigint, lesson_id bigint, passed boolean,
    steps_passed int, steps_total int, missing_steps bigint[], passed_after timestamptz, passed_before timestamptz,
    seen_at timestamptz, backfill boolean);
CREATE TABLE fixture.v_course_health (course_id bigint, ok boolean, problems text[], token_state text,
    can_view_grades boolean, has_learners_group boolean, last_good_sweep_at timestamptz, last_structure_at timestamptz,
    last_error text, checked_at timestamptz, students int, pages_done int, pages_expected int);
CREATE TABLE fixture.v_sync_requests (request_id uuid, course_id bigint, stepik_user_id bigint, requested_at timestamptz,
    finished_at timestamptz, outcome text, detail text);
CREATE TABLE fixture.v_grants (grant_id uuid, user_id uuid, course_id bigint, lesson_id bigint, subscription_code text,
    boom_media text, state text, cause text, lane text, attempts int, provider_reason text, next_try_at timestamptz,
    passed_after timestamptz, passed_before timestamptz, seen_at timestamptz, wanted_at timestamptz,
    asked_at timestamptz, asked_until timestamptz, confirmed_at timestamptz, revoked_at timestamptz, revoked_by text,
    revoke_reason text, end_date timestamptz, buyer_ref text, changed_at timestamptz);
CREATE TABLE fixture.v_lesson_decision (user_id uuid, course_id bigint, lesson_id bigint, open boolean, reason text,
    detail text, decided_at timestamptz);
CREATE TABLE fixture.v_provider_health (course_id bigint, ok boolean, problem text, last_ok_at timestamptz, circuit text,
    rate_per_second double precision, waiting_fresh int, waiting_backfill int);
CREATE TABLE fixture.v_audits (request_id uuid, course_id bigint, dry_run boolean, state text, missing int, extra int,
    wrong_end int, repaired int, started_at timestamptz, finished_at timestamptz, findings jsonb);
CREATE TABLE fixture.v_requests (request_id uuid, kind text, user_id uuid, course_id bigint, lesson_id bigint, state text,
    detail text, at timestamptz);
)";

class running_gateway
{
public:
    template <class F>
    auto run(F body)
    {
        return testkit::run(loop_, std::move(body));
    }

    // `play_others` false: the real views of the other slices stay.
    explicit running_gateway(std::optional<course_settings> environment = {}, bool play_others = true)
        : keys_(test_keys()), db_(loop_.get_executor(), limited(database_.settings_as("web-gateway"))),
          listener_(loop_.get_executor(), database_.settings_as("web-gateway")),
          feed_(loop_.get_executor(), db_),
          from_environment_(db_, keys_, environment), gateway_{db_, keys_, feed_, base::secret(token),
                                                          std::move(environment)},
          server_(loop_.get_executor(), quiet(), routes(gateway_)), client_(loop_.get_executor(), patient())
    {
        if (play_others)
            play_other_slices();
        listener_.on(std::string(feed_channel), [this] { feed_.wake(); });
        run([this]() -> async::task<void> {
            co_await db_.start();
            co_await from_environment_.start();
            co_await listener_.start();
            co_await feed_.start();
            co_await server_.start();
        });
    }

    ~running_gateway() { stop(); }

    // As the daemon stops: the reverse order of start. May be called twice.
    void stop()
    {
        run([this]() -> async::task<void> {
            co_await server_.stop();
            co_await feed_.stop();
            co_await listener_.stop();
            co_await db_.stop();
        });
    }

    struct reply
    {
        int status = 0;
        nlohmann::json body; // null where there is none
        http::headers headers;

        std::string error() const { return body.value("error", ""); }
        std::string field() const { return body.value("field", ""); }
        // "409 duplicate email"
        std::string refusal() const { return std::to_string(status) + " " + error() + " " + field(); }
    };

    // Every answer is held against openapi.yaml.
    reply call(const std::string& method, const std::string& target, const nlohmann::json& body = nullptr,
        const std::vector<std::pair<std::string, std::string>>& headers = {})
    {
        return send(method, target, body.is_null() ? std::string() : body.dump(), headers);
    }

    reply send(const std::string& method, const std::string& target, const std::string& body,
        const std::vector<std::pair<std::string, std::string>>& headers = {}, bool with_token = true)
    {
        http::client_request request;
        request.method = method;
        request.url = "http://127.0.0.1:" + std::to_string(server_.port()) + target;
        request.body = body;
        if (with_token)
            request.headers.set("Authorization", std::string("Bearer ") + token);
        for (const auto& [name, value] : headers)
            request.headers.set(name, value);
        auto ask = [&]() -> async::task<base::result<http::client_response>> {
            co_return co_await client_.send(request);
        };
        const auto answered = run(ask);
        if (!answered.has_value())
            throw std::runtime_error(method + " " + target + ": " + answered.error().detail);
        reply out;
        out.status = answered->status;
        out.headers = answered->headers;
        if (!answered->body.empty())
            out.body = nlohmann::json::parse(answered->body);
        INFO(method << " " << target << " " << body << "\n-> " << out.status << " " << answered->body);
        CHECK(openapi::instance().fault_of(method, target, out.status, out.body) == "");
        CHECK(out.headers.get("Cache-Control").value_or("") == "no-store");
        return out;
    }

    // As the owner of the database. `values` are put in as they are.
    void sql(const std::string& script)
    {
        database_.owner().transact([&](db::transaction& tx) { tx.exec_script(script); });
    }
    std::string one(const std::string& query)
    {
        return database_.owner().transact([&](db::transaction& tx) {
            const auto rows = tx.exec(db::statement{"test.one", query});
            return rows.empty() || rows[0][0].is_null() ? std::string("(none)")
                                                        : rows[0][0].as<std::string>();
        });
    }
    int count(const std::string& from) { return std::stoi(one("SELECT count(*) FROM " + from)); }

    // Everything a write could leave behind, as one text: equal before and after means nothing was changed.
    std::string everything()
    {
        std::string out;
        for (const auto* table : {"accounts.users", "accounts.audit_log", "accounts.requests",
                 "accounts.outbox", "accounts.idempotency_keys", "catalog.courses", "catalog.subscriptions",
                 "catalog.lesson_media", "catalog.access_rules"})
            out +=
                one(std::string("SELECT coalesce(string_agg(t::text, E'\\n' ORDER BY t::text), '') FROM ") +
                    table + " t");
        return out;
    }

    // The last outbox row of this type: its data. Fails where there is none.
    nlohmann::json last_event(const std::string& type)
    {
        const auto text =
            one("SELECT body FROM accounts.outbox WHERE type = '" + type + "' ORDER BY id DESC LIMIT 1");
        REQUIRE(text != "(none)");
        return nlohmann::json::parse(text);
    }
    int events(const std::string& type) { return count("accounts.outbox WHERE type = '" + type + "'"); }

    // The last audit row, as JSON with all its columns.
    nlohmann::json last_audit()
    {
        return nlohmann::json::parse(
            one("SELECT to_jsonb(a)::text FROM accounts.audit_log a ORDER BY id DESC LIMIT 1"));
    }

    // Course 5 with module 50 (lessons 501, 502), module 51 (503 theory only, 504), as if Stepik had been
    // read.
    void add_course(std::int64_t course_id = 5)
    {
        const auto id = std::to_string(course_id);
        nlohmann::json body{{"title", "Course " + id}, {"stepik_client_id", "client-" + id},
            {"stepik_client_secret", "secret-" + id}, {"boomstream_api_key", "key-" + id}};
        REQUIRE(call("PUT", "/v1/courses/" + id, body).status == 201);
        sql("INSERT INTO fixture.v_structure (course_id, module_id, module_position, module_title, lesson_id,"
            " lesson_position, lesson_title, gradable_steps) VALUES"
            " (" +
            id + ", 50, 1, 'Basics', 501, 1, 'Hello', 3), (" + id +
            ", 50, 1, 'Basics', 502, 2, 'Loops', 5),"
            " (" +
            id + ", 51, 2, 'More', 503, 1, 'Theory', 0), (" + id +
            ", 51, 2, 'More', 504, 2, 'Tasks', 2);"
            " INSERT INTO fixture.v_course_health VALUES (" +
            id +
            ", true, '{}', 'good', true, true, now(), now(), NULL,"
            " now(), 10, 1, 1);");
    }

    // Returns the id.
    std::string add_user(const std::string& email, std::int64_t stepik_user_id = 0)
    {
        nlohmann::json body{{"email", email}};
        if (stepik_user_id != 0)
            body["stepik_user_id"] = stepik_user_id;
        const auto made = call("POST", "/v1/users", body);
        REQUIRE(made.status == 201);
        return made.body["id"];
    }

    testkit::database& database() { return database_; }
    boost::asio::io_context& loop() { return loop_; }
    db::pool& db() { return db_; }
    feed_reader& feed() { return feed_; }
    const base::keyring& keys() const { return keys_; }
    int port() const { return server_.port(); }

private:
    static http::server_settings quiet()
    {
        http::server_settings s;
        s.access_log = false;
        return s;
    }
    static http::client_settings patient()
    {
        http::client_settings s;
        s.circuit_after = 1000; // tests cause 5xx on purpose
        return s;
    }
    static db::settings limited(db::settings s)
    {
        s.connections = 3;
        return s;
    }

    void play_other_slices()
    {
        std::string script = published_by_others;
        const auto& slice = slices::find("web-gateway");
        for (const auto& view : slice.reads) {
            const auto schema = view.substr(0, view.find('.'));
            const auto name = view.substr(view.find('.') + 1);
            script += "CREATE SCHEMA IF NOT EXISTS " + schema + "; DROP VIEW IF EXISTS " + view +
                      " CASCADE;" + "CREATE VIEW " + view + " AS SELECT * FROM fixture." + name + ";" +
                      "GRANT USAGE ON SCHEMA " + schema + " TO " + slice.role() + "; GRANT SELECT ON " +
                      view + " TO " + slice.role() + ";";
        }
        sql(script);
    }

    testkit::database database_;
    boost::asio::io_context loop_;
    base::keyring keys_;
    db::pool db_;
    db::listener listener_;
    feed_reader feed_;
    environment_course from_environment_;
    gateway gateway_;
    http::server server_;
    http::client client_;
};

} // namespace coursegate::web_gateway::tests
