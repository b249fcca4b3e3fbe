// proto-schemas/http/openapi.yaml as the tests use it: which operations it describes, and whether an answer
// is what it promises. Knows the part of OpenAPI 3.0 that the file uses.
#pragma once

#include <nlohmann/json.hpp>
#include <yaml-cpp/yaml.h>

#include <charconv>
#include <map>
#include <regex>
#include <set>
#include <string>
#include <vector>

namespace coursegate::web_gateway::tests {

inline nlohmann::json to_json(const YAML::Node& node)
{
    if (node.IsMap()) {
        auto out = nlohmann::json::object();
        for (const auto& entry : node)
            out[entry.first.Scalar()] = to_json(entry.second);
        return out;
    }
    if (node.IsSequence()) {
        auto out = nlohmann::json::array();
        for (const auto& entry : node)
            out.push_back(to_json(entry));
        return out;
    }
    if (!node.IsScalar())
        return nullptr;
    const auto& text = node.Scalar();
    if (node.Tag() == "!") // quoted
        return text;
    if (text == "null")
        return nullptr;
    if (text == "true" || text == "false")
        return text == "true";
    std::int64_t whole = 0;
    const auto* end = text.data() + text.size();
    if (const auto [at, ec] = std::from_chars(text.data(), end, whole); ec == std::errc() && at == end)
        return whole;
    double real = 0;
    if (const auto [at, ec] = std::from_chars(text.data(), end, real); ec == std::errc() && at == end)
        return real;
    return text;
}

class openapi
{
public:
    openapi() : root_(to_json(YAML::LoadFile("proto-schemas/http/openapi.yaml"))) {}

    static const openapi& instance()
    {
        static const openapi one;
        return one;
    }

    const nlohmann::json& root() const { return root_; }

    // "GET /v1/users/{id}"
    std::set<std::string> operations() const
    {
        std::set<std::string> out;
        for (const auto& path : root_["paths"].items())
            for (const auto& entry : path.value().items())
                if (entry.key() != "parameters") {
                    auto method = entry.key();
                    for (auto& c : method)
                        c = static_cast<char>(std::toupper(c));
                    out.insert(method + " " + path.key());
                }
        return out;
    }

    std::set<std::string> slugs() const
    {
        std::set<std::string> out;
        for (const auto& slug : root_["components"]["schemas"]["Error"]["properties"]["error"]["enum"])
            out.insert(slug.get<std::string>());
        return out;
    }

    // Empty when the answer is what the description promises, else what is wrong with it.
    std::string fault_of(
        std::string method, const std::string& target, int status, const nlohmann::json& body) const
    {
        for (auto& c : method)
            c = static_cast<char>(std::tolower(c));
        const auto* item = find_path(target.substr(0, target.find('?')));
        if (item == nullptr || !item->contains(method))
            return method + " " + target + " is not described";
        const auto& responses = (*item)[method]["responses"];
        const auto code = std::to_string(status);
        if (!responses.contains(code))
            return "status " + code + " of " + method + " " + target + " is not described";
        const auto& response = resolved(responses[code]);
        if (!response.contains("content"))
            return body.is_null() ? "" : "a body where none is described";
        return check(response["content"]["application/json"]["schema"], body, "body");
    }

    std::string check(
        const nlohmann::json& schema, const nlohmann::json& value, const std::string& where) const
    {
        const auto s = flat(schema);
        if (value.is_null())
            return s.value("nullable", false) || !s.contains("type") ? "" : where + " is null";
        if (s.contains("type") && !fits(s["type"].get<std::string>(), value))
            return where + " is " + value.type_name() + ", not " + s["type"].get<std::string>();
        if (s.contains("enum") && std::find(s["enum"].begin(), s["enum"].end(), value) == s["enum"].end())
            return where + " is " + value.dump() + ", which is not listed";
        if (s.contains("pattern") &&
            !std::regex_match(value.get<std::string>(), std::regex(s["pattern"].get<std::string>())))
            return where + " does not match " + s["pattern"].get<std::string>();
        if (s.contains("minimum") && value.get<double>() < s["minimum"].get<double>())
            return where + " is too small";
        if (value.is_array() && s.contains("items"))
            for (std::size_t i = 0; i < value.size(); ++i)
                if (auto fault = check(s["items"], value[i], where + "[" + std::to_string(i) + "]");
                    !fault.empty())
                    return fault;
        if (!value.is_object() || !s.contains("properties"))
            return "";
        for (const auto& name : s.value("required", nlohmann::json::array()))
            if (!value.contains(name.get<std::string>()))
                return where + "." + name.get<std::string>() + " is missing";
        for (const auto& entry : value.items()) {
            if (!s["properties"].contains(entry.key())) {
                if (s.value("additionalProperties", false))
                    continue;
                return where + "." + entry.key() + " is not described";
            }
            if (auto fault = check(s["properties"][entry.key()], entry.value(), where + "." + entry.key());
                !fault.empty())
                return fault;
        }
        return "";
    }

private:
    const nlohmann::json& resolved(const nlohmann::json& node) const
    {
        if (!node.contains("$ref"))
            return node;
        return resolved(root_.at(nlohmann::json::json_pointer(node["$ref"].get<std::string>().substr(1))));
    }

    // References followed, allOf put together.
    nlohmann::json flat(const nlohmann::json& node) const
    {
        auto out = resolved(node);
        if (!out.contains("allOf"))
            return out;
        const auto parts = out["allOf"];
        out.erase("allOf");
        for (const auto& part : parts) {
            const auto one = flat(part);
            const auto properties = one.value("properties", nlohmann::json::object());
            for (const auto& p : properties.items())
                out["properties"][p.key()] = p.value();
            for (const auto& r : one.value("required", nlohmann::json::array()))
                out["required"].push_back(r);
            if (one.contains("type"))
                out["type"] = one["type"];
        }
        return out;
    }

    static bool fits(const std::string& type, const nlohmann::json& value)
    {
        if (type == "object")
            return value.is_object();
        if (type == "array")
            return value.is_array();
        if (type == "string")
            return value.is_string();
        if (type == "integer")
            return value.is_number_integer();
        if (type == "number")
            return value.is_number();
        return type == "boolean" && value.is_boolean();
    }

    static std::vector<std::string> split(const std::string& path)
    {
        std::vector<std::string> out;
        for (std::size_t at = 0; at < path.size();) {
            const auto end = std::min(path.find('/', at + 1), path.size());
            out.push_back(path.substr(at + 1, end - at - 1));
            at = end;
        }
        return out;
    }

    // Literal segments win over parameters.
    const nlohmann::json* find_path(const std::string& path) const
    {
        const nlohmann::json* best = nullptr;
        std::size_t best_literals = 0;
        const auto wanted = split(path);
        for (const auto& entry : root_["paths"].items()) {
            const auto parts = split(entry.key());
            std::size_t literals = 0;
            bool same = parts.size() == wanted.size();
            for (std::size_t i = 0; same && i < parts.size(); ++i) {
                const bool is_parameter = parts[i].front() == '{';
                same = is_parameter || parts[i] == wanted[i];
                literals += is_parameter ? 0 : 1;
            }
            if (same && (best == nullptr || literals > best_literals)) {
                best = &entry.value();
                best_literals = literals;
            }
        }
        return best;
    }

    nlohmann::json root_;
};

} // namespace coursegate::web_gateway::tests
