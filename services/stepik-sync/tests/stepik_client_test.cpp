#include "clients/stepik_client.hpp"
#include "coursegate/testkit/run.hpp"
#include "stub_stepik.hpp"

#include <catch2/catch.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

using namespace coursegate;
using namespace coursegate::stepik_sync;
using namespace std::chrono_literals;

namespace {

// Lets everybody in and remembers what was asked of it.
class open_budget final : public call_budget
{
public:
    async::task<base::result<call_permit>> enter(lane l) override
    {
        ++entered[l];
        ++in_flight;
        most_in_flight = std::max(most_in_flight, in_flight);
        auto hold = std::shared_ptr<void>(nullptr, [this](void*) { --in_flight; });
        co_return call_permit{std::move(hold)};
    }
    async::task<void> pause(std::chrono::milliseconds d) override
    {
        pauses.push_back(d);
        co_return;
    }
    std::map<lane, int> entered;
    int in_flight = 0;
    int most_in_flight = 0;
    std::vector<std::chrono::milliseconds> pauses;
};

struct fixture
{
    fixture() : stub(loop.get_executor())
    {
        stub.modules = {{1, {{10, {{100, "text"}, {101, "choice"}}, false}}}};
        stub.add_student(900000101);
        testkit::run(loop, [this]() { return stub.server().start(); });
        web = std::make_unique<http::client>(loop.get_executor(), stepik_client::web_settings());
        stepik_client::settings s;
        s.url = stub.url();
        s.deadline = 5s;
        client = std::make_unique<stepik_client>(loop.get_executor(), *web, budget, s);
        app.course_id = stub_stepik::course_id;
        app.client_id = "client";
        app.client_secret = base::secret("secret");
    }
    ~fixture()
    {
        client.reset();
        web.reset();
        testkit::run(loop, [this]() { return stub.server().stop(); });
    }

    base::result<grades_answer> page(int n = 1)
    {
        return testkit::run(loop, [this, n]() { return client->grades_page(app, n); });
    }
    base::result<course_answer> course()
    {
        return testkit::run(loop, [this]() { return client->course(app); });
    }

    boost::asio::io_context loop;
    stub_stepik stub;
    open_budget budget;
    std::unique_ptr<http::client> web;
    std::unique_ptr<stepik_client> client;
    application app;
};

} // namespace

TEST_CASE_METHOD(fixture, "a page of grades costs a token once and then one call")
{
    {
        const auto first = page();
        REQUIRE(first.has_value());
        CHECK(first->page.rows.size() == 1);
        CHECK(first->last_byte_at.time_since_epoch().count() > 0);
        CHECK(budget.in_flight == 1); // while the answer lives, its place is taken
    }
    CHECK(budget.in_flight == 0);
    CHECK(page().has_value());
    CHECK(stub.calls["/oauth2/token/"] == 1);
    CHECK(stub.grade_calls() == 2);
    CHECK(stub.total_calls() == 3);
}

TEST_CASE_METHOD(fixture, "one student's row is asked for in the urgent lane")
{
    const auto answer = testkit::run(loop, [this]() { return client->grades_of(app, 900000101); });
    REQUIRE(answer.has_value());
    CHECK(answer->page.rows.at(0).user == 900000101);
    CHECK(budget.entered[lane::urgent] == 2); // its token as well: a person waits
    CHECK(budget.entered[lane::sweep] == 0);
}

TEST_CASE_METHOD(fixture, "many calls at once fetch one token")
{
    int done = 0;
    const auto one = [this, &done]() -> async::task<void> {
        const auto answer = co_await client->grades_page(app, 1);
        CHECK(answer.has_value());
        ++done;
    };
    for (int i = 0; i < 8; ++i)
        boost::asio::co_spawn(loop, one, boost::asio::detached);
    CHECK(testkit::run(loop, [&]() { return testkit::eventually_async(10s, [&] { return done == 8; }); }));
    CHECK(stub.calls["/oauth2/token/"] == 1);
}

TEST_CASE_METHOD(fixture, "a token is fetched again before it ends, and once when it is refused")
{
    SECTION("before it ends")
    {
        stub.token_lifetime = 0;
        CHECK(page().has_value());
        CHECK(page().has_value());
        CHECK(stub.calls["/oauth2/token/"] == 2);
    }
    SECTION("when it was revoked")
    {
        CHECK(page().has_value());
        stub.revoke_tokens();
        CHECK(page().has_value());
        CHECK(stub.calls["/oauth2/token/"] == 2);
        CHECK(stub.grade_calls() == 3);
    }
    SECTION("a fresh one that is refused, too, is a fault")
    {
        stub.instead["/api/course-grades"] = {stub_stepik::status(401, "no"), stub_stepik::status(401, "no")};
        const auto answer = page();
        REQUIRE_FALSE(answer.has_value());
        CHECK(answer.error().code == stepik_errc::token_refused);
        CHECK(stub.grade_calls() == 2);
    }
}

TEST_CASE_METHOD(fixture, "a wrong secret is told from everything else and not tried over and over")
{
    stub.client_secret = "another";
    const auto answer = page();
    REQUIRE_FALSE(answer.has_value());
    CHECK(answer.error().code == stepik_errc::wrong_secret);
    CHECK_THAT(answer.error().detail, Catch::Contains("invalid_client"));
    CHECK_FALSE(page().has_value());
    CHECK(stub.calls["/oauth2/token/"] == 1);

    // The author enters the right one: no need to wait.
    app.client_secret = base::secret("another");
    CHECK(page().has_value());
}

TEST_CASE_METHOD(fixture, "a proxy's refusal is not a wrong secret")
{
    stub.instead["/oauth2/token/"] = {stub_stepik::status(403, "blocked"), stub_stepik::status(404, "no"),
        http::response::json(400, nlohmann::json{{"error", "invalid_request"}}),
        http::response::json(400, nlohmann::json{{"error", "unauthorized_client"}})};
    CHECK(page().error().code == stepik_errc::refused);
    CHECK(page().error().code == stepik_errc::refused);
    CHECK(page().error().code == stepik_errc::refused);
    CHECK(page().error().code == stepik_errc::wrong_secret);
}

TEST_CASE_METHOD(fixture, "callers that waited for a token that was not given do not each ask again")
{
    for (int i = 0; i < 8; ++i)
        stub.instead["/oauth2/token/"].push_back(stub_stepik::status(403, "blocked"));
    int done = 0;
    const auto one = [this, &done]() -> async::task<void> {
        const auto answer = co_await client->grades_page(app, 1);
        CHECK_FALSE(answer.has_value());
        ++done;
    };
    for (int i = 0; i < 8; ++i)
        boost::asio::co_spawn(loop, one, boost::asio::detached);
    CHECK(testkit::run(loop, [&]() { return testkit::eventually_async(10s, [&] { return done == 8; }); }));
    CHECK(stub.calls["/oauth2/token/"] == 1);
}

TEST_CASE_METHOD(fixture, "what Stepik refuses is told apart")
{
    stub.instead["/api/course-grades"] = {stub_stepik::status(403, "You do not have permission."),
        stub_stepik::status(404, "Not found."), stub_stepik::status(400, "bad")};
    CHECK(page().error().code == stepik_errc::forbidden);
    CHECK(page().error().code == stepik_errc::not_found);
    const auto refused = page().error();
    CHECK(refused.code == stepik_errc::refused);
    CHECK(refused.detail == "course-grades answered 400: bad");
    CHECK(stub.grade_calls() == 3); // asking again would not help
}

TEST_CASE_METHOD(fixture, "a hiccup is tried again")
{
    stub.instead["/api/course-grades"] = {http::response::html(502, "<h1>Bad Gateway</h1>"),
        http::response::text(200, R"({"meta":{"has_next":false},"course-gra)", "application/json")};
    CHECK(page().has_value());
    CHECK(stub.grade_calls() == 3);
    CHECK(budget.in_flight == 0);
}

TEST_CASE_METHOD(fixture, "three failures are a failure")
{
    for (int i = 0; i < 3; ++i)
        stub.instead["/api/course-grades"].push_back(http::response::html(503, "busy"));
    const auto answer = page();
    REQUIRE_FALSE(answer.has_value());
    CHECK(answer.error().code == stepik_errc::server_error);
    CHECK(may_pass_by_itself(answer.error()));
    CHECK(answer.error().detail == "course-grades answered 503"); // nothing of the body
    CHECK(stub.grade_calls() == 3);
}

TEST_CASE_METHOD(
    fixture, "a 429 pauses the budget for as long as Stepik asks, and then the call is made again")
{
    stub.instead["/api/course-grades"] = {stub_stepik::throttled(7), stub_stepik::status(429, "slow down")};
    CHECK(page().has_value());
    REQUIRE(budget.pauses.size() == 2);
    CHECK(budget.pauses[0] == 7s);
    CHECK(budget.pauses[1] == 5s); // without a word how long
}

TEST_CASE_METHOD(fixture, "Stepik out of reach is an everyday outcome")
{
    testkit::run(loop, [this]() { return stub.server().stop(); });
    const auto answer = page();
    REQUIRE_FALSE(answer.has_value());
    CHECK(answer.error().code == stepik_errc::unreachable);
    CHECK(budget.in_flight == 0);
}

TEST_CASE_METHOD(fixture, "objects are asked for in batches of at most a hundred")
{
    stub.modules.at(0).lessons.clear();
    std::vector<std::int64_t> ids;
    stub_stepik::lesson l;
    l.id = 10;
    for (int i = 1; i <= 250; ++i) {
        stub_stepik::step s;
        s.id = i;
        l.steps.push_back(s);
        ids.push_back(i);
    }
    stub.modules[0].lessons.push_back(l);
    ids.push_back(7);    // twice
    ids.push_back(9999); // unknown
    const auto steps = testkit::run(loop, [&]() { return client->steps(app, ids); });
    REQUIRE(steps.has_value());
    CHECK(steps->items.size() == 250);
    CHECK(steps->missing == std::set<std::int64_t>{9999});
    CHECK(stub.calls["/api/steps"] == 3);
}

TEST_CASE_METHOD(fixture, "a single object that fails is isolated and skipped")
{
    std::vector<std::int64_t> ids;
    for (int i = 1; i <= 100; ++i) {
        stub_stepik::step s;
        s.id = i;
        stub.modules[0].lessons[0].steps.push_back(s);
        ids.push_back(i);
    }
    stub.broken_step = 5;
    const auto steps = testkit::run(loop, [&]() { return client->steps(app, ids); });
    REQUIRE(steps.has_value());
    CHECK(steps->items.size() == 99);
    CHECK(steps->missing == std::set<std::int64_t>{5});
}

TEST_CASE_METHOD(fixture, "the course object")
{
    const auto c = course();
    REQUIRE(c.has_value());
    CHECK(c->can_view_grades == true);
    CHECK(c->has_learners_group);
    CHECK(c->learners_count == 1);
    CHECK(c->sections == std::vector<std::int64_t>{1});

    stub.instead["/api/courses"] = {
        http::response::text(200, R"({"meta":{},"courses":[]})", "application/json")};
    CHECK(course().error().code == stepik_errc::not_found);
}
