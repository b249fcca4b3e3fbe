// Grants as authors and staff watch them flow: with the student, the lesson and the clocks; and how long it
// took today from a pass to an open video.
#pragma once

#include "coursegate/base/clock.hpp"
#include "coursegate/base/uuid.hpp"
#include "coursegate/db/pool.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace coursegate::web_gateway {

struct live_grant
{
    base::uuid grant_id{};
    base::uuid user_id{};
    std::string email; // empty: the user is gone
    std::string name;
    std::int64_t course_id = 0;
    std::string course_title;
    std::int64_t lesson_id = 0;
    std::string lesson_title;
    std::string state;
    std::string cause;
    std::string lane;
    std::optional<std::string> provider_reason{};
    std::optional<std::string> revoke_reason{};
    std::optional<base::time_point> passed_after{}; // the pass happened after it
    std::optional<base::time_point> seen_at{};
    std::optional<base::time_point> wanted_at{};
    std::optional<base::time_point> asked_at{};
    std::optional<base::time_point> confirmed_at{};
    std::optional<base::time_point> changed_at{};
};

struct live_filter
{
    std::optional<std::vector<std::int64_t>> only{}; // what the reader may see; nothing: all courses
    std::optional<std::int64_t> course_id{};
    std::optional<std::int64_t> lesson_id{};
    std::optional<std::string> student{}; // part of e-mail or name, or the Stepik id
    std::optional<std::string> state{};
    std::optional<std::string> cause{};
    std::optional<base::time_point> from{}; // confirmed from here
    std::optional<base::time_point> to{};   // to here, not included
};

// Newest first; `before` is the last id of the page before.
std::vector<live_grant> find_grants(
    db::transaction& tx, const live_filter& f, const std::optional<base::uuid>& before, int limit);

// What events of the log name: a grant by its id, or by the pass that it follows.
struct touched_grants
{
    std::vector<base::uuid> ids;
    struct pass
    {
        std::int64_t course_id = 0;
        std::int64_t lesson_id = 0;
        std::int64_t stepik_user_id = 0;
    };
    std::vector<pass> passes;
};
// Those that the filter lets through, the last changed first.
std::vector<live_grant> find_touched(db::transaction& tx, const live_filter& f, const touched_grants& which);

// From a pass, at the earliest it may have been, to the open video; in seconds. Only what was passed today:
// what is caught up says nothing about pace.
struct access_times
{
    int hour = 0; // the index in `hours`; -1: the whole day
    int count = 0;
    double p50 = 0;
    double p95 = 0;
    double p99 = 0;
};
// `hours` as of hours_of_today(). Of course and courses of the filter. The whole day first, then the hours
// that had any; empty: none today.
std::vector<access_times> access_times_of(
    db::transaction& tx, const live_filter& f, const std::vector<base::time_point>& hours);

} // namespace coursegate::web_gateway
