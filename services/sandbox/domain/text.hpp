// Reading the tab-separated course data and writing JSON by hand where speed asks for it.
#pragma once

#include <charconv>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace coursegate::sandbox {

inline std::vector<std::string_view> split(std::string_view text, char separator)
{
    std::vector<std::string_view> out;
    while (true) {
        const auto at = text.find(separator);
        out.push_back(text.substr(0, at));
        if (at == std::string_view::npos)
            return out;
        text.remove_prefix(at + 1);
    }
}

// The whole of `text` as a decimal integer; nullopt otherwise.
inline std::optional<std::int64_t> to_integer(std::string_view text)
{
    std::int64_t value = 0;
    const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (fault != std::errc{} || end != text.data() + text.size() || text.empty())
        return std::nullopt;
    return value;
}

inline void append(std::string& out, std::int64_t value)
{
    char digits[24];
    const auto [end, fault] = std::to_chars(digits, digits + sizeof digits, value);
    static_cast<void>(fault); // 24 characters hold any int64
    out.append(digits, end);
}

} // namespace coursegate::sandbox
