// The media map: which Boomstream video belongs to which lesson, as pure decisions. A change is planned
// against what is there, row by row with a reason for each refusal, and only a plan without refusals is
// carried out.
#pragma once

#include "domain/course.hpp"
#include "domain/refused.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace coursegate::web_gateway {

struct media_part
{
    std::int64_t lesson_id = 0;
    int part = 1; // 1, 2, …: the order in which the lesson's videos are shown
    std::string boom_media;
    std::optional<std::string> subscription_code{}; // left out: the course's default subscription
    std::string title;

    bool operator==(const media_part&) const = default;
};

enum class media_outcome
{
    added,
    changed,
    unchanged,
    refused,
};
std::string_view to_string(media_outcome o);

struct media_row_plan
{
    media_outcome outcome = media_outcome::unchanged;
    std::optional<web_gateway::refused>
        reason{}; // its field is the row's: "lesson_id", "part", "boom_media", …
};

struct media_plan
{
    std::vector<media_row_plan> rows; // as the rows came in
    std::vector<media_part> to_remove;
    std::vector<media_part> to_write;
    std::vector<std::int64_t> changed_lessons; // ascending

    // The index of the first refused row.
    std::optional<std::size_t> first_refused() const;
};

// What a plan is made against.
struct media_world
{
    std::vector<media_part> existing; // of the whole course
    std::vector<lesson> structure;    // of the whole course
    std::map<std::string, std::string>
        kinds; // subscription code -> "group" | "single"; unknown ones are groups
    std::optional<std::string> default_subscription{};
};

// `rows` are set; what they do not name stays. With `whole_lesson` the rows are all that this lesson is to
// have, with `whole_course` all that the course is to have. Refused are: a lesson that the structure does not
// have (or no longer), the same part twice, a video that is already attached elsewhere in the course, a
// second lesson in a subscription of kind single.
media_plan plan_media(const media_world& world, const std::vector<media_part>& rows,
    std::optional<std::int64_t> whole_lesson = {}, bool whole_course = false);

// A subscription and what its code opens.
struct subscription_use
{
    std::string code;
    std::string kind; // group, single
    bool is_default = false;
    std::vector<std::int64_t> lessons; // ascending
    int videos = 0;
    // Lessons whose videos anybody with the subscription's code can open at Boomstream, passed or not: only
    // our own player keeps them closed. 0 for `single` and for groups of one lesson.
    int exposed_lessons = 0;
    std::string sentence; // what that means, for an author
};

// Every subscription that is named anywhere, by code.
std::vector<subscription_use> subscription_uses(const media_world& world);

} // namespace coursegate::web_gateway
