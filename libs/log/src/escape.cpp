#include "escape.hpp"

#include <cstdint>

namespace coursegate::log {

namespace {

// Length of the well-formed UTF-8 sequence at the front (Unicode table 3-7), 0 when there is none.
std::size_t sequence(std::string_view s)
{
    const auto byte = [&](std::size_t i) { return i < s.size() ? static_cast<unsigned char>(s[i]) : 0U; };
    const auto tail = [&](std::size_t i) { return byte(i) >= 0x80 && byte(i) <= 0xbf; };
    const auto b0 = byte(0);
    const auto b1 = byte(1);
    if (b0 < 0x80)
        return 1;
    if (b0 >= 0xc2 && b0 <= 0xdf)
        return tail(1) ? 2 : 0;
    if (b0 >= 0xe0 && b0 <= 0xef) {
        const unsigned least = b0 == 0xe0 ? 0xa0 : 0x80;
        const unsigned most = b0 == 0xed ? 0x9f : 0xbf;
        return b1 >= least && b1 <= most && tail(2) ? 3 : 0;
    }
    if (b0 >= 0xf0 && b0 <= 0xf4) {
        const unsigned least = b0 == 0xf0 ? 0x90 : 0x80;
        const unsigned most = b0 == 0xf4 ? 0x8f : 0xbf;
        return b1 >= least && b1 <= most && tail(2) && tail(3) ? 4 : 0;
    }
    return 0;
}

void append_code(std::string& out, unsigned code)
{
    constexpr char digits[] = "0123456789abcdef";
    out += "\\u";
    for (const int shift : {12, 8, 4, 0})
        out += digits[code >> shift & 15];
}

} // namespace

void append_escaped(std::string& out, std::string_view text)
{
    while (!text.empty()) {
        const auto length = sequence(text);
        if (length == 0) {
            out += "\xef\xbf\xbd";
            text.remove_prefix(1);
            continue;
        }
        const auto c = static_cast<unsigned char>(text.front());
        if (length > 1) {
            const auto whole = text.substr(0, length);
            if (whole == "\xe2\x80\xa8")
                append_code(out, 0x2028);
            else if (whole == "\xe2\x80\xa9")
                append_code(out, 0x2029);
            else if (c == 0xc2 && static_cast<unsigned char>(whole[1]) < 0xa0) // C1 controls steer terminals
                append_code(out, static_cast<unsigned char>(whole[1]));
            else
                out += whole;
        }
        else if (c == '"')
            out += "\\\"";
        else if (c == '\\')
            out += "\\\\";
        else if (c == '\n')
            out += "\\n";
        else if (c == '\r')
            out += "\\r";
        else if (c == '\t')
            out += "\\t";
        else if (c == '\b')
            out += "\\b";
        else if (c == '\f')
            out += "\\f";
        else if (c < 0x20 || c == 0x7f)
            append_code(out, c);
        else
            out += static_cast<char>(c);
        text.remove_prefix(length);
    }
}

} // namespace coursegate::log
