// Reading the audit log: who did what, when, why and from where.
#pragma once

#include "coursegate/base/clock.hpp"
#include "coursegate/base/uuid.hpp"
#include "coursegate/db/pool.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace coursegate::web_gateway {

struct audit_row
{
    std::int64_t id = 0;
    base::time_point at{};
    std::string who;
    std::string who_email; // of "user/<id>"
    std::optional<std::string> on_behalf_of{};
    std::string what;
    std::string target;
    std::string target_email; // of "user/<id>/…"
    std::optional<std::int64_t> course_id{};
    std::optional<std::string> before{}; // JSON
    std::optional<std::string> after{};
    std::optional<std::string> why{};
    std::string request_id;
    std::optional<std::string> address{};
};

struct audit_filter
{
    // An author sees what was done in his courses, and what he did himself; from where others acted is not
    // his to know.
    std::optional<std::vector<std::int64_t>> only{}; // nothing: everything
    std::string himself;                             // "user/<id>", with `only`

    std::optional<std::string> person{}; // part of e-mail or name, or as the log names him
    std::optional<std::string> what{};   // "grant" or "grant.revoke"
    std::optional<std::string> target{}; // it and what is below it; an e-mail is that user
    std::optional<std::int64_t> course_id{};
    std::optional<base::time_point> from{};
    std::optional<base::time_point> to{}; // not included
};

// Newest first; `before` is the last id of the page before.
std::vector<audit_row> find_audit_rows(
    db::transaction& tx, const audit_filter& f, const std::optional<std::int64_t>& before, int limit);

} // namespace coursegate::web_gateway
