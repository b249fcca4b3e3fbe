// Errors: an expected outcome is a value (`error` inside `result`), a broken dependency is an exception.
#pragma once

#include <stdexcept>
#include <string>
#include <system_error>

namespace coursegate::base {

// What went wrong, for the caller to decide on. `code` is one of a lib's or service's errc; `detail` is a
// sentence for logs and people and never contains a secret.
struct error
{
    std::error_code code;
    std::string detail;
};

// Our own database or broker can't be used right now. Not the message's, request's or row's fault: whoever
// catches it waits and tries again without counting an attempt.
class dependency_down : public std::runtime_error
{
public:
    using std::runtime_error::runtime_error;
};

// Configuration is missing or malformed. what() names every fault at once, one per line.
class bad_configuration : public std::runtime_error
{
public:
    using std::runtime_error::runtime_error;
};

// Errors of libs/base itself.
enum class errc
{
    malformed = 1, // text does not have the form asked for (uuid, time, base64, sealed box)
    unknown_key,   // a sealed box names a key that SECRET_KEY no longer lists
    not_authentic, // a sealed box was changed, or belongs to another table, column or row
};

const std::error_category& base_category() noexcept;
std::error_code make_error_code(errc e) noexcept;

} // namespace coursegate::base

template <>
struct std::is_error_code_enum<coursegate::base::errc> : std::true_type
{};
