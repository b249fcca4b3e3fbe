// Members of an event's `data`, written and read one by one. Every take_… throws std::invalid_argument whose
// text begins with the member's name when it is missing, has another type or a value that the schema forbids;
// the optional forms accept a missing member (but not null: optional members are left out).
#pragma once

#include "coursegate/base/clock.hpp"
#include "coursegate/base/uuid.hpp"

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace coursegate::events {

void put(nlohmann::json& j, const char* name, std::int64_t value);
void put(nlohmann::json& j, const char* name, int value);
void put(nlohmann::json& j, const char* name, bool value);
void put(nlohmann::json& j, const char* name, const std::string& value);
void put(nlohmann::json& j, const char* name, const base::uuid& value);
void put(nlohmann::json& j, const char* name, base::time_point value);
void put(nlohmann::json& j, const char* name, const std::vector<std::int64_t>& value);

template <class T>
void put(nlohmann::json& j, const char* name, const std::optional<T>& value)
{
    if (value)
        put(j, name, *value);
}

void take_id(const nlohmann::json& j, const char* name, std::int64_t& out); // 1 or more
void take_id(const nlohmann::json& j, const char* name, std::optional<std::int64_t>& out);
void take_ids(const nlohmann::json& j, const char* name, std::vector<std::int64_t>& out); // each 1 or more
void take_number(const nlohmann::json& j, const char* name, std::int64_t& out);           // 0 or more
void take_count(const nlohmann::json& j, const char* name, int& out);                     // 0 to 2^31 - 1
void take_page(const nlohmann::json& j, const char* name, int& out);                      // 1 to 2^31 - 1
void take_flag(const nlohmann::json& j, const char* name, bool& out);
void take_text(const nlohmann::json& j, const char* name, std::string& out); // not empty
void take_text(const nlohmann::json& j, const char* name, std::optional<std::string>& out);
void take_slug(const nlohmann::json& j, const char* name, std::string& out); // [a-z][a-z0-9_]*
void take_word(const nlohmann::json& j, const char* name, std::string& out,
    std::initializer_list<std::string_view> allowed);
void take_uuid(const nlohmann::json& j, const char* name, base::uuid& out);
void take_time(const nlohmann::json& j, const char* name, base::time_point& out);
void take_time(const nlohmann::json& j, const char* name, std::optional<base::time_point>& out);

std::string subject_of_course(std::int64_t course_id);
std::string subject_of_student(std::int64_t course_id, std::int64_t stepik_user_id);
std::string subject_of_user(const base::uuid& user_id);

} // namespace coursegate::events
