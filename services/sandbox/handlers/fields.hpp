// Reading the JSON body of a control call: every fault names the field, and a field nobody knows is a fault
// too, so that a misspelt knob does not look as if it had been turned.
#pragma once

#include <nlohmann/json.hpp>

#include <cstdint>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

namespace coursegate::sandbox {

class bad_field : public std::runtime_error
{
public:
    bad_field(std::string field, const std::string& message)
        : std::runtime_error(message), field_(std::move(field))
    {}
    const std::string& field() const { return field_; }

private:
    std::string field_;
};

// All functions throw bad_field.
class fields
{
public:
    explicit fields(const std::string& body); // an empty body is an empty object
    explicit fields(nlohmann::json object, std::string inside = {});

    bool has(const std::string& name) const { return object_.contains(name); }
    std::optional<std::int64_t> integer(const std::string& name, std::int64_t least, std::int64_t most);
    std::optional<double> number(const std::string& name, double least, double most);
    std::optional<bool> flag(const std::string& name);
    std::optional<std::string> text(const std::string& name);
    std::vector<std::int64_t> integers(const std::string& name); // empty when left out
    std::vector<std::string> texts(const std::string& name);
    std::vector<fields> objects(const std::string& name);

    std::int64_t required_integer(const std::string& name, std::int64_t least, std::int64_t most);
    std::string required_text(const std::string& name);

    void finish() const; // a field that was never asked for is a fault

private:
    const nlohmann::json* get(const std::string& name);
    std::string path(const std::string& name) const { return inside_ + name; }

    nlohmann::json object_;
    std::string inside_; // "list[3]." for messages
    std::set<std::string> asked_;
};

} // namespace coursegate::sandbox
