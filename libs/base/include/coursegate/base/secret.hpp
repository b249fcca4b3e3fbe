// A string that can't be printed by accident: no stream operator, no fmt formatter, no conversion.
// Whoever needs the characters says expose(), which a reviewer can search for.
#pragma once

#include <string>
#include <string_view>

namespace coursegate::base {

class secret
{
public:
    secret() = default;
    explicit secret(std::string value) : value_(std::move(value)) {}
    secret(const secret&) = default;
    secret(secret&&) = default;
    secret& operator=(const secret&) = default;
    secret& operator=(secret&&) = default;
    ~secret(); // wipes the memory

    const std::string& expose() const { return value_; }
    bool empty() const { return value_.empty(); }
    bool operator==(const secret& other) const; // constant time

private:
    std::string value_;
};

// Constant-time comparison of bytes from outside with a secret of ours.
bool equal_in_constant_time(std::string_view a, std::string_view b);

} // namespace coursegate::base
