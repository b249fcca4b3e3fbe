// What authors decide about a course, and the part of Stepik's structure that it hangs on.
#pragma once

#include "coursegate/base/clock.hpp"
#include "coursegate/base/secret.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace coursegate::web_gateway {

struct course
{
    std::int64_t id = 0;
    std::string title;
    std::string state;  // connected, paused
    std::string source; // environment, admin
    std::string stepik_client_id;
    bool has_boomstream_key = false;
    std::optional<std::string> default_subscription{};
    std::optional<base::time_point> access_until{};
    std::optional<int> sweep_seconds{}; // empty: the pace that stepik-sync is set to
    base::time_point connected_at{};
    base::time_point changed_at{};
    std::optional<base::time_point> stepik_keys_at{};    // when they were given; empty: before that was noted
    std::optional<base::time_point> boomstream_key_at{}; // the same

    // For people: the title, or the id where nobody gave one.
    std::string name() const { return title.empty() ? "course " + std::to_string(id) : title; }
};

// What a PUT or the environment says; left out: as it is (or the default for a new course), an inner empty:
// none.
struct course_settings
{
    std::int64_t id = 0;
    std::optional<std::string> title{};
    std::optional<std::string> state{};
    std::optional<std::string> stepik_client_id{};
    std::optional<base::secret> stepik_client_secret{};
    std::optional<std::optional<base::secret>> boomstream_api_key{};
    std::optional<std::optional<std::string>> default_subscription{};
    std::optional<std::optional<base::time_point>> access_until{};
    std::optional<std::optional<int>> sweep_seconds{};
};

// One lesson of the structure, with its module.
struct lesson
{
    std::int64_t id = 0;
    std::string title;
    int position = 0;
    std::int64_t module_id = 0;
    std::string module_title;
    int module_position = 0;
    int gradable_steps = 0;
    bool vanished = false; // was there once; Stepik no longer lists it
};

inline constexpr std::array<std::string_view, 6> rule_names{
    "on_pass", "always", "on_enrolment", "with_previous", "after_days", "manual"};

struct access_rule
{
    std::string scope; // course, module, lesson
    std::int64_t scope_id = 0;
    std::string rule;
    std::optional<int> days{};

    bool operator==(const access_rule&) const = default;
};

// The rule that governs a lesson: the lesson's own, else its module's, else the course's, else the default.
struct governing_rule
{
    std::string rule;
    std::string scope; // lesson, module, course, default
    std::int64_t scope_id = 0;
    std::optional<int> days{};
};

} // namespace coursegate::web_gateway
