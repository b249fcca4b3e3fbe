#include "coursegate/http/message.hpp"

#include "text.hpp"

#include <algorithm>
#include <stdexcept>

namespace coursegate::http {

namespace {

void check(std::string_view name, std::string_view value)
{
    if (!is_token(name))
        throw std::invalid_argument("not a header name");
    // The name only: the value may be a token or a person's.
    if (value.find_first_of(std::string_view("\r\n\0", 3)) != std::string_view::npos)
        throw std::invalid_argument(
            "header " + std::string(name) + ": the value has a line break or NUL in it");
}

} // namespace

void headers::set(std::string name, std::string value)
{
    check(name, value);
    for (auto i = all_.begin(); i != all_.end(); ++i)
        if (equal_without_case(i->first, name)) {
            i->second = std::move(value);
            all_.erase(std::remove_if(std::next(i), all_.end(),
                           [&](const auto& h) { return equal_without_case(h.first, name); }),
                all_.end());
            return;
        }
    all_.emplace_back(std::move(name), std::move(value));
}

void headers::add(std::string name, std::string value)
{
    check(name, value);
    all_.emplace_back(std::move(name), std::move(value));
}

void headers::remove(std::string_view name)
{
    std::erase_if(all_, [&](const auto& h) { return equal_without_case(h.first, name); });
}

std::optional<std::string> headers::get(std::string_view name) const
{
    for (const auto& [n, v] : all_)
        if (equal_without_case(n, name))
            return v;
    return std::nullopt;
}

bool headers::has(std::string_view name) const
{
    return std::any_of(
        all_.begin(), all_.end(), [&](const auto& h) { return equal_without_case(h.first, name); });
}

query query::parse(std::string_view text)
{
    const auto decode = [](std::string_view part) {
        std::string spaced(part);
        std::replace(spaced.begin(), spaced.end(), '+', ' ');
        auto decoded = percent_decode(spaced);
        return decoded ? std::move(*decoded) : std::string(part);
    };

    query out;
    while (!text.empty()) {
        const auto end = text.find('&');
        const auto pair = text.substr(0, end);
        text = end == std::string_view::npos ? std::string_view{} : text.substr(end + 1);
        if (pair.empty())
            continue;
        const auto equals = pair.find('=');
        out.all_.emplace_back(decode(pair.substr(0, equals)),
            equals == std::string_view::npos ? std::string{} : decode(pair.substr(equals + 1)));
    }
    return out;
}

std::optional<std::string> query::get(std::string_view name) const
{
    for (const auto& [n, v] : all_)
        if (n == name)
            return v;
    return std::nullopt;
}

std::vector<std::string> query::get_all(std::string_view name) const
{
    std::vector<std::string> out;
    for (const auto& [n, v] : all_)
        if (n == name)
            out.push_back(v);
    return out;
}

} // namespace coursegate::http
