#include "domain/feed_position.hpp"

#include <algorithm>
#include <charconv>
#include <limits>

namespace coursegate::web_gateway {

bool feed_place::was_there(const feed_position& p) const
{
    return p.xid < began_at && !std::binary_search(running.begin(), running.end(), p.xid);
}

void feed_place::move_to(const feed_position& p)
{
    after = std::max(after, p);
    if (after.xid >= began_at) {
        began_at = 0;
        running.clear();
    }
}

std::string to_string(const feed_place& p)
{
    auto out = std::to_string(p.after.xid) + "." + std::to_string(p.after.seq);
    if (p.began_at == 0)
        return out;
    out += "." + std::to_string(p.began_at);
    for (const auto xid : p.running)
        out += "." + std::to_string(xid);
    return out;
}

base::result<feed_place> parse_feed_place(std::string_view text)
{
    const auto malformed = [] { return base::fail(base::errc::malformed, "an event id is written xid.seq"); };
    std::vector<std::uint64_t> numbers;
    for (std::size_t at = 0; at <= text.size();) {
        const auto dot = std::min(text.find('.', at), text.size());
        std::uint64_t number = 0;
        const auto parsed = std::from_chars(text.data() + at, text.data() + dot, number);
        if (parsed.ec != std::errc() || parsed.ptr != text.data() + dot)
            return malformed();
        numbers.push_back(number);
        at = dot + 1;
    }
    if (numbers.size() < 2 || numbers[1] > std::numeric_limits<std::int64_t>::max())
        return malformed();
    feed_place out;
    out.after = {numbers[0], static_cast<std::int64_t>(numbers[1])};
    if (numbers.size() > 2) {
        out.began_at = numbers[2];
        out.running.assign(numbers.begin() + 3, numbers.end());
        if (!std::is_sorted(out.running.begin(), out.running.end()))
            return malformed();
    }
    return out;
}

} // namespace coursegate::web_gateway
