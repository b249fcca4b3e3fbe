#include "coursegate/base/trace.hpp"
#include "coursegate/events/envelope.hpp"
#include "coursegate/events/event.hpp"
#include "coursegate/events/lesson_passed.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

using namespace coursegate;

namespace {

events::lesson_passed some_event()
{
    events::lesson_passed e;
    e.course_id = 247'644;
    e.stepik_user_id = 900'000'101;
    e.lesson_id = 7;
    e.passed_before = *base::parse_iso8601("2026-01-02T03:04:05.678901Z");
    e.seen_at = e.passed_before;
    return e;
}

nlohmann::json some_body()
{
    return nlohmann::json::parse(events::wrap("stepik-sync", some_event()).to_body());
}

std::string fault_of(const nlohmann::json& body)
{
    const auto parsed = events::parse_envelope(body.dump());
    return parsed.has_value() ? "accepted" : parsed.error().detail;
}

} // namespace

TEST_CASE("an event goes onto the wire and comes back the same")
{
    const auto cause = events::cause{"chain-1", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"};
    const auto sent = events::wrap("stepik-sync", some_event(), cause);
    CHECK(sent.routing_key() == "lesson_passed.v1");
    const auto got = events::parse_envelope(sent.to_body());
    REQUIRE(got.has_value());
    CHECK(got->id == sent.id);
    CHECK(got->source == "/stepik-sync");
    CHECK(got->type == "lesson_passed");
    CHECK(got->version == 1);
    CHECK(got->time == sent.time);
    CHECK(got->subject == "course/247644/student/900000101");
    CHECK(got->correlation_id == "chain-1");
    CHECK(got->traceparent == cause.traceparent);
    const auto e = events::unwrap<events::lesson_passed>(*got);
    REQUIRE(e.has_value());
    CHECK(e->lesson_id == 7);
    CHECK(e->passed_before == some_event().passed_before);
    CHECK_FALSE(e->passed_after.has_value());
}

TEST_CASE("an event that begins a chain is its own correlation, and hands it on")
{
    const auto first = events::wrap("stepik-sync", some_event());
    CHECK(first.correlation_id == base::to_string(first.id));
    const auto second = events::wrap("boomstream-grant", some_event(), first.as_cause());
    CHECK(second.correlation_id == base::to_string(first.id));
    CHECK(second.id != first.id);
    CHECK(base::trace_id_of(first.traceparent).size() == 32);
    CHECK(second.traceparent == first.traceparent);
}

TEST_CASE("the body is the CloudEvents object that the schema describes")
{
    const auto body = some_body();
    CHECK(body.at("specversion") == "1.0");
    CHECK(body.at("dataschema") == "urn:coursegate:event:lesson_passed:v1");
    CHECK(body.at("datacontenttype") == "application/json");
    CHECK(body.at("data").at("lesson_id") == 7);
    CHECK(base::trace_id_of(body.at("traceparent").get<std::string>()).size() == 32);
}

TEST_CASE("what is no JSON object is refused as such")
{
    for (const auto* const body : {"", "x", "[]", "1", "\"text\"", "{\"id\":", "\xff\xfe"}) {
        const auto parsed = events::parse_envelope(body);
        REQUIRE_FALSE(parsed.has_value());
        CHECK(parsed.error().code == events::errc::not_json);
    }
}

TEST_CASE("a missing or malformed attribute is refused by name")
{
    for (const auto* const name : {"specversion", "id", "source", "type", "time", "dataschema", "data"}) {
        auto body = some_body();
        body.erase(name);
        CHECK_THAT(fault_of(body), Catch::StartsWith(std::string(name) + ":"));
        for (const auto& wrong : {nlohmann::json(nullptr), nlohmann::json(1), nlohmann::json(""),
                 nlohmann::json("?"), nlohmann::json::array({1})})
        {
            if (std::string(name) == "source" && wrong == "?")
                continue; // any text will do
            body[name] = wrong;
            CAPTURE(wrong);
            CHECK_THAT(fault_of(body), Catch::StartsWith(std::string(name) + ":"));
        }
    }
    for (const auto* const name : {"subject", "datacontenttype", "correlationid", "traceparent"}) {
        auto body = some_body();
        body[name] = 1;
        CHECK_THAT(fault_of(body), Catch::StartsWith(std::string(name) + ":"));
        body.erase(name);
        CHECK(fault_of(body) == "accepted");
    }
}

TEST_CASE("the schema must be that of the event's own type, and its version a number from 1")
{
    for (const auto* const schema :
        {"urn:coursegate:event:lesson_opened:v1", "urn:coursegate:event:lesson_passed:v0",
            "urn:coursegate:event:lesson_passed:v", "urn:coursegate:event:lesson_passed:v1x",
            "urn:coursegate:event:lesson_passed:1", "urn:coursegate:event:lesson_passed:v99999999999"})
    {
        auto body = some_body();
        body["dataschema"] = schema;
        CHECK_THAT(fault_of(body), Catch::StartsWith("dataschema:"));
    }
    auto body = some_body();
    body["dataschema"] = "urn:coursegate:event:lesson_passed:v12";
    const auto parsed = events::parse_envelope(body.dump());
    REQUIRE(parsed.has_value());
    CHECK(parsed->routing_key() == "lesson_passed.v12");
}

TEST_CASE("members that a later version may add are passed over")
{
    auto body = some_body();
    body["partitionkey"] = "x";
    body["data"]["mood"] = "good";
    const auto parsed = events::parse_envelope(body.dump());
    REQUIRE(parsed.has_value());
    CHECK(events::unwrap<events::lesson_passed>(*parsed).has_value());
}

TEST_CASE("data that do not fit are refused with the field's name")
{
    auto envelope = events::wrap("stepik-sync", some_event());
    const auto fault = [&](const std::string& data) {
        envelope.data = data;
        const auto e = events::unwrap<events::lesson_passed>(envelope);
        REQUIRE_FALSE(e.has_value());
        CHECK(e.error().code == events::errc::bad_data);
        return e.error().detail;
    };
    CHECK_THAT(fault("{}"), Catch::StartsWith("course_id: is missing"));
    CHECK_THAT(
        fault("{\"course_id\":18446744073709551615}"), Catch::StartsWith("course_id: must be an integer"));
    CHECK_THAT(fault("{\"course_id\":0}"), Catch::StartsWith("course_id: must be between"));
    CHECK_THAT(fault("[]"), Catch::StartsWith("data:"));
    CHECK_THAT(fault("{"), Catch::StartsWith("data:"));
}

TEST_CASE("text that is not UTF-8 does not keep an event from being written")
{
    auto e = events::wrap("stepik-sync", some_event());
    e.subject = "\xc3\x28";
    CHECK(events::parse_envelope(e.to_body()).has_value());
}
