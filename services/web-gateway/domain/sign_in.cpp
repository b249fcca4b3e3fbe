#include "domain/sign_in.hpp"

#include <algorithm>

namespace coursegate::web_gateway {
namespace {

constexpr std::size_t longest_next = 1000;
constexpr std::size_t longest_user_agent = 200;

bool is_printable(char c)
{
    return c > 0x20 && c < 0x7F;
}

std::string_view trimmed(std::string_view text)
{
    const auto first = text.find_first_not_of(" \t");
    if (first == text.npos)
        return {};
    return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

std::chrono::seconds left_of(base::time_point failure, base::time_point now)
{
    const auto left = std::chrono::ceil<std::chrono::seconds>(failure + failures_count_for - now);
    return std::max(left, std::chrono::seconds(1));
}

} // namespace

std::optional<std::chrono::seconds> must_wait(const failures& f, base::time_point now)
{
    std::optional<std::chrono::seconds> out;
    if (f.of_account >= failures_per_account && f.account_blocked_by)
        out = left_of(*f.account_blocked_by, now);
    if (f.of_address >= failures_per_address && f.address_blocked_by)
        out = std::max(out.value_or(std::chrono::seconds(0)), left_of(*f.address_blocked_by, now));
    return out;
}

bool is_worth_noting(base::time_point last_seen, base::time_point now)
{
    return now - last_seen >= session_seen_every;
}

bool is_token(std::string_view text)
{
    const auto fits = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
    return text.size() == 64 && std::all_of(text.begin(), text.end(), fits);
}

std::string shortened_user_agent(std::string_view header)
{
    std::string out;
    for (const char c : header.substr(0, longest_user_agent))
        out += c == ' ' || is_printable(c) ? c : '?';
    return out;
}

std::string safe_next(std::string_view next)
{
    const auto path = next.substr(0, next.find_first_of("?#"));
    const bool is_ours = !next.empty() && next.size() <= longest_next && next.front() == '/' &&
                         path.find("//") == path.npos && next.find('\\') == next.npos &&
                         std::all_of(next.begin(), next.end(), is_printable);
    return std::string(is_ours ? next : home);
}

std::optional<std::string> cookie_of(std::string_view header, std::string_view name)
{
    std::optional<std::string> out;
    while (!header.empty()) {
        const auto end = header.find(';');
        const auto pair = header.substr(0, end);
        header = end == header.npos ? std::string_view{} : header.substr(end + 1);
        const auto equals = pair.find('=');
        if (equals == pair.npos || trimmed(pair.substr(0, equals)) != name)
            continue;
        const auto value = trimmed(pair.substr(equals + 1));
        if (out && *out != value)
            return std::nullopt;
        out = std::string(value);
    }
    return out;
}

std::string set_cookie(std::string_view name, std::string_view value, std::chrono::seconds max_age)
{
    return std::string(name) + "=" + std::string(value) +
           "; Path=/; Max-Age=" + std::to_string(max_age.count()) + "; HttpOnly; Secure; SameSite=Lax";
}

std::string clear_cookie(std::string_view name)
{
    return set_cookie(name, "", std::chrono::seconds(0));
}

} // namespace coursegate::web_gateway
