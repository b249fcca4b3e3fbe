// What boomstream-grant publishes, read through its views.
#pragma once

#include "domain/trail.hpp"

#include "coursegate/base/uuid.hpp"
#include "coursegate/db/pool.hpp"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace coursegate::web_gateway {

// A row of GET /v1/grants.
struct listed_grant
{
    trail_grant grant;
    base::uuid user_id{};
    std::string email; // empty: the user is gone
    std::int64_t course_id = 0;
    std::int64_t lesson_id = 0;
    std::string boom_media;
    std::optional<base::time_point> passed_after{};
    std::optional<base::time_point> passed_before{};
    std::optional<base::time_point> seen_at{};
    std::optional<base::time_point> changed_at{};
};

struct grant_filter
{
    std::optional<std::int64_t> course_id{};
    std::optional<base::uuid> user_id{};
    std::optional<std::int64_t> lesson_id{};
    std::optional<std::string> state{};
    std::optional<std::string> cause{};
    std::optional<base::uuid> before{}; // newest first: ids are ordered by time of creation
    int limit = 50;
};
std::vector<listed_grant> list_grants(db::transaction& tx, const grant_filter& filter);

std::vector<trail_grant> grants_of_lesson(
    db::transaction& tx, const base::uuid& user_id, std::int64_t course_id, std::int64_t lesson_id);

// All of a student in these courses, those of a lesson by subscription.
struct lesson_grant
{
    std::int64_t course_id = 0;
    std::int64_t lesson_id = 0;
    trail_grant grant;
};
std::vector<lesson_grant> grants_of_student(
    db::transaction& tx, const base::uuid& user_id, const std::vector<std::int64_t>& course_ids);

std::optional<trail_decision> decision_of(
    db::transaction& tx, const base::uuid& user_id, std::int64_t course_id, std::int64_t lesson_id);

// How Boomstream answers for a course, and what is waiting for it.
struct provider_health
{
    bool ok = true;
    std::optional<std::string> problem{};
    std::optional<base::time_point> last_ok_at{};
    std::string circuit;
    double rate_per_second = 0;
    int waiting_fresh = 0;
    int waiting_backfill = 0;
};
std::map<std::int64_t, provider_health> provider_health_of_courses(db::transaction& tx);
std::optional<provider_health> provider_health_of(db::transaction& tx, std::int64_t course_id);

struct order_state
{
    std::string state; // done, refused, pending
    std::optional<std::string> detail{};
    std::optional<base::time_point> at{};
};
std::optional<order_state> grant_order(db::transaction& tx, const base::uuid& request_id);

struct audit_state
{
    bool dry_run = true;
    std::string state;
    int missing = 0;
    int extra = 0;
    int wrong_end = 0;
    int repaired = 0;
    std::optional<base::time_point> started_at{};
    std::optional<base::time_point> finished_at{};
    std::string findings;                // JSON text
    std::optional<std::string> detail{}; // why it failed
};
std::optional<audit_state> audit_order(db::transaction& tx, const base::uuid& request_id);

// The last three of each course, ordered or daily, newest first; findings left out. No `courses`: all.
std::map<std::int64_t, std::vector<audit_state>> last_audits(
    db::transaction& tx, const std::optional<std::vector<std::int64_t>>& courses);

} // namespace coursegate::web_gateway
