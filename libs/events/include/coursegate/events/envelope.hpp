// The envelope of every event: a CloudEvents 1.0 structured JSON object, so that any CloudEvents tool reads
// our queues. `data` is the event itself, as its schema in proto-schemas/events says.
#pragma once

#include "coursegate/base/clock.hpp"
#include "coursegate/base/result.hpp"
#include "coursegate/base/uuid.hpp"

#include <nlohmann/json_fwd.hpp>

#include <memory>
#include <string>
#include <string_view>

namespace coursegate::events {

// Errors of libs/events.
enum class errc
{
    not_json = 1, // the body is not a JSON object
    bad_envelope, // a CloudEvents attribute is missing or malformed
    bad_data,     // `data` does not fit the event's schema
    unknown_type, // nobody here reads this type and version
};
const std::error_category& events_category() noexcept;
std::error_code make_error_code(errc e) noexcept;

// Who asked and why: copied from the message or request that caused an event into the event.
struct cause
{
    std::string correlation_id; // id of the first message or request of the chain
    std::string traceparent;    // W3C trace context, or empty
};

struct envelope
{
    base::uuid id;
    std::string source; // "/stepik-sync"
    std::string type;   // "lesson_passed"
    int version = 1;
    base::time_point time;
    std::string subject; // "course/247644/student/900000101"
    std::string correlation_id;
    std::string traceparent;
    std::string data; // JSON text of the `data` member

    std::string routing_key() const; // "lesson_passed.v1"
    std::string to_body() const;     // the JSON text that goes on the wire
    cause as_cause() const;          // for events that this one causes
};

// errc::not_json, errc::bad_envelope; the detail names the attribute.
base::result<envelope> parse_envelope(std::string_view body);

} // namespace coursegate::events

template <>
struct std::is_error_code_enum<coursegate::events::errc> : std::true_type
{};
