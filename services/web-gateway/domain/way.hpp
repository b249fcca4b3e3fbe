// The ways to sign in that lean on somebody else: who a person is there, and how such an account is named
// here.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace coursegate::web_gateway {

enum class way
{
    google,
    telegram,
    stepik,
};
inline constexpr std::array all_ways{way::google, way::telegram, way::stepik};

// "google": in addresses, in accounts.sessions.signed_in_by and in the audit log.
constexpr std::string_view name_of(way w)
{
    return w == way::google ? "google" : w == way::telegram ? "telegram" : "stepik";
}

// "Google": for people, in every language.
constexpr std::string_view title_of(way w)
{
    return w == way::google ? "Google" : w == way::telegram ? "Telegram" : "Stepik";
}

constexpr std::optional<way> way_named(std::string_view name)
{
    for (const auto w : all_ways)
        if (name == name_of(w))
            return w;
    return std::nullopt;
}

// Somebody, as the other side has just proved him.
struct identity
{
    web_gateway::way way = web_gateway::way::google;
    std::string subject; // Google's `sub`; the number of the Telegram or Stepik account in decimal
    std::string shown;   // Google's e-mail, Telegram's user name: for the person to know it by; may be empty
    // Where the other side has checked the e-mail (Google): whose it is.
    std::optional<std::string> verified_email{};
    std::string first_name;
    std::string last_name;
};

} // namespace coursegate::web_gateway
