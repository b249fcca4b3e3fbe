#include "domain/input.hpp"

#include "domain/refused.hpp"

#include <algorithm>
#include <charconv>

namespace coursegate::web_gateway {
namespace {

bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

bool is_alnum(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

std::string_view trimmed(std::string_view text)
{
    const auto first = text.find_first_not_of(" \t\r\n");
    if (first == text.npos)
        return {};
    return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

bool is_local_part(std::string_view local)
{
    constexpr std::string_view marks = "!#$%&'*+/=?^_`{|}~-.";
    if (local.empty() || local.size() > 64 || local.front() == '.' || local.back() == '.')
        return false;
    if (local.find("..") != local.npos)
        return false;
    return std::all_of(
        local.begin(), local.end(), [&](char c) { return is_alnum(c) || marks.find(c) != marks.npos; });
}

bool is_domain(std::string_view domain)
{
    if (domain.find('.') == domain.npos)
        return false;
    while (true) {
        const auto label = domain.substr(0, domain.find('.'));
        if (label.empty() || label.size() > 63 || label.front() == '-' || label.back() == '-')
            return false;
        if (!std::all_of(label.begin(), label.end(), [](char c) { return is_alnum(c) || c == '-'; }))
            return false;
        if (label.size() == domain.size())
            return true;
        domain.remove_prefix(label.size() + 1);
    }
}

// The code point that starts at text[at] and its length, or length 0 when there is none.
std::size_t character_at(std::string_view text, std::size_t at, char32_t& point)
{
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const unsigned char lead = byte(at);
    std::size_t size = 1;
    if (lead < 0x80)
        point = lead;
    else if (lead >= 0xC2 && lead <= 0xDF)
        size = 2, point = lead & 0x1F;
    else if (lead >= 0xE0 && lead <= 0xEF)
        size = 3, point = lead & 0x0F;
    else if (lead >= 0xF0 && lead <= 0xF4)
        size = 4, point = lead & 0x07;
    else
        return 0;
    if (at + size > text.size())
        return 0;
    for (std::size_t i = 1; i < size; ++i) {
        if ((byte(at + i) & 0xC0) != 0x80)
            return 0;
        point = (point << 6) | (byte(at + i) & 0x3F);
    }
    const bool overlong = (size == 3 && point < 0x800) || (size == 4 && point < 0x10000);
    const bool surrogate = point >= 0xD800 && point <= 0xDFFF;
    return overlong || surrogate || point > 0x10FFFF ? 0 : size;
}

} // namespace

bool is_utf8(std::string_view text)
{
    char32_t point = 0;
    for (std::size_t at = 0; at < text.size();) {
        const auto size = character_at(text, at, point);
        if (size == 0)
            return false;
        at += size;
    }
    return true;
}

std::size_t length_of(std::string_view text)
{
    return static_cast<std::size_t>(std::count_if(
        text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

std::string checked_email(std::string_view text, const std::string& field)
{
    const auto email = trimmed(text);
    const auto at = email.rfind('@');
    if (email.size() > 254 || at == email.npos || !is_local_part(email.substr(0, at)) ||
        !is_domain(email.substr(at + 1)))
        throw invalid(field, "This is not an e-mail address such as name@example.org.");
    return std::string(email);
}

std::string checked_boom_code(std::string_view text, const std::string& field)
{
    auto code = std::string(trimmed(text));
    if (code.size() == 11 && code[3] == '-' && code[7] == '-') {
        code.erase(7, 1);
        code.erase(3, 1);
    }
    if (code.size() != 9 || !std::all_of(code.begin(), code.end(), is_digit))
        throw invalid(field, "A Boomstream code has 9 digits: 123456789 or 123-456-789.");
    return code;
}

std::string checked_media_code(std::string_view text, const std::string& field)
{
    if (text.size() != 8 || !std::all_of(text.begin(), text.end(), is_alnum))
        throw invalid(field, "A Boomstream media code has 8 letters or digits, such as HOP3CJoH.");
    return std::string(text);
}

std::string checked_subscription_code(std::string_view text, const std::string& field)
{
    const auto fits = [](char c) { return is_alnum(c) || c == '_' || c == '-'; };
    if (text.empty() || text.size() > 64 || !std::all_of(text.begin(), text.end(), fits))
        throw invalid(field, "A Boomstream subscription code has 1 to 64 letters, digits, '-' or '_'.");
    return std::string(text);
}

std::string checked_line(std::string_view text, const std::string& field, std::size_t most, std::size_t least)
{
    const auto line = trimmed(text);
    if (!is_utf8(line))
        throw invalid(field, "This is not UTF-8 text.");
    char32_t point = 0;
    for (std::size_t at = 0; at < line.size(); at += character_at(line, at, point)) {
        character_at(line, at, point);
        if (point < 0x20 || (point >= 0x7F && point < 0xA0))
            throw invalid(field, "Control characters (line ends, tabs) are not allowed here.");
    }
    const auto length = length_of(line);
    if (length < least)
        throw invalid(field, "This must not be empty.");
    if (length > most)
        throw invalid(field, "This is longer than " + std::to_string(most) + " characters.");
    return std::string(line);
}

std::string checked_key(std::string_view text, const std::string& field, std::size_t most)
{
    const auto key = trimmed(text);
    if (key.empty() || key.size() > most ||
        !std::all_of(key.begin(), key.end(), [](char c) { return c > 0x20 && c < 0x7F; }))
        throw invalid(
            field, "A key has 1 to " + std::to_string(most) + " printable characters without blanks.");
    return std::string(key);
}

std::string checked_locale(std::string_view text, const std::string& field)
{
    if (text != "ru" && text != "uk" && text != "en")
        throw invalid(field, "The language is one of ru, uk, en.");
    return std::string(text);
}

std::int64_t checked_id(std::int64_t value, const std::string& field)
{
    if (value <= 0)
        throw invalid(field, "An id is a whole number greater than 0.");
    return value;
}

std::int64_t checked_range(
    std::int64_t value, const std::string& field, std::int64_t least, std::int64_t most)
{
    if (value < least || value > most)
        throw invalid(
            field, "This must be between " + std::to_string(least) + " and " + std::to_string(most) + ".");
    return value;
}

base::uuid checked_uuid(std::string_view text, const std::string& field)
{
    const auto id = base::parse_uuid(text);
    if (!id.has_value())
        throw invalid(field, "This is not an id such as 018f3c6e-7a1b-7c22-9d1e-0a4b5c6d7e8f.");
    return *id;
}

base::time_point checked_time(std::string_view text, const std::string& field)
{
    const auto time = base::parse_iso8601(text);
    if (!time.has_value())
        throw invalid(field, "A time is written 2026-01-02T03:04:05Z.");
    return *time;
}

std::int64_t checked_number(
    std::string_view text, const std::string& field, std::int64_t least, std::int64_t most)
{
    std::int64_t value = 0;
    const auto* end = text.data() + text.size();
    const auto parsed = std::from_chars(text.data(), end, value);
    if (parsed.ec != std::errc() || parsed.ptr != end)
        throw invalid(field, "This is not a whole number.");
    return checked_range(value, field, least, most);
}

} // namespace coursegate::web_gateway
