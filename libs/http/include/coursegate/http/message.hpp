// Requests and responses as plain values. Beast stays behind libs/http.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace coursegate::http {

// Header names compare without case. A response may repeat a name (Set-Cookie).
class headers
{
public:
    // Both throw std::invalid_argument on a name that is not an RFC 9110 token and on a value with CR, LF or
    // NUL: what a header is made of often comes from outside, and a line break in it would start a header of
    // somebody else's choice.
    void set(std::string name, std::string value); // replaces
    void add(std::string name, std::string value);
    void remove(std::string_view name);
    std::optional<std::string> get(std::string_view name) const; // the first
    bool has(std::string_view name) const;
    const std::vector<std::pair<std::string, std::string>>& all() const { return all_; }

private:
    std::vector<std::pair<std::string, std::string>> all_;
};

// A decoded query string or form body: the first value of each name.
class query
{
public:
    static query parse(std::string_view text); // "a=1&b=%20": never throws; broken escapes stay as they are
    std::optional<std::string> get(std::string_view name) const;
    std::vector<std::string> get_all(std::string_view name) const; // ids[]=1&ids[]=2, in order
    const std::vector<std::pair<std::string, std::string>>& all() const { return all_; }

private:
    std::vector<std::pair<std::string, std::string>> all_;
};

} // namespace coursegate::http
