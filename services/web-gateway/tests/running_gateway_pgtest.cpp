#include "running_gateway.hpp"

#include "openapi.hpp"

#include "handlers/environment_course.hpp"
#include "handlers/site.hpp"
#include "pages/pages.hpp"
#include "routes.hpp"
#include "storage/feed.hpp"

#include "coursegate/async/gate.hpp"
#include "coursegate/base/encoding.hpp"
#include "coursegate/db/listener.hpp"
#include "coursegate/db/transaction.hpp"
#include "coursegate/http/client.hpp"
#include "coursegate/slices/slices.hpp"
#include "coursegate/testkit/database.hpp"

#include <boost/asio/io_context.hpp>
#include <nlohmann/json.hpp>

namespace coursegate::web_gateway::tests {
namespace {

// Views of other slices as tables that a test fills. The columns are those of the published views.
constexpr const char* published_by_others = R"(
CREATE SCHEMA fixture;
CREATE TABLE fixture.v_structure (course_id bigint, module_id bigint, module_position int, module_title text,
    lesson_id bigint, lesson_position int, lesson_title text, gradable_steps int, vanished boolean DEFAULT false);
CREATE TABLE fixture.v_steps (course_id bigint, lesson_id bigint, step_id bigint, position int, gradable boolean);
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
    wrong_end int, repaired int, started_at timestamptz, finished_at timestamptz, findings jsonb,
    detail text);
CREATE TABLE fixture.v_requests (request_id uuid, kind text, user_id uuid, course_id bigint, lesson_id bigint, state text,
    detail text, at timestamptz);
)";

db::settings limited(db::settings s)
{
    s.connections = 3;
    return s;
}

http::server_settings quiet(const pages& site)
{
    http::server_settings s;
    s.access_log = false;
    s.word_refusal = [&site](const http::request& request, http::response& answer) {
        word_refusal(site, request, answer);
    };
    return s;
}

http::client_settings patient()
{
    http::client_settings s;
    s.circuit_after = 1000; // tests cause 5xx on purpose
    return s;
}

const nlohmann::json* find(const nlohmann::json& j, const std::string& pointer)
{
    const nlohmann::json::json_pointer at(pointer);
    return j.contains(at) ? &j.at(at) : nullptr;
}

} // namespace

std::string document::at(const std::string& pointer) const
{
    const auto j = nlohmann::json::parse(text, nullptr, false);
    const auto* found = find(j, pointer);
    if (found == nullptr)
        return "(nothing)";
    return found->is_string() ? found->get<std::string>() : found->dump();
}

std::size_t document::size(const std::string& pointer) const
{
    const auto j = nlohmann::json::parse(text, nullptr, false);
    const auto* found = find(j, pointer);
    return found == nullptr ? 0 : found->size();
}

bool document::has(const std::string& pointer) const
{
    return find(nlohmann::json::parse(text, nullptr, false), pointer) != nullptr;
}

std::vector<std::string> document::all(const std::string& list, const std::string& member) const
{
    std::vector<std::string> out;
    for (std::size_t i = 0; i < size(list); ++i)
        out.push_back(at(list + "/" + std::to_string(i) + "/" + member));
    return out;
}

std::string with(const std::string& json, const std::string& member, const std::string& value)
{
    auto out = nlohmann::json::parse(json);
    out[member] = nlohmann::json::parse(value);
    return out.dump();
}

base::keyring test_keys()
{
    return base::keyring(base::secret(base::to_base64(std::string(32, 'k'))));
}

std::string reply::refusal() const
{
    const auto field = at("/field");
    return std::to_string(status) + " " + at("/error") + " " + (field == "(nothing)" ? "" : field);
}

struct running_gateway::impl
{
    explicit impl(std::optional<course_settings> environment)
        : keys(test_keys()), db(loop.get_executor(), limited(database.settings_as("web-gateway"))),
          listener(loop.get_executor(), database.settings_as("web-gateway")), feed(loop.get_executor(), db),
          from_environment(db, keys, environment), shared{db, keys, feed, site, base::secret(token),
                                                       std::move(environment)},
          server(loop.get_executor(), quiet(site), routes(shared)), client(loop.get_executor(), patient())
    {}

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
        database.owner().transact([&](db::transaction& tx) { tx.exec_script(script); });
    }

    async::task<reply> ask(
        std::string method, std::string target, std::string body, header_list headers, bool with_token)
    {
        http::client_request request;
        request.method = method;
        request.url = "http://127.0.0.1:" + std::to_string(server.port()) + target;
        request.body = body;
        if (with_token)
            request.headers.set("Authorization", std::string("Bearer ") + token);
        for (const auto& [name, value] : headers)
            request.headers.set(name, value);
        const auto answered = co_await client.send(request);
        if (!answered.has_value())
            throw std::runtime_error(method + " " + target + ": " + answered.error().detail);
        reply out;
        out.status = answered->status;
        out.headers = answered->headers;
        out.text = answered->body;
        const auto json = out.text.empty() ? nlohmann::json() : nlohmann::json::parse(out.text);
        INFO(method << " " << target << " " << body << "\n-> " << out.status << " " << out.text);
        CHECK(openapi::instance().fault_of(method, target, out.status, json) == "");
        CHECK(out.headers.get("Cache-Control").value_or("") == "no-store");
        co_return out;
    }

    testkit::database database;
    boost::asio::io_context loop;
    base::keyring keys;
    db::pool db;
    db::listener listener;
    feed_reader feed;
    const pages site;
    environment_course from_environment;
    gateway shared;
    http::server server;
    http::client client;
};

running_gateway::running_gateway(std::optional<course_settings> environment, bool play_others)
    : impl_(std::make_unique<impl>(std::move(environment)))
{
    if (play_others)
        impl_->play_other_slices();
    impl_->listener.on(std::string(feed_channel), [this] { impl_->feed.wake(); });
    run([this]() -> async::task<void> {
        co_await impl_->db.start();
        co_await impl_->from_environment.start();
        co_await impl_->listener.start();
        co_await impl_->feed.start();
        co_await impl_->server.start();
    });
}

running_gateway::~running_gateway()
{
    stop();
}

void running_gateway::stop()
{
    run([this]() -> async::task<void> {
        co_await impl_->server.stop();
        co_await impl_->feed.stop();
        co_await impl_->listener.stop();
        co_await impl_->db.stop();
    });
}

void running_gateway::run(std::function<async::task<void>()> body)
{
    testkit::run_void(impl_->loop, std::move(body), std::chrono::seconds(60));
}

reply running_gateway::call(const std::string& method, const std::string& target, const std::string& body,
    const header_list& headers, bool with_token)
{
    reply out;
    run([&]() -> async::task<void> { out = co_await impl_->ask(method, target, body, headers, with_token); });
    return out;
}

std::vector<reply> running_gateway::call_together(
    const std::vector<std::string>& methods_and_targets, const std::string& body, const header_list& headers)
{
    std::vector<reply> out(methods_and_targets.size());
    async::gate gate(impl_->loop.get_executor());
    run([&]() -> async::task<void> {
        for (std::size_t i = 0; i < out.size(); ++i)
            gate.spawn("request", [&, i]() -> async::task<void> {
                const auto& wanted = methods_and_targets[i];
                const auto space = wanted.find(' ');
                out[i] = co_await impl_->ask(
                    wanted.substr(0, space), wanted.substr(space + 1), body, headers, true);
            });
        co_await gate.close(false);
    });
    return out;
}

void running_gateway::sql(const std::string& script)
{
    impl_->database.owner().transact([&](db::transaction& tx) { tx.exec_script(script); });
}

std::string running_gateway::one(const std::string& query)
{
    return impl_->database.owner().transact([&](db::transaction& tx) {
        const auto rows = tx.exec(db::statement{"test.one", query});
        return rows.empty() || rows[0][0].is_null() ? std::string("(none)") : rows[0][0].as<std::string>();
    });
}

int running_gateway::count(const std::string& from)
{
    return std::stoi(one("SELECT count(*) FROM " + from));
}

std::string running_gateway::everything()
{
    std::string out;
    for (const auto* table : {"accounts.users", "accounts.audit_log", "accounts.requests", "accounts.outbox",
             "accounts.idempotency_keys", "accounts.user_roles", "accounts.sessions",
             "accounts.sign_in_failures", "accounts.play_links", "accounts.sign_in_links", "catalog.courses",
             "catalog.subscriptions", "catalog.lesson_media", "catalog.access_rules"})
        out += one(std::string("SELECT coalesce(string_agg(t::text, E'\\n' ORDER BY t::text), '') FROM ") +
                   table + " t");
    return out;
}

document running_gateway::last_event(const std::string& type)
{
    document out;
    out.text = one("SELECT body FROM accounts.outbox WHERE type = '" + type + "' ORDER BY id DESC LIMIT 1");
    REQUIRE(out.text != "(none)");
    return out;
}

int running_gateway::events(const std::string& type)
{
    return count("accounts.outbox WHERE type = '" + type + "'");
}

document running_gateway::last_audit()
{
    document out;
    out.text = one("SELECT to_jsonb(a)::text FROM accounts.audit_log a ORDER BY id DESC LIMIT 1");
    return out;
}

void running_gateway::start_again_with(course_settings given)
{
    environment_course again(impl_->db, impl_->keys, std::move(given));
    run([&]() -> async::task<void> { co_await again.start(); });
}

void running_gateway::cut_connections(bool shut_out)
{
    const auto role = slices::find("web-gateway").role();
    if (shut_out)
        sql("REVOKE CONNECT ON DATABASE " + one("SELECT current_database()") + " FROM " + role);
    one("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = '" + role +
        "' AND datname = current_database()");
}

void running_gateway::let_in()
{
    sql("GRANT CONNECT ON DATABASE " + one("SELECT current_database()") + " TO " +
        slices::find("web-gateway").role());
}

void running_gateway::add_course(std::int64_t course_id)
{
    const auto id = std::to_string(course_id);
    const auto made = call("PUT", "/v1/courses/" + id,
        R"({"title": "Course )" + id + R"(", "stepik_client_id": "client", "stepik_client_secret": "secret",
            "boomstream_api_key": "key"})");
    REQUIRE(made.status == 201);
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

std::string running_gateway::add_user(const std::string& email, std::int64_t stepik_user_id)
{
    auto body = R"({"email": ")" + email + "\"}";
    if (stepik_user_id != 0)
        body = with(body, "stepik_user_id", std::to_string(stepik_user_id));
    const auto made = call("POST", "/v1/users", body);
    REQUIRE(made.status == 201);
    return made.at("/id");
}

db::settings running_gateway::settings() const
{
    return impl_->database.settings_as("web-gateway");
}

async::executor running_gateway::executor()
{
    return impl_->loop.get_executor();
}

db::pool& running_gateway::db()
{
    return impl_->db;
}

feed_reader& running_gateway::feed()
{
    return impl_->feed;
}

const base::keyring& running_gateway::keys() const
{
    return impl_->keys;
}

int running_gateway::port() const
{
    return impl_->server.port();
}

} // namespace coursegate::web_gateway::tests
