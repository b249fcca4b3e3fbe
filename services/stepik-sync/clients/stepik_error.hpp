// What can go wrong between us and Stepik, as values. The detail is a sentence without secrets; of the body
// it holds at most the first 160 characters of what Stepik itself calls `detail` or `error`.
#pragma once

#include "coursegate/base/result.hpp"

namespace coursegate::stepik_sync {

enum class stepik_errc
{
    unreachable = 1, // no whole answer: resolver, connection, deadline, open circuit
    server_error,    // 5xx
    rate_limited,    // 429 (or 497 from the token endpoint), or a pause after one
    busy,            // no call came free in time; Stepik was not asked
    wrong_secret,    // the token endpoint does not know the application
    unreadable_key,  // the stored secret can't be opened
    token_refused,   // 401 with a fresh token
    forbidden,       // 403
    not_found,       // 404
    refused,         // another 4xx
    bad_answer,      // not what the API is documented to answer
};

const std::error_category& stepik_category() noexcept;
std::error_code make_error_code(stepik_errc e) noexcept;

// True when asking again soon may help.
bool may_pass_by_itself(const base::error& e);

} // namespace coursegate::stepik_sync

template <>
struct std::is_error_code_enum<coursegate::stepik_sync::stepik_errc> : std::true_type
{};
