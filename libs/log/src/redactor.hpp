// Finds registered secrets in text, in every spelling a careless caller may log them in: as they are,
// JSON-escaped, percent-encoded, base64 (also as part of a longer base64 text, such as a Basic credential)
// and hexadecimal.
#pragma once

#include <bitset>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace coursegate::log {

// Immutable once built; looking is one pass over the text, whatever the number of secrets.
class redactor
{
public:
    redactor() = default;
    redactor(const redactor&) = default;

    // False when it was known already.
    bool add(const std::string& secret);

    bool finds_in(std::string_view text) const;
    // Replaces each find by "***".
    std::string without_secrets(std::string_view text) const;

private:
    // Length of the longest pattern that begins at `at`, 0 for none.
    std::size_t match(std::string_view text, std::size_t at) const;
    void add_pattern(std::string pattern);

    static constexpr std::size_t head = 4; // patterns are at least this long
    std::bitset<4096> heads_; // by a hash of the first four bytes: says no for nearly every position
    std::unordered_map<std::uint32_t, std::vector<std::string>>
        patterns_; // by the first four bytes, longest first
    std::vector<std::string> secrets_;
};

} // namespace coursegate::log
