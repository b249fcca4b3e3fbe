// Struct, schema and example of each event say the same, both ways.
#include "files.hpp"
#include "known_events.hpp"

#include <catch2/catch.hpp>
#include <valijson/adapters/nlohmann_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validation_results.hpp>
#include <valijson/validator.hpp>

#include <algorithm>
#include <set>

using namespace coursegate;
using namespace coursegate::contract;

namespace {

class json_schema
{
public:
    explicit json_schema(nlohmann::json text) : text_(std::move(text))
    {
        valijson::SchemaParser parser(valijson::SchemaParser::kDraft7);
        parser.populateSchema(valijson::adapters::NlohmannJsonAdapter(text_), schema_);
    }

    // "" when `document` fits, else what does not.
    std::string fault(const nlohmann::json& document) const
    {
        valijson::Validator validator;
        valijson::ValidationResults results;
        try {
            if (validator.validate(schema_, valijson::adapters::NlohmannJsonAdapter(document), &results))
                return "";
        }
        catch (const std::runtime_error& e) {
            return e.what(); // valijson 1.0 wants text wherever the schema names a format
        }
        valijson::ValidationResults::Error error;
        std::string all;
        while (results.popError(error))
            all += (all.empty() ? "" : "; ") + error.description;
        return all.empty() ? "refused" : all;
    }

    const nlohmann::json& text() const { return text_; }

private:
    nlohmann::json text_;
    valijson::Schema schema_;
};

struct contract_of
{
    explicit contract_of(const known_event& e)
        : schema(read_json(events_folder / (e.routing_key + ".schema.json"))),
          example(read_json(events_folder / (e.routing_key + ".example.json")))
    {}

    const nlohmann::json& data() const { return example.at("data"); }
    const nlohmann::json& properties() const { return schema.text().at("properties"); }
    std::set<std::string> required() const
    {
        return schema.text().at("required").get<std::set<std::string>>();
    }

    json_schema schema;
    nlohmann::json example;
};

const json_schema& envelope_schema()
{
    static const json_schema schema(read_json(events_folder / "envelope.v1.schema.json"));
    return schema;
}

std::set<std::string> keys_of(const nlohmann::json& object)
{
    std::set<std::string> out;
    for (const auto& [key, value] : object.items())
        out.insert(key);
    return out;
}

} // namespace

TEST_CASE("every event has a schema and an example, and nothing else has")
{
    std::set<std::string> known;
    for (const auto& e : known_events())
        known.insert(e.routing_key);
    CHECK(known.size() == known_events().size());
    const auto described = events_described();
    CHECK(std::set<std::string>(described.begin(), described.end()) == known);
    std::set<std::string> ids;
    for (const auto& e : known_events())
        ids.insert(contract_of(e).example.at("id").get<std::string>());
    CHECK(ids.size() == known.size());
}

TEST_CASE("every example validates against its schema and the envelope's")
{
    for (const auto& e : known_events()) {
        CAPTURE(e.type);
        const contract_of c(e);
        CHECK(envelope_schema().fault(c.example) == "");
        CHECK(c.schema.fault(c.data()) == "");
        CHECK(c.schema.text().at("$id") == "urn:coursegate:event:" + e.type + ":v1");
        CHECK(c.schema.text().at("$schema") == "http://json-schema.org/draft-07/schema#");
        CHECK(c.schema.text().at("additionalProperties") == true);
        CHECK(keys_of(c.data()) == keys_of(c.properties())); // the example shows the optional members too
        for (const auto& [name, property] : c.properties().items()) {
            CAPTURE(name);
            CHECK_FALSE(property.at("description").get<std::string>().empty());
        }
    }
}

TEST_CASE("every example becomes a struct and the same JSON again")
{
    for (const auto& e : known_events()) {
        CAPTURE(e.type);
        const contract_of c(e);
        const auto envelope = events::parse_envelope(c.example.dump());
        REQUIRE(envelope.has_value());
        CHECK(envelope->type == e.type);
        CHECK(envelope->routing_key() == e.routing_key);
        CHECK(nlohmann::json::parse(envelope->to_body()) == c.example);

        const auto again = e.round_trip(c.data());
        REQUIRE(again.has_value());
        CHECK(*again == c.data());
    }
}

TEST_CASE("what a daemon sends validates, with all optional members and with none")
{
    for (const auto& e : known_events()) {
        CAPTURE(e.type);
        const contract_of c(e);
        auto bare = c.data();
        for (const auto& name : keys_of(c.data()))
            if (c.required().count(name) == 0)
                bare.erase(name);
        for (const auto& data : {c.data(), bare}) {
            const auto envelope = e.rewrap(data);
            REQUIRE(envelope.has_value());
            const auto body = nlohmann::json::parse(envelope->to_body());
            CHECK(envelope_schema().fault(body) == "");
            CHECK(c.schema.fault(body.at("data")) == "");
            CHECK(body.at("data") == data);
            if (data == c.data())
                CHECK(body.at("subject") == c.example.at("subject"));
        }
    }
}

TEST_CASE("a required member that is missing is refused by schema and struct, which names it")
{
    for (const auto& e : known_events()) {
        const contract_of c(e);
        for (const auto& name : c.required()) {
            CAPTURE(e.type, name);
            auto data = c.data();
            data.erase(name);
            CHECK(c.schema.fault(data) != "");
            const auto read = e.round_trip(data);
            REQUIRE_FALSE(read.has_value());
            CHECK(read.error().code == events::errc::bad_data);
            CHECK(read.error().detail == name + ": is missing");
        }
    }
}

TEST_CASE("schema and struct agree on every odd value of every member")
{
    using nlohmann::json;
    const std::vector<json> odd{json(nullptr), json(true), json(false), json(0), json(1), json(-1), json(1.5),
        json(""), json("x"), json("Fresh"), json("fresh"), json("1"), json("2026-01-02T03:04:05.678901Z"),
        json("2026-01-02"), json("2026-13-02T03:04:05Z"), json("0197a1b0-1000-7c33-9a01-a1b2c3d4e5f6"),
        json("0197a1b0-1000-7c33-9a01-a1b2c3d4e5f"), json("0197a1b010007c339a01a1b2c3d4e5f6"), json::array(),
        json::array({1}), json::array({0}), json::array({"a"}), json::array({1.5}), json::array({nullptr}),
        json::object(), json(2'147'483'648)};
    int refused = 0;
    for (const auto& e : known_events()) {
        const contract_of c(e);
        for (const auto& name : keys_of(c.properties())) {
            int refused_here = 0;
            for (const auto& value : odd) {
                CAPTURE(e.type, name, value);
                auto data = c.data();
                data[name] = value;
                const bool schema_takes = c.schema.fault(data).empty();
                const auto read = e.round_trip(data);
                CHECK(read.has_value() == schema_takes);
                if (!read.has_value()) {
                    CHECK_THAT(read.error().detail, Catch::StartsWith(name + ": "));
                    ++refused_here;
                }
            }
            CHECK(refused_here >= 15); // of each member, most of it is wrong
            refused += refused_here;
        }
    }
    CHECK(refused > 1'000);
}

TEST_CASE("the envelope's schema refuses what the parser refuses")
{
    const contract_of c(known_events().front());
    for (const auto& name : envelope_schema().text().at("required")) {
        CAPTURE(name);
        auto body = c.example;
        body.erase(name.get<std::string>());
        CHECK(envelope_schema().fault(body) != "");
        CHECK_FALSE(events::parse_envelope(body.dump()).has_value());
        body[name.get<std::string>()] = 1;
        CHECK(envelope_schema().fault(body) != "");
        CHECK_FALSE(events::parse_envelope(body.dump()).has_value());
    }
}
