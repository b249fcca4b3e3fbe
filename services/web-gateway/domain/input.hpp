// What a value from outside must look like. Each function returns the value in the form we keep it in and
// throws `refused` (slug invalid_value) naming `field` and saying what would be right.
#pragma once

#include "coursegate/base/clock.hpp"
#include "coursegate/base/uuid.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace coursegate::web_gateway {

// Trimmed; one @, a local part of 1–64 and a domain with a dot; at most 254 characters; ASCII. The case is
// kept.
std::string checked_email(std::string_view text, const std::string& field);

// 9 digits, also written NNN-NNN-NNN; returned as 9 digits.
std::string checked_boom_code(std::string_view text, const std::string& field);

// A Boomstream media code: 8 characters [A-Za-z0-9].
std::string checked_media_code(std::string_view text, const std::string& field);

// A Boomstream subscription code: 1–64 characters [A-Za-z0-9_-].
std::string checked_subscription_code(std::string_view text, const std::string& field);

// Trimmed text of at most `most` characters without control characters; may be empty unless `least` says
// otherwise.
std::string checked_line(
    std::string_view text, const std::string& field, std::size_t most, std::size_t least = 0);

// A key or secret of another system: 1–`most` printable ASCII characters without blanks. The message never
// repeats it.
std::string checked_key(std::string_view text, const std::string& field, std::size_t most = 512);

std::string checked_locale(std::string_view text, const std::string& field); // ru, uk, en
std::int64_t checked_id(std::int64_t value, const std::string& field);       // > 0
std::int64_t checked_range(
    std::int64_t value, const std::string& field, std::int64_t least, std::int64_t most);
base::uuid checked_uuid(std::string_view text, const std::string& field);
base::time_point checked_time(std::string_view text, const std::string& field); // ISO 8601 with a zone
std::int64_t checked_number(
    std::string_view text, const std::string& field, std::int64_t least, std::int64_t most);

// UTF-8 that is well-formed (no overlong forms, no surrogates).
bool is_utf8(std::string_view text);
// Characters, not bytes; `text` must be UTF-8.
std::size_t length_of(std::string_view text);

} // namespace coursegate::web_gateway
