#include "commands/definitions.hpp"

#include "coursegate/slices/slices.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include <regex>

using namespace coursegate;
using namespace coursegate::ctl;

namespace {

login user(const std::string& name)
{
    return {name, base::secret{"pw-" + name}};
}

// What the broker would let `name` do.
struct rights
{
    nlohmann::json permissions, topics;

    bool may(const char* what, const std::string& resource) const
    {
        return std::regex_search(resource, std::regex(permissions.at(what).get<std::string>()));
    }
    bool may_publish(const std::string& key) const
    {
        return std::regex_search(key, std::regex(topics.at("write").get<std::string>()));
    }
};

rights rights_of(const nlohmann::json& definitions, const std::string& name)
{
    rights out;
    for (const auto& p : definitions["permissions"])
        if (p["user"] == name)
            out.permissions = p;
    for (const auto& t : definitions["topic_permissions"])
        if (t["user"] == name)
            out.topics = t;
    REQUIRE(out.permissions.is_object());
    REQUIRE(out.topics.is_object());
    return out;
}

} // namespace

TEST_CASE("each daemon has a broker user of its own, and only the administrator more")
{
    std::map<std::string, login> daemons;
    for (const auto& slice : slices::all())
        daemons.emplace(slice.service, user(slice.role()));
    const auto d = broker_definitions("coursegate", user("admin"), daemons);
    CHECK(d["users"].size() == slices::all().size() + 1);
    CHECK(d["permissions"].size() == d["users"].size());
    CHECK(d["topic_permissions"].size() == slices::all().size());
    for (const auto& u : d["users"]) {
        CHECK(u["tags"] == (u["name"] == "admin" ? "administrator" : ""));
        CHECK(u["password"] == "pw-" + u["name"].get<std::string>());
    }
    CHECK(broker_definitions("coursegate", user("admin"), {})["users"].size() == 1);
}

TEST_CASE("a daemon's broker user may use its own queues and publish its own events, and no other")
{
    const auto prefix = GENERATE(std::string("coursegate"), std::string("school.one"));
    std::map<std::string, login> daemons;
    for (const auto& slice : slices::all())
        daemons.emplace(slice.service, user(slice.role()));
    const auto d = broker_definitions(prefix, user("admin"), daemons);
    for (const auto& slice : slices::all()) {
        INFO(slice.service << " with prefix " << prefix);
        const auto r = rights_of(d, slice.role());
        CHECK(r.topics["exchange"] == prefix + ".events");
        for (const auto& other : slices::all()) {
            const bool own = other.service == slice.service;
            for (const auto& q : other.queues)
                for (const auto* more : {"", ".dead", ".retry.1s"}) {
                    const auto name = prefix + "." + q.name + more;
                    for (const auto* what : {"configure", "write"})
                        CHECK(r.may(what, name) == own);
                    // who shows what was put aside may read that, and nothing that is on its way
                    const bool parked = std::string(more) == ".dead" && slice.service == "web-gateway";
                    CHECK(r.may("read", name) == (own || parked));
                }
            if (!own)
                for (const auto& key : other.publishes)
                    CHECK(r.may_publish(key) == (std::find(slice.publishes.begin(), slice.publishes.end(),
                                                     key) != slice.publishes.end()));
        }
        for (const auto& key : slice.publishes) {
            CHECK(r.may_publish(key));
            CHECK_FALSE(r.may_publish(key + "0"));
            CHECK_FALSE(r.may_publish("x" + key));
        }
        CHECK(r.may("write", "amq.default")); // copies: retry, dead letter
        CHECK_FALSE(r.may("configure", "amq.default"));
        CHECK_FALSE(r.may("write", "amq.topic"));
        CHECK(r.may("write", prefix + ".events"));
        CHECK_FALSE(r.may("write", "other.events"));
        // a dot of the prefix is a dot, not any character
        CHECK_FALSE(r.may("read", "schoolXone." + slice.service + ".work"));
        CHECK_FALSE(r.may("read", prefix + "X" + slice.service + ".work"));
    }
}
