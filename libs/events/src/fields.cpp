#include "fields.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <limits>
#include <stdexcept>

namespace coursegate::events {

namespace {

[[noreturn]] void refuse(const char* name, const std::string& what)
{
    throw std::invalid_argument(std::string(name) + ": " + what);
}

// The member, or nullptr when it is missing.
const nlohmann::json* find(const nlohmann::json& j, const char* name)
{
    if (!j.is_object())
        throw std::invalid_argument("data: must be an object");
    const auto at = j.find(name);
    return at == j.end() ? nullptr : &*at;
}

const nlohmann::json& require(const nlohmann::json& j, const char* name)
{
    const auto* value = find(j, name);
    if (value == nullptr)
        refuse(name, "is missing");
    return *value;
}

std::int64_t integer(const nlohmann::json& v, const char* name, std::int64_t least, std::int64_t most)
{
    // An unsigned value above the signed range would come out negative.
    const bool too_big = v.is_number_unsigned() &&
                         v.get<std::uint64_t>() > std::uint64_t(std::numeric_limits<std::int64_t>::max());
    if (!v.is_number_integer() || too_big)
        refuse(name, "must be an integer");
    const auto n = v.get<std::int64_t>();
    if (n < least || n > most)
        refuse(name, "must be between " + std::to_string(least) + " and " + std::to_string(most));
    return n;
}

constexpr auto largest = std::numeric_limits<std::int64_t>::max();

const std::string& text(const nlohmann::json& v, const char* name)
{
    if (!v.is_string())
        refuse(name, "must be a string");
    const auto& s = v.get_ref<const std::string&>();
    if (s.empty())
        refuse(name, "must not be empty");
    return s;
}

base::time_point time(const nlohmann::json& v, const char* name)
{
    const auto parsed = base::parse_iso8601(text(v, name));
    if (!parsed.has_value())
        refuse(name, "must be a time such as 2026-01-02T03:04:05.678901Z");
    return *parsed;
}

} // namespace

void put(nlohmann::json& j, const char* name, std::int64_t value)
{
    j[name] = value;
}

void put(nlohmann::json& j, const char* name, int value)
{
    j[name] = value;
}

void put(nlohmann::json& j, const char* name, bool value)
{
    j[name] = value;
}

void put(nlohmann::json& j, const char* name, const std::string& value)
{
    j[name] = value;
}

void put(nlohmann::json& j, const char* name, const base::uuid& value)
{
    j[name] = base::to_string(value);
}

void put(nlohmann::json& j, const char* name, base::time_point value)
{
    j[name] = base::to_iso8601(value);
}

void put(nlohmann::json& j, const char* name, const std::vector<std::int64_t>& value)
{
    j[name] = value;
}

void take_id(const nlohmann::json& j, const char* name, std::int64_t& out)
{
    out = integer(require(j, name), name, 1, largest);
}

void take_id(const nlohmann::json& j, const char* name, std::optional<std::int64_t>& out)
{
    out.reset();
    if (const auto* v = find(j, name))
        out = integer(*v, name, 1, largest);
}

void take_ids(const nlohmann::json& j, const char* name, std::vector<std::int64_t>& out)
{
    const auto& v = require(j, name);
    if (!v.is_array())
        refuse(name, "must be an array of ids");
    out.clear();
    out.reserve(v.size());
    for (const auto& item : v)
        out.push_back(integer(item, name, 1, largest));
}

void take_number(const nlohmann::json& j, const char* name, std::int64_t& out)
{
    out = integer(require(j, name), name, 0, largest);
}

void take_count(const nlohmann::json& j, const char* name, int& out)
{
    out = static_cast<int>(integer(require(j, name), name, 0, std::numeric_limits<int>::max()));
}

void take_page(const nlohmann::json& j, const char* name, int& out)
{
    out = static_cast<int>(integer(require(j, name), name, 1, std::numeric_limits<int>::max()));
}

void take_flag(const nlohmann::json& j, const char* name, bool& out)
{
    const auto& v = require(j, name);
    if (!v.is_boolean())
        refuse(name, "must be true or false");
    out = v.get<bool>();
}

void take_text(const nlohmann::json& j, const char* name, std::string& out)
{
    out = text(require(j, name), name);
}

void take_text(const nlohmann::json& j, const char* name, std::optional<std::string>& out)
{
    out.reset();
    if (const auto* v = find(j, name))
        out = text(*v, name);
}

void take_slug(const nlohmann::json& j, const char* name, std::string& out)
{
    const auto& s = text(require(j, name), name);
    const auto is_lower = [](char c) { return c >= 'a' && c <= 'z'; };
    const bool ok = is_lower(s.front()) && std::all_of(s.begin(), s.end(), [&](char c) {
        return is_lower(c) || (c >= '0' && c <= '9') || c == '_';
    });
    if (!ok)
        refuse(name, "must be lower-case letters, digits and underscores");
    out = s;
}

void take_word(const nlohmann::json& j, const char* name, std::string& out,
    std::initializer_list<std::string_view> allowed)
{
    const auto& s = text(require(j, name), name);
    if (std::find(allowed.begin(), allowed.end(), s) == allowed.end()) {
        std::string list;
        for (const auto word : allowed)
            list += (list.empty() ? "" : ", ") + std::string(word);
        refuse(name, "must be one of " + list);
    }
    out = s;
}

void take_uuid(const nlohmann::json& j, const char* name, base::uuid& out)
{
    const auto parsed = base::parse_uuid(text(require(j, name), name));
    if (!parsed.has_value())
        refuse(name, "must be a UUID");
    out = *parsed;
}

void take_time(const nlohmann::json& j, const char* name, base::time_point& out)
{
    out = time(require(j, name), name);
}

void take_time(const nlohmann::json& j, const char* name, std::optional<base::time_point>& out)
{
    out.reset();
    if (const auto* v = find(j, name))
        out = time(*v, name);
}

std::string subject_of_course(std::int64_t course_id)
{
    return "course/" + std::to_string(course_id);
}

std::string subject_of_student(std::int64_t course_id, std::int64_t stepik_user_id)
{
    return subject_of_course(course_id) + "/student/" + std::to_string(stepik_user_id);
}

std::string subject_of_user(const base::uuid& user_id)
{
    return "user/" + base::to_string(user_id);
}

} // namespace coursegate::events
