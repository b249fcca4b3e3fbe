// The rules of signing in and staying signed in, without a database or a clock of their own: how often
// somebody may guess, how long a session lasts, where a sign-in may lead to, and what stands in the cookies.
#pragma once

#include "coursegate/base/clock.hpp"

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace coursegate::web_gateway {

// ---- Limits (a code has 9 digits: 10 guesses an hour are 10^8 hours) ----

inline constexpr int failures_per_account = 10;
inline constexpr int failures_per_address = 50; // a school behind one address still gets in
inline constexpr std::chrono::hours failures_count_for{1};

// The failed sign-ins of the last hour that have to do with one try.
struct failures
{
    int of_account = 0;
    int of_address = 0;
    // When the limit's worth of failures has one less: the time of the failure that keeps the limit reached.
    // Nothing below the limit.
    std::optional<base::time_point> account_blocked_by{};
    std::optional<base::time_point> address_blocked_by{};
};

// How long nobody may try, at least one whole second; nothing when a try is allowed.
std::optional<std::chrono::seconds> must_wait(const failures& f, base::time_point now);

// ---- Sessions ----

inline constexpr std::chrono::hours session_lasts{30 * 24}; // since it was last seen
inline constexpr std::chrono::hours app_session_lasts{12};  // of the Mini App: each launch begins a new one
inline constexpr std::chrono::hours session_seen_every{1};  // more often it is not written down

// True when the use of a session at `now` is worth a write.
bool is_worth_noting(base::time_point last_seen, base::time_point now);

// A token: 64 hexadecimal digits of 32 random bytes. Anything else is not worth a look-up.
bool is_token(std::string_view text);

// The first characters of a User-Agent header, for the list of one's own sessions: printable ASCII, at most
// 200.
std::string shortened_user_agent(std::string_view header);

// ---- Where to ----

inline constexpr std::string_view home = "/dashboard";

// `next` when it is a path on this site that a browser can't read in another way, else `home`: it begins with
// one '/', and has no backslash, no further "//" before the query, nothing but printable ASCII, and at most
// 1000 characters.
std::string safe_next(std::string_view next);

// ---- Cookies ----

// Both bind to this host and path "/" and are refused by the browser without https (or loopback).
inline constexpr std::string_view session_cookie = "__Host-session";
inline constexpr std::string_view login_cookie =
    "__Host-login"; // ties the sign-in form to the browser it was shown to

// The value of a cookie in a Cookie header; nothing when it is not there, or there twice with two values.
std::optional<std::string> cookie_of(std::string_view header, std::string_view name);

// Set-Cookie. Nobody but HTTP reads it, and no other site's form sends it.
std::string set_cookie(std::string_view name, std::string_view value, std::chrono::seconds max_age);
std::string clear_cookie(std::string_view name);

} // namespace coursegate::web_gateway
