// audit_requested: a person wants the course's grants compared with Boomstream's list of buyers.
// Published by web-gateway; read by boomstream-grant, web-gateway's feed.
#pragma once

#include "coursegate/base/uuid.hpp"

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace coursegate::events {

struct audit_requested
{
    static constexpr std::string_view type = "audit_requested";
    static constexpr int version = 1;

    base::uuid request_id{};    // id of the request, given to whoever asked; the answer is found by it
    std::int64_t course_id = 0; // Stepik's id of the course
    bool dry_run = false;       // true: only report what differs; false: repair it within the budget
    int budget = 0;    // the most repairs (calls that change something at Boomstream) the audit may make
    std::string actor; // who asked: an account, a token or a tool, as the audit log names it

    std::string subject() const; // "course/<id>"
};

void to_json(nlohmann::json& j, const audit_requested& e);
// Throws std::invalid_argument naming the field that is missing or malformed.
void from_json(const nlohmann::json& j, audit_requested& e);

} // namespace coursegate::events
