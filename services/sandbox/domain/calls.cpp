#include "domain/calls.hpp"

#include "domain/text.hpp"

#include <algorithm>

namespace coursegate::sandbox {

namespace {
constexpr std::size_t recent_calls = 200;
}

std::string path_pattern(std::string_view path)
{
    std::string out;
    auto parts = split(path, '/');
    for (std::size_t i = 1; i < parts.size(); ++i) {
        const auto part = parts[i];
        const bool player = i == 1 && part.size() == 8 &&
                            std::ranges::all_of(part, [](unsigned char c) { return std::isalnum(c) != 0; });
        if (player)
            out += "/{code}";
        else if (to_integer(part))
            out += "/{id}";
        else
            out.append("/").append(part);
    }
    return out;
}

bool call_book::begin(target t, base::time_point now, int per_second)
{
    auto& m = meters_[static_cast<std::size_t>(t)];
    while (!m.last_second.empty() && m.last_second.front() + std::chrono::seconds(1) <= now)
        m.last_second.pop_front();
    m.last_second.push_back(now);
    const auto in_window = static_cast<int>(m.last_second.size());
    m.load.most_per_second = std::max(m.load.most_per_second, in_window);
    ++m.load.in_flight;
    m.load.most_in_flight = std::max(m.load.most_in_flight, m.load.in_flight);
    return per_second <= 0 || in_window <= per_second;
}

void call_book::end(call c)
{
    auto& m = meters_[static_cast<std::size_t>(c.target)];
    m.load.in_flight = std::max(0, m.load.in_flight - 1);
    auto& t = tallies_[{c.target, c.path, c.status, c.fault}];
    ++t.calls;
    t.failed += c.failed ? 1 : 0;
    recent_.push_front(std::move(c));
    if (recent_.size() > recent_calls)
        recent_.pop_back();
}

void call_book::clear()
{
    tallies_.clear();
    recent_.clear();
    for (auto& m : meters_) {
        m.last_second.clear();
        m.load.most_in_flight = m.load.in_flight;
        m.load.most_per_second = 0;
    }
}

std::int64_t call_book::total(target t) const
{
    std::int64_t out = 0;
    for (const auto& [k, v] : tallies_)
        if (k.target == t)
            out += v.calls;
    return out;
}

} // namespace coursegate::sandbox
