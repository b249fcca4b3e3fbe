#include "router.hpp"

#include "text.hpp"

#include <algorithm>
#include <set>
#include <stdexcept>

namespace coursegate::http {

namespace {

std::vector<std::string_view> split(std::string_view path)
{
    std::vector<std::string_view> out;
    out.reserve(8);
    path.remove_prefix(1);
    for (;;) {
        const auto slash = path.find('/');
        out.push_back(path.substr(0, slash));
        if (slash == std::string_view::npos)
            return out;
        path.remove_prefix(slash + 1);
    }
}

} // namespace

std::vector<router::segment> router::parse(const std::string& text)
{
    if (text.empty() || text.front() != '/')
        throw std::logic_error("route " + text + " doesn't start with /");
    std::vector<segment> out;
    std::set<std::string> names;
    for (const auto part : split(text)) {
        segment s;
        s.is_parameter = part.size() > 2 && part.front() == '{' && part.back() == '}';
        s.text = std::string(s.is_parameter ? part.substr(1, part.size() - 2) : part);
        if (s.is_parameter && !names.insert(s.text).second)
            throw std::logic_error("route " + text + " names a parameter twice");
        out.push_back(std::move(s));
    }
    return out;
}

router::router(std::vector<route> routes) : routes_(std::move(routes))
{
    for (std::size_t i = 0; i < routes_.size(); ++i) {
        const auto segments = parse(routes_[i].pattern);
        // {a} and {b} are the same place, so only the methods of two such routes may differ.
        for (const auto& other : patterns_) {
            const bool same = std::equal(segments.begin(), segments.end(), other.segments.begin(),
                other.segments.end(), [](const segment& a, const segment& b) {
                    return a.is_parameter == b.is_parameter && (a.is_parameter || a.text == b.text);
                });
            if (same && routes_[other.route].method == routes_[i].method)
                throw std::logic_error("two routes for " + routes_[i].method + " " + routes_[i].pattern);
        }
        patterns_.push_back(pattern{segments, i});
    }
    std::stable_sort(patterns_.begin(), patterns_.end(), [](const pattern& a, const pattern& b) {
        return std::lexicographical_compare(a.segments.begin(), a.segments.end(), b.segments.begin(),
            b.segments.end(),
            [](const segment& x, const segment& y) { return !x.is_parameter && y.is_parameter; });
    });
    for (std::size_t i = 0; i < patterns_.size(); ++i)
        by_length_[patterns_[i].segments.size()].push_back(i);
}

bool router::fits(const pattern& p, const std::vector<std::string_view>& parts)
{
    for (std::size_t i = 0; i < parts.size(); ++i)
        if (p.segments[i].is_parameter ? parts[i].empty() : p.segments[i].text != parts[i])
            return false;
    return true;
}

router::match router::find(std::string_view method, std::string_view path) const
{
    match out;
    if (path.empty() || path.front() != '/')
        return out;
    const auto parts = split(path);
    const auto candidates = by_length_.find(parts.size());
    if (candidates == by_length_.end())
        return out;

    const pattern* found = nullptr;
    const pattern* get = nullptr; // what answers a HEAD
    for (const auto i : candidates->second) {
        const auto& p = patterns_[i];
        const auto& route_method = routes_[p.route].method;
        // The cheap comparison first: with some dozens of routes most candidates differ in their method.
        if (route_method == method && fits(p, parts)) {
            found = &p;
            break;
        }
        if (!get && method == "HEAD" && route_method == "GET" && fits(p, parts))
            get = &p;
    }
    if (!found)
        found = get;
    if (found) {
        for (std::size_t i = 0; i < parts.size(); ++i) {
            if (!found->segments[i].is_parameter)
                continue;
            auto value = percent_decode(parts[i]);
            if (!value)
                return match{}; // the server refuses such a path before it asks
            out.parameters.emplace(found->segments[i].text, std::move(*value));
        }
        out.index = found->route;
        out.found = &routes_[out.index];
        return out;
    }

    std::set<std::string> allowed;
    for (const auto i : candidates->second)
        if (fits(patterns_[i], parts)) {
            const auto& allowed_method = routes_[patterns_[i].route].method;
            allowed.insert(allowed_method);
            if (allowed_method == "GET")
                allowed.insert("HEAD");
        }
    for (const auto& m : allowed)
        out.allow += (out.allow.empty() ? "" : ", ") + m;
    return out;
}

} // namespace coursegate::http
