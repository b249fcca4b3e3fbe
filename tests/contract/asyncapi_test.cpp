// asyncapi.yaml says who publishes and who listens; slice.json of each service is what really happens.
#include "files.hpp"
#include "known_events.hpp"

#include "coursegate/slices/slices.hpp"

#include <catch2/catch.hpp>
#include <yaml-cpp/yaml.h>

#include <map>
#include <set>

using namespace coursegate;
using namespace coursegate::contract;

namespace {

struct channel
{
    std::set<std::string> published_by;
    std::set<std::string> read_by; // "service/queue"
};

const YAML::Node& document()
{
    static const YAML::Node root = YAML::LoadFile("proto-schemas/asyncapi.yaml");
    return root;
}

std::map<std::string, channel> channels()
{
    std::map<std::string, channel> out;
    for (const auto& entry : document()["channels"]) {
        auto& c = out[entry.first.as<std::string>()];
        for (const auto& service : entry.second["x-published-by"])
            c.published_by.insert(service.as<std::string>());
        for (const auto& reader : entry.second["x-read-by"])
            c.read_by.insert(reader["service"].as<std::string>() + "/" + reader["queue"].as<std::string>());
    }
    return out;
}

std::set<std::string> services_here()
{
    std::set<std::string> out;
    for (const auto& s : slices::all())
        out.insert(s.service);
    return out;
}

} // namespace

TEST_CASE("every event has a channel with a publisher and a listener, and its own message")
{
    std::set<std::string> known;
    for (const auto& e : known_events())
        known.insert(e.routing_key);
    std::set<std::string> described;
    for (const auto& [key, c] : channels()) {
        CAPTURE(key);
        described.insert(key);
        CHECK(c.published_by.size() == 1); // only the owner of a fact tells it
        CHECK_FALSE(c.read_by.empty());
        const auto type = key.substr(0, key.rfind('.'));
        const auto operation = document()["channels"][key]["subscribe"];
        CHECK(operation["message"]["$ref"].as<std::string>() == "#/components/messages/" + type);
        const auto message = document()["components"]["messages"][type];
        REQUIRE(message.IsDefined());
        const auto payload = message["payload"]["allOf"];
        for (const auto& file : {payload[0]["$ref"], payload[1]["properties"]["data"]["$ref"]})
            CHECK(std::filesystem::exists(std::filesystem::path("proto-schemas") / file.as<std::string>()));
    }
    CHECK(described == known);
}

TEST_CASE("who publishes: asyncapi.yaml and the services' slices say the same")
{
    const auto all = channels();
    for (const auto& s : slices::all()) {
        CAPTURE(s.service);
        std::set<std::string> documented;
        for (const auto& [key, c] : all)
            if (c.published_by.count(s.service) > 0)
                documented.insert(key);
        CHECK(std::set<std::string>(s.publishes.begin(), s.publishes.end()) == documented);
    }
}

TEST_CASE("who listens: asyncapi.yaml and the services' slices say the same")
{
    const auto here = services_here();
    std::map<std::string, std::set<std::string>> bound; // routing key -> "service/queue"
    for (const auto& s : slices::all())
        for (const auto& q : s.queues)
            for (const auto& key : q.bindings)
                bound[key].insert(s.service + "/" + q.name);
    for (const auto& [key, c] : channels()) {
        CAPTURE(key);
        // A service that is not part of this build can't be asked.
        std::set<std::string> documented;
        for (const auto& reader : c.read_by)
            if (here.count(reader.substr(0, reader.find('/'))) > 0)
                documented.insert(reader);
        CHECK(bound[key] == documented);
        bound.erase(key);
    }
    for (const auto& [key, readers] : bound) {
        CAPTURE(key);
        CHECK(readers.empty()); // a queue is bound to an event that nobody has described
    }
}

TEST_CASE("the example of each event comes from the service that publishes it")
{
    const auto all = channels();
    for (const auto& e : known_events()) {
        CAPTURE(e.type);
        const auto example = read_json(events_folder / (e.routing_key + ".example.json"));
        CHECK(all.at(e.routing_key).published_by ==
              std::set<std::string>{example.at("source").get<std::string>().substr(1)});
    }
}
