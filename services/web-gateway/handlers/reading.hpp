// Reading a request strictly: each field is asked for by name and type, and what nobody asked for is refused
// by name too, so that a misspelt field is an answer and not a silent default. Errors are `refused` (see
// domain/refused.hpp): invalid_json, missing_field, wrong_type, unknown_field, and what the checks of
// domain/input.hpp say.
#pragma once

#include "coursegate/base/clock.hpp"
#include "coursegate/base/uuid.hpp"
#include "coursegate/http/server.hpp"

#include <nlohmann/json.hpp>

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace coursegate::web_gateway {

// A JSON object. `null` counts as left out, except for the nullable_ readers, where it means "none".
class body_reader
{
public:
    // An empty body is an empty object: routes whose fields are all optional need no body.
    explicit body_reader(const http::request& request);

    std::string text(const char* name);
    std::optional<std::string> optional_text(const char* name);
    std::optional<std::optional<std::string>> nullable_text(const char* name);
    std::int64_t integer(const char* name);
    std::optional<std::int64_t> optional_integer(const char* name);
    std::optional<std::optional<std::int64_t>> nullable_integer(const char* name);
    std::optional<bool> optional_flag(const char* name);
    // A required list of objects; each is finished by the caller.
    std::vector<body_reader> objects(const char* name, std::size_t most);

    // "parts[1].boom_media"
    std::string path(const char* name) const { return prefix_ + name; }

    // Refuses the first field that nobody asked for. Call it before anything is done.
    void finish() const;

private:
    body_reader(nlohmann::json object, std::string prefix)
        : object_(std::move(object)), prefix_(std::move(prefix))
    {}

    const nlohmann::json* find(const char* name);
    std::string as_text(const nlohmann::json& value, const char* name) const;
    std::int64_t as_integer(const nlohmann::json& value, const char* name) const;

    nlohmann::json object_;
    std::string prefix_;
    std::set<std::string> asked_;
};

// A query string, as strictly. An empty value counts as left out.
class query_reader
{
public:
    explicit query_reader(const http::request& request) : query_(request.query) {}

    std::optional<std::string> text(const char* name);
    std::string required_text(const char* name);
    std::optional<std::int64_t> id(const char* name); // a whole number above 0
    std::int64_t required_id(const char* name);
    int limit(int otherwise, int most); // `limit`
    std::optional<base::uuid> cursor(); // `cursor`: opaque to clients, the last row's id
    void finish() const;

private:
    const http::query& query_;
    std::set<std::string> asked_;
};

std::string cursor_after(const base::uuid& last);

// {id} of the route's pattern as a number above 0, a uuid.
std::int64_t path_id(const http::request& request, const char* name);
base::uuid path_uuid(const http::request& request, const char* name);

} // namespace coursegate::web_gateway
