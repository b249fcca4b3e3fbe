#include "coursegate/slices/slices.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <set>

using namespace coursegate;

TEST_CASE("every slice.json of the tree is read and its names follow from the service's")
{
    REQUIRE_FALSE(slices::all().empty());
    for (const auto& s : slices::all()) {
        INFO(s.service);
        CHECK(s.role().starts_with("coursegate_"));
        CHECK(s.role().find('-') == std::string::npos);
        CHECK(
            s.url_variable().find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") == std::string::npos);
        CHECK(&slices::find(s.service) == &s);
    }
    CHECK_THROWS_AS(slices::find("no-such-service"), std::logic_error);

    slices::slice two;
    two.service = "stepik-sync";
    two.schemas = {"a", "b"};
    CHECK(two.role() == "coursegate_stepik_sync");
    CHECK(two.url_variable() == "STEPIK_SYNC");
    CHECK(two.search_path() == "a, b");
}

TEST_CASE("the built-in migration comes first, in the first schema and only there")
{
    for (const auto& s : slices::all()) {
        INFO(s.service);
        REQUIRE_FALSE(s.migrations.empty());
        CHECK(s.migrations[0].schema == s.schemas[0]);
        CHECK(s.migrations[0].name == "0000_create_messaging.sql");
        CHECK(std::count_if(s.migrations.begin(), s.migrations.end(),
                  [](const auto& m) { return m.name.starts_with("0000"); }) == 1);
        for (std::size_t i = 1; i < s.migrations.size(); ++i)
            if (s.migrations[i].schema == s.migrations[i - 1].schema)
                CHECK(s.migrations[i - 1].name < s.migrations[i].name);
    }
}

TEST_CASE("migrations reach the program byte for byte")
{
    const auto sql = slices::all().front().migrations.front().sql;
    CHECK(sql.starts_with("-- What every daemon needs"));
    CHECK(sql.find("create table outbox (") != std::string::npos);
    CHECK(sql.ends_with(");\n"));
}

TEST_CASE("each queue's binding is published by somebody, each view read belongs to somebody")
{
    std::set<std::string> published, owned;
    for (const auto& s : slices::all()) {
        published.insert(s.publishes.begin(), s.publishes.end());
        owned.insert(s.schemas.begin(), s.schemas.end());
    }
    for (const auto& s : slices::all()) {
        INFO(s.service);
        for (const auto& q : s.queues)
            for (const auto& key : q.bindings) {
                INFO(q.name << " <- " << key);
                CHECK(published.contains(key));
            }
        for (const auto& view : s.reads) {
            INFO("reads " << view);
            CHECK(owned.contains(view.substr(0, view.find('.'))));
        }
    }
}

TEST_CASE("the whole topology is the sum of the services', each queue once")
{
    std::size_t queues = 0;
    for (const auto& s : slices::all())
        queues += slices::topology_of(s).queues.size();
    const auto whole = slices::whole_topology();
    CHECK(whole.queues.size() == queues);
    std::set<std::string> names;
    for (const auto& q : whole.queues) {
        CHECK(names.insert(q.name).second);
        CHECK(q.dead_letter_route);
    }
}
