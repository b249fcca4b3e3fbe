#include "redactor.hpp"

#include "coursegate/base/encoding.hpp"
#include "escape.hpp"

#include <algorithm>
#include <cstring>

namespace coursegate::log {

namespace {

std::uint32_t first_four(const char* p)
{
    std::uint32_t out = 0;
    std::memcpy(&out, p, sizeof out);
    return out;
}

std::size_t slot(std::uint32_t four)
{
    return (four * 2654435761U) >> 20;
}

std::string replaced(std::string text, char from, std::string_view to)
{
    std::string out;
    for (const char c : text) {
        if (c == from)
            out += to;
        else
            out += c;
    }
    return out;
}

std::string lower(std::string s)
{
    for (char& c : s) {
        if (c >= 'A' && c <= 'Z')
            c = static_cast<char>(c - 'A' + 'a');
    }
    return s;
}

std::string upper(std::string s)
{
    for (char& c : s) {
        if (c >= 'a' && c <= 'z')
            c = static_cast<char>(c - 'a' + 'A');
    }
    return s;
}

std::string lower_escapes(std::string s) // %2B as %2b, the rest as it is
{
    for (std::size_t i = 0; i + 2 < s.size(); ++i) {
        if (s[i] == '%') {
            s[i + 1] = lower(std::string(1, s[i + 1])).front();
            s[i + 2] = lower(std::string(1, s[i + 2])).front();
        }
    }
    return s;
}

std::string url_alphabet(std::string s)
{
    std::replace(s.begin(), s.end(), '+', '-');
    std::replace(s.begin(), s.end(), '/', '_');
    return s;
}

} // namespace

void redactor::add_pattern(std::string pattern)
{
    if (pattern.size() < head)
        return;
    const auto four = first_four(pattern.data());
    auto& same = patterns_[four];
    if (std::find(same.begin(), same.end(), pattern) != same.end())
        return;
    heads_.set(slot(four));
    same.push_back(std::move(pattern));
    std::sort(same.begin(), same.end(), [](const auto& a, const auto& b) { return a.size() > b.size(); });
}

bool redactor::add(const std::string& secret)
{
    if (secret.size() < head || std::find(secrets_.begin(), secrets_.end(), secret) != secrets_.end())
        return false;
    secrets_.push_back(secret);
    add_pattern(secret);

    std::string escaped;
    append_escaped(escaped, secret);
    add_pattern(escaped);
    add_pattern(replaced(escaped, '/', "\\/")); // PHP writes it so

    const auto percent = base::percent_encode(secret);
    add_pattern(percent);
    add_pattern(lower_escapes(percent));
    if (secret.find(' ') != std::string::npos) // application/x-www-form-urlencoded writes it as +
    {
        std::string with_plus;
        for (std::string_view rest{percent}; !rest.empty();) {
            const bool space = rest.starts_with("%20");
            with_plus += space ? '+' : rest.front();
            rest.remove_prefix(space ? 3 : 1);
        }
        add_pattern(std::move(with_plus));
    }

    const auto hex = base::to_hex(secret);
    add_pattern(hex);
    add_pattern(upper(hex));

    // Alone: the whole text without its padding. Inside something longer: the digits that depend on the
    // secret only, for each of the three positions it can have; short secrets leave too few digits to tell.
    auto alone = base::to_base64(secret);
    alone.resize(alone.find_last_not_of('=') + 1);
    add_pattern(alone);
    add_pattern(url_alphabet(alone));
    for (const std::size_t before : {0U, 1U, 2U}) {
        std::string shifted(before, 'x');
        shifted += secret;
        const auto text = base::to_base64(shifted);
        const auto first = (before * 8 + 5) / 6;
        const auto last = (before + secret.size()) * 8 / 6;
        if (last < first + 8)
            continue;
        const auto inside = text.substr(first, last - first);
        add_pattern(inside);
        add_pattern(url_alphabet(inside));
    }
    return true;
}

std::size_t redactor::match(std::string_view text, std::size_t at) const
{
    const auto four = first_four(text.data() + at);
    if (!heads_.test(slot(four)))
        return 0;
    const auto found = patterns_.find(four);
    if (found == patterns_.end())
        return 0;
    for (const auto& pattern : found->second) {
        if (text.substr(at, pattern.size()) == pattern)
            return pattern.size();
    }
    return 0;
}

bool redactor::finds_in(std::string_view text) const
{
    for (std::size_t at = 0; at + head <= text.size(); ++at) {
        if (match(text, at) != 0)
            return true;
    }
    return false;
}

std::string redactor::without_secrets(std::string_view text) const
{
    std::string out;
    out.reserve(text.size());
    std::size_t at = 0;
    while (at < text.size()) {
        const auto length = at + head <= text.size() ? match(text, at) : 0;
        if (length == 0) {
            out += text[at++];
            continue;
        }
        out += "***";
        at += length;
    }
    return out;
}

} // namespace coursegate::log
