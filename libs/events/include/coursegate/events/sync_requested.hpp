// sync_requested: somebody wants one student's progress read now, ahead of the sweep.
// Published by web-gateway; read by stepik-sync, web-gateway's feed.
#pragma once

#include "coursegate/base/uuid.hpp"

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace coursegate::events {

struct sync_requested
{
    static constexpr std::string_view type = "sync_requested";
    static constexpr int version = 1;

    base::uuid request_id{};         // id of the request, given to whoever asked; the answer is found by it
    std::int64_t course_id = 0;      // Stepik's id of the course
    std::int64_t stepik_user_id = 0; // Stepik's id of the student
    std::string requested_by;        // who asked: the student, an author or a tool, as the audit log names it

    std::string subject() const; // "course/<id>/student/<stepik id>"
};

void to_json(nlohmann::json& j, const sync_requested& e);
// Throws std::invalid_argument naming the field that is missing or malformed.
void from_json(const nlohmann::json& j, sync_requested& e);

} // namespace coursegate::events
