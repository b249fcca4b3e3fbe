#include "coursegate/events/envelope.hpp"

#include <nlohmann/json.hpp>

#include <charconv>
#include <optional>

namespace coursegate::events {

namespace {

class category final : public std::error_category
{
public:
    const char* name() const noexcept override { return "events"; }
    std::string message(int code) const override
    {
        switch (static_cast<errc>(code)) {
        case errc::not_json:
            return "the body is not a JSON object";
        case errc::bad_envelope:
            return "a CloudEvents attribute is missing or malformed";
        case errc::bad_data:
            return "the data do not fit the event's schema";
        case errc::unknown_type:
            return "nobody here reads this type and version";
        }
        return "unknown error";
    }
};

constexpr std::string_view dataschema_prefix = "urn:coursegate:event:";

// "urn:coursegate:event:lesson_passed:v1" → 1, when it names `type`.
std::optional<int> version_in(std::string_view dataschema, std::string_view type)
{
    const std::string expected = std::string(dataschema_prefix) + std::string(type) + ":v";
    if (!dataschema.starts_with(expected))
        return std::nullopt;
    const auto digits = dataschema.substr(expected.size());
    int version = 0;
    const auto [end, failed] = std::from_chars(digits.data(), digits.data() + digits.size(), version);
    if (failed != std::errc{} || end != digits.data() + digits.size() || version < 1)
        return std::nullopt;
    return version;
}

bool is_type_name(std::string_view s)
{
    if (s.empty() || s.front() < 'a' || s.front() > 'z')
        return false;
    for (const char c : s)
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'))
            return false;
    return true;
}

} // namespace

const std::error_category& events_category() noexcept
{
    static const category instance;
    return instance;
}

std::error_code make_error_code(errc e) noexcept
{
    return {static_cast<int>(e), events_category()};
}

std::string envelope::routing_key() const
{
    return type + ".v" + std::to_string(version);
}

std::string envelope::to_body() const
{
    nlohmann::json j{
        {"specversion", "1.0"},
        {"id", base::to_string(id)},
        {"source", source},
        {"type", type},
        {"time", base::to_iso8601(time)},
        {"dataschema", std::string(dataschema_prefix) + type + ":v" + std::to_string(version)},
        {"datacontenttype", "application/json"},
    };
    if (!subject.empty())
        j["subject"] = subject;
    if (!correlation_id.empty())
        j["correlationid"] = correlation_id;
    if (!traceparent.empty())
        j["traceparent"] = traceparent;

    // `data` is JSON already: it goes in as it is, instead of being parsed and written again.
    std::string body = j.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    body.pop_back();
    body += ",\"data\":";
    body += data.empty() ? std::string_view("{}") : std::string_view(data);
    body += '}';
    return body;
}

cause envelope::as_cause() const
{
    cause out;
    out.correlation_id = correlation_id.empty() ? base::to_string(id) : correlation_id;
    out.traceparent = traceparent;
    return out;
}

base::result<envelope> parse_envelope(std::string_view body)
{
    const auto j = nlohmann::json::parse(body, nullptr, false);
    if (!j.is_object())
        return base::fail(errc::not_json, "the body is not a JSON object");

    std::string fault;
    const auto text = [&](const char* name, bool required) -> std::string {
        const auto at = j.find(name);
        if (at == j.end()) {
            if (required && fault.empty())
                fault = std::string(name) + ": is missing";
            return {};
        }
        if (!at->is_string() || (required && at->get_ref<const std::string&>().empty())) {
            if (fault.empty())
                fault = std::string(name) + ": must be a non-empty string";
            return {};
        }
        return at->get<std::string>();
    };
    const auto refuse = [&](std::string what) {
        if (fault.empty())
            fault = std::move(what);
    };

    envelope out;
    if (text("specversion", true) != "1.0")
        refuse("specversion: must be 1.0");
    const auto id = base::parse_uuid(text("id", true));
    if (id.has_value())
        out.id = *id;
    else
        refuse("id: must be a UUID");
    out.source = text("source", true);
    out.type = text("type", true);
    if (!is_type_name(out.type))
        refuse("type: must be lower-case letters, digits and underscores");
    const auto time = base::parse_iso8601(text("time", true));
    if (time.has_value())
        out.time = *time;
    else
        refuse("time: must be a time such as 2026-01-02T03:04:05.678901Z");
    const auto version = version_in(text("dataschema", true), out.type);
    if (version)
        out.version = *version;
    else
        refuse(
            "dataschema: must be " + std::string(dataschema_prefix) + "<type>:v<N> of the event's own type");
    const auto content = text("datacontenttype", false);
    if (!content.empty() && content != "application/json")
        refuse("datacontenttype: must be application/json");
    out.subject = text("subject", false);
    out.correlation_id = text("correlationid", false);
    out.traceparent = text("traceparent", false);

    const auto data = j.find("data");
    if (data == j.end())
        refuse("data: is missing");
    else if (!data->is_object())
        refuse("data: must be an object");
    if (!fault.empty())
        return base::fail(errc::bad_envelope, std::move(fault));
    out.data = data->dump();
    return out;
}

} // namespace coursegate::events
