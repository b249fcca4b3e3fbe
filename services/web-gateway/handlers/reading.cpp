#include "handlers/reading.hpp"

#include "domain/input.hpp"
#include "domain/refused.hpp"

#include "coursegate/base/encoding.hpp"

#include <algorithm>
#include <limits>

namespace coursegate::web_gateway {
namespace {

refused missing(std::string field)
{
    return refused(refusal::invalid, slug::missing_field, "This is required.", std::move(field));
}

refused wrong_type(std::string field, const char* wanted, const nlohmann::json& given)
{
    return refused(refusal::invalid, slug::wrong_type,
        std::string("This must be ") + wanted + ", not " + given.type_name() + ".", std::move(field));
}

refused unknown(const std::string& field)
{
    // The name comes from outside and goes into an answer and perhaps a log line.
    const auto shown = is_utf8(field) && length_of(field) <= 100 ? field : std::string("?");
    return refused(refusal::invalid, slug::unknown_field, "There is no such field.", shown);
}

} // namespace

body_reader::body_reader(const http::request& request)
{
    if (request.body.find_first_not_of(" \t\r\n") == request.body.npos) {
        object_ = nlohmann::json::object();
        return;
    }
    // The parser's own message quotes what it read, which may be a key: only the place is told.
    try {
        object_ = nlohmann::json::parse(request.body);
    }
    catch (const nlohmann::json::parse_error& e) {
        throw refused(refusal::invalid, slug::invalid_json,
            "The body is not valid JSON (at byte " + std::to_string(e.byte) + ").");
    }
    if (!object_.is_object())
        throw refused(refusal::invalid, slug::invalid_json,
            std::string("The body must be a JSON object, not ") + object_.type_name() + ".");
}

const nlohmann::json* body_reader::find(const char* name)
{
    asked_.insert(name);
    const auto found = object_.find(name);
    return found == object_.end() ? nullptr : &*found;
}

std::string body_reader::as_text(const nlohmann::json& value, const char* name) const
{
    if (!value.is_string())
        throw wrong_type(path(name), "text", value);
    return value.get<std::string>();
}

std::int64_t body_reader::as_integer(const nlohmann::json& value, const char* name) const
{
    if (!value.is_number_integer())
        throw wrong_type(path(name), "a whole number", value);
    constexpr auto most = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
    if (value.is_number_unsigned() && value.get<std::uint64_t>() > most)
        throw invalid(path(name), "This number is too large.");
    return value.get<std::int64_t>();
}

std::string body_reader::text(const char* name)
{
    auto value = optional_text(name);
    if (!value)
        throw missing(path(name));
    return std::move(*value);
}

std::optional<std::string> body_reader::optional_text(const char* name)
{
    const auto* value = find(name);
    if (value == nullptr || value->is_null())
        return std::nullopt;
    return as_text(*value, name);
}

std::optional<std::optional<std::string>> body_reader::nullable_text(const char* name)
{
    const auto* value = find(name);
    if (value == nullptr)
        return std::nullopt;
    std::optional<std::string> inner;
    if (!value->is_null())
        inner = as_text(*value, name);
    return inner;
}

std::int64_t body_reader::integer(const char* name)
{
    const auto value = optional_integer(name);
    if (!value)
        throw missing(path(name));
    return *value;
}

std::optional<std::int64_t> body_reader::optional_integer(const char* name)
{
    const auto* value = find(name);
    if (value == nullptr || value->is_null())
        return std::nullopt;
    return as_integer(*value, name);
}

std::optional<std::optional<std::int64_t>> body_reader::nullable_integer(const char* name)
{
    const auto* value = find(name);
    if (value == nullptr)
        return std::nullopt;
    std::optional<std::int64_t> inner;
    if (!value->is_null())
        inner = as_integer(*value, name);
    return inner;
}

std::optional<bool> body_reader::optional_flag(const char* name)
{
    const auto* value = find(name);
    if (value == nullptr || value->is_null())
        return std::nullopt;
    if (!value->is_boolean())
        throw wrong_type(path(name), "true or false", *value);
    return value->get<bool>();
}

std::vector<body_reader> body_reader::objects(const char* name, std::size_t most)
{
    const auto* value = find(name);
    if (value == nullptr || value->is_null())
        throw missing(path(name));
    if (!value->is_array())
        throw wrong_type(path(name), "a list", *value);
    if (value->size() > most)
        throw invalid(path(name), "At most " + std::to_string(most) + " are taken at a time.");
    std::vector<body_reader> out;
    for (std::size_t i = 0; i < value->size(); ++i) {
        const auto& item = (*value)[i];
        const auto place = path(name) + "[" + std::to_string(i) + "]";
        if (!item.is_object())
            throw wrong_type(place, "an object", item);
        out.push_back(body_reader(item, place + "."));
    }
    return out;
}

void body_reader::finish() const
{
    for (const auto& item : object_.items())
        if (!asked_.contains(item.key()))
            throw unknown(prefix_ + item.key());
}

std::optional<std::string> query_reader::text(const char* name)
{
    asked_.insert(name);
    auto value = query_.get(name);
    if (!value || value->empty())
        return std::nullopt;
    return checked_line(*value, name, 300);
}

std::string query_reader::required_text(const char* name)
{
    auto value = text(name);
    if (!value)
        throw missing(name);
    return std::move(*value);
}

std::optional<std::int64_t> query_reader::id(const char* name)
{
    const auto value = text(name);
    if (!value)
        return std::nullopt;
    return checked_number(*value, name, 1, std::numeric_limits<std::int64_t>::max());
}

std::int64_t query_reader::required_id(const char* name)
{
    const auto value = id(name);
    if (!value)
        throw missing(name);
    return *value;
}

int query_reader::limit(int otherwise, int most)
{
    const auto value = text("limit");
    return value ? static_cast<int>(checked_number(*value, "limit", 1, most)) : otherwise;
}

std::optional<base::uuid> query_reader::cursor()
{
    const auto value = text("cursor");
    if (!value)
        return std::nullopt;
    const auto bytes = base::from_base64(*value);
    base::uuid out;
    if (!bytes.has_value() || bytes->size() != out.bytes.size())
        throw invalid(
            "cursor", "This is not a cursor that was given out: take next_cursor of the page before.");
    std::copy(bytes->begin(), bytes->end(), out.bytes.begin());
    return out;
}

void query_reader::finish() const
{
    for (const auto& [name, value] : query_.all())
        if (!asked_.contains(name))
            throw unknown(name);
}

std::string cursor_after(const base::uuid& last)
{
    auto text = base::to_base64(std::string(last.bytes.begin(), last.bytes.end()));
    // The URL form: it goes back in a query string.
    std::replace(text.begin(), text.end(), '+', '-');
    std::replace(text.begin(), text.end(), '/', '_');
    text.erase(text.find_last_not_of('=') + 1);
    return text;
}

std::int64_t path_id(const http::request& request, const char* name)
{
    return checked_number(
        request.path_parameters.at(name), name, 1, std::numeric_limits<std::int64_t>::max());
}

base::uuid path_uuid(const http::request& request, const char* name)
{
    return checked_uuid(request.path_parameters.at(name), name);
}

} // namespace coursegate::web_gateway
