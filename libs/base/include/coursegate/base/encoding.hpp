// Bytes as text and back.
#pragma once

#include "coursegate/base/result.hpp"

#include <string>
#include <string_view>

namespace coursegate::base {

std::string to_hex(std::string_view bytes);    // lower case
std::string to_base64(std::string_view bytes); // RFC 4648 §4, padded
result<std::string> from_base64(
    std::string_view text); // accepts §4 and §5 (url), padded or not; errc::malformed
std::string percent_encode(std::string_view text); // everything but RFC 3986 unreserved characters
std::string random_bytes(std::size_t count);  // from the operating system's CSPRNG; throws if there is none
std::string random_digits(std::size_t count); // decimal digits, uniform, same source
std::string sha256(std::string_view bytes);   // 32 raw bytes
std::string hmac_sha256(std::string_view key, std::string_view bytes); // RFC 2104, 32 raw bytes

} // namespace coursegate::base
