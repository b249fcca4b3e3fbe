// sweep_page_due: a sweep began: one message per page of grades spreads the work over all instances.
// Published by stepik-sync; read by stepik-sync.
#pragma once

#include "coursegate/base/uuid.hpp"

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace coursegate::events {

struct sweep_page_due
{
    static constexpr std::string_view type = "sweep_page_due";
    static constexpr int version = 1;

    base::uuid sweep_id{};      // the sweep this page belongs to
    std::int64_t course_id = 0; // Stepik's id of the course
    int page = 0;               // page of course-grades, from 1
    // The leader's term when it scheduled this; void when another leader has taken the sweep over since.
    std::int64_t term = 0;

    std::string subject() const; // "course/<id>"
};

void to_json(nlohmann::json& j, const sweep_page_due& e);
// Throws std::invalid_argument naming the field that is missing or malformed.
void from_json(const nlohmann::json& j, sweep_page_due& e);

} // namespace coursegate::events
