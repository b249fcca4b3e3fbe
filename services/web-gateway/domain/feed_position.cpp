#include "domain/feed_position.hpp"

#include <charconv>

namespace coursegate::web_gateway {

std::string to_string(const feed_position& p)
{
    return std::to_string(p.xid) + "." + std::to_string(p.seq);
}

base::result<feed_position> parse_feed_position(std::string_view text)
{
    const auto malformed = [] { return base::fail(base::errc::malformed, "an event id is written xid.seq"); };
    const auto dot = text.find('.');
    if (dot == text.npos)
        return malformed();
    feed_position out;
    const auto read = [](std::string_view digits, auto& into) {
        const auto* end = digits.data() + digits.size();
        const auto parsed = std::from_chars(digits.data(), end, into);
        return parsed.ec == std::errc() && parsed.ptr == end;
    };
    if (!read(text.substr(0, dot), out.xid) || !read(text.substr(dot + 1), out.seq) || out.seq < 0)
        return malformed();
    return out;
}

} // namespace coursegate::web_gateway
