#include "domain/grants.hpp"

#include <algorithm>
#include <array>
#include <string>

namespace coursegate::boomstream_grant {

namespace {

std::chrono::milliseconds doubled(
    int times, std::chrono::milliseconds first, std::chrono::milliseconds longest, double spread)
{
    auto wait = first;
    for (int i = 1; i < times && wait < longest; ++i)
        wait *= 2;
    wait = std::min(wait, longest);
    const double share = 1.0 - 0.25 * std::clamp(spread, 0.0, 1.0);
    return std::chrono::milliseconds(static_cast<std::int64_t>(static_cast<double>(wait.count()) * share));
}

std::string lower(std::string_view text)
{
    std::string out(text);
    std::transform(out.begin(), out.end(), out.begin(),
        [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
    return out;
}

template <std::size_t N>
bool mentions(std::string_view message, const std::array<std::string_view, N>& phrases)
{
    const auto text = lower(message);
    return std::any_of(
        phrases.begin(), phrases.end(), [&](auto p) { return text.find(p) != std::string::npos; });
}

} // namespace

bool may_follow(grant_state from, grant_state to)
{
    using enum grant_state;
    switch (from) {
    case wanted:
        return to == asked || to == confirmed || to == failed || to == revoked;
    case asked:
        return to == confirmed || to == failed || to == wanted;
    case failed:
        return to == wanted || to == asked || to == confirmed || to == revoked;
    case confirmed:
        return to == revoked;
    case revoked:
        return to == wanted;
    }
    return false;
}

std::chrono::milliseconds wait_after_refusal(int failures, double spread)
{
    return doubled(failures, std::chrono::seconds(2), std::chrono::hours(1), spread);
}

std::chrono::milliseconds wait_after_not_sent(int misses, double spread)
{
    return doubled(misses, std::chrono::milliseconds(500), std::chrono::seconds(30), spread);
}

bool is_about_the_key(std::string_view provider_message)
{
    // Words seen in Boomstream's answers to a wrong key; "Application not found" is one of them, so this is
    // asked first.
    static constexpr std::array<std::string_view, 5> phrases{
        "api key", "apikey", "unauthorized", "application not found", "access denied"};
    return mentions(provider_message, phrases);
}

bool needs_a_person(std::string_view provider_message)
{
    static constexpr std::array<std::string_view, 1> phrases{"not found"};
    static constexpr std::array<std::string_view, 1> not_theirs{
        "method not found"}; // the API itself, not what we named
    return !is_about_the_key(provider_message) && !mentions(provider_message, not_theirs) &&
           mentions(provider_message, phrases);
}

} // namespace coursegate::boomstream_grant
