// A JSON text with a cheap way in: tests look at values as text, so that no test pays for nlohmann's
// templates.
#pragma once

#include <string>
#include <vector>

namespace coursegate::web_gateway::tests {

struct document
{
    std::string text;

    // The value at a JSON pointer ("/modules/0/title"): a string as it is, anything else as JSON ("5",
    // "null", "[1,2]").
    // "(nothing)" where there is none.
    std::string at(const std::string& pointer) const;
    std::size_t size(const std::string& pointer) const; // of a list or object; 0 where there is none
    // That member of each object of a list: all("/users", "id").
    std::vector<std::string> all(const std::string& list, const std::string& member) const;
    bool has(const std::string& pointer) const;
};

// `json` with one more member (or another value of one it has).
std::string with(const std::string& json, const std::string& member, const std::string& value);

} // namespace coursegate::web_gateway::tests
