// grant_issued: Boomstream's answer to a grant was read and checked: the lesson's videos are open; once per
// grant.
// Published by boomstream-grant; read by web-gateway's feed.
#pragma once

#include "coursegate/base/clock.hpp"
#include "coursegate/base/uuid.hpp"

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace coursegate::events {

struct grant_issued
{
    static constexpr std::string_view type = "grant_issued";
    static constexpr int version = 1;

    base::uuid grant_id{};                        // the grant: one per (user, course, lesson, subscription)
    base::uuid user_id{};                         // the account at Coursegate
    std::optional<std::int64_t> stepik_user_id{}; // Stepik's id of the student, where it is known
    std::int64_t course_id = 0;                   // Stepik's id of the course
    std::int64_t lesson_id = 0;                   // Stepik's id of the lesson
    std::string subscription_code; // Boomstream's code of the subscription the video belongs to
    // What opened it: a rule (on_pass, always, on_enrolment, with_previous, after_days), manual or
    // backfill.
    std::string cause;
    // "fresh" | "backfill". fresh: a pass of today; backfill: found by a first sweep, or before account or
    // video existed.
    std::string lane;
    std::optional<base::time_point> passed_after{};  // the pass happened after this
    std::optional<base::time_point> passed_before{}; // the pass happened at this time or before
    std::optional<base::time_point> seen_at{};       // when stepik-sync read the pass
    base::time_point wanted_at{};                    // when the grant was decided on
    // When Boomstream was asked. Left out when the student was a buyer of the subscription already.
    std::optional<base::time_point> asked_at{};
    base::time_point confirmed_at{}; // when Boomstream's answer had been read and checked

    std::string subject() const; // "course/<id>/student/<stepik id>", or "user/<uuid>" without one
};

void to_json(nlohmann::json& j, const grant_issued& e);
// Throws std::invalid_argument naming the field that is missing or malformed.
void from_json(const nlohmann::json& j, grant_issued& e);

} // namespace coursegate::events
