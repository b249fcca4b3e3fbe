// The table of routes: which handler a path and a method belong to.
#pragma once

#include "coursegate/http/server.hpp"

#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace coursegate::http {

class router
{
public:
    // Throws std::logic_error when two routes have the same method and pattern ({a} and {b} are the same),
    // and on a pattern that doesn't start with '/' or names a parameter twice.
    explicit router(std::vector<route> routes);

    struct match
    {
        const route* found = nullptr;
        std::size_t index = 0;                         // of `found`, for per-route metrics
        std::map<std::string, std::string> parameters; // decoded
        std::string allow; // "GET, HEAD" where the path exists with other methods only
    };

    // `path` as sent, still percent-encoded: an escaped slash stays inside its parameter. A GET route answers
    // HEAD. Of several patterns that fit, the one that is literal earlier wins: /grants/stream before
    // /grants/{id}.
    match find(std::string_view method, std::string_view path) const;

private:
    struct segment
    {
        std::string text; // literal, or the parameter's name
        bool is_parameter = false;
    };
    struct pattern
    {
        std::vector<segment> segments;
        std::size_t route = 0; // index in routes_
    };

    static std::vector<segment> parse(const std::string& text);
    static bool fits(const pattern& p, const std::vector<std::string_view>& parts);

    std::vector<route> routes_;
    std::vector<pattern> patterns_; // one per route, most literal first
    std::unordered_map<std::size_t, std::vector<std::size_t>>
        by_length_; // segments → patterns_, in that order
};

} // namespace coursegate::http
