// Small pieces of HTTP text handling shared by server and client.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace coursegate::http {

bool equal_without_case(std::string_view a, std::string_view b);
std::string_view trimmed(std::string_view text); // without spaces and tabs at both ends

// RFC 9110 token: what a method or a header name is made of.
bool is_token(std::string_view text);

// True when `list` ("gzip, chunked") has `word` as one of its comma-separated members, without case.
bool list_has(std::string_view list, std::string_view word);

// nullopt when an escape is broken or decodes to NUL.
std::optional<std::string> percent_decode(std::string_view text);

// RFC 9110 dates, the form everybody sends: "Sun, 06 Nov 1994 08:49:37 GMT".
std::string to_http_date(std::chrono::system_clock::time_point t);
// In seconds: system_clock's nanoseconds end in the year 2262, and a header may say 9999.
std::optional<std::chrono::sys_seconds> parse_http_date(std::string_view text);

std::string_view reason_phrase(int status);

} // namespace coursegate::http
