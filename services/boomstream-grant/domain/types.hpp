// Words of the domain: states, lanes, causes, rules. Their text forms are public: they stand in the database,
// in events and in the API.
#pragma once

#include "coursegate/base/clock.hpp"
#include "coursegate/base/uuid.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace coursegate::boomstream_grant {

// wanted → asked → confirmed → revoked; asked → failed → wanted. See grants.hpp for every way between them.
enum class grant_state
{
    wanted, // decided on, Boomstream not asked yet
    asked,  // committed before the call goes out; until the answer was read nobody knows what Boomstream did
    confirmed, // Boomstream's answer was read and checked
    failed,    // Boomstream refused; tried again at next_try_at, or waits for a person without one
    revoked,   // closed by a person; only a new manual grant leaves it
};

// Who goes first: a pass of today before the old passes of a course that was just connected.
enum class lane
{
    fresh,
    backfill,
};

// What opened the lesson: one of the rules, a person, or `backfill` (the pass is older than the account, than
// the video, or than our first look at the course).
enum class cause
{
    on_pass,
    always,
    on_enrolment,
    with_previous,
    after_days,
    manual,
    backfill,
};

enum class rule_kind
{
    on_pass,
    always,
    on_enrolment,
    with_previous,
    after_days,
    manual,
};

enum class rule_scope
{
    course,
    module,
    lesson,
};

// A student at Boomstream: one row per (student, subscription) that is not gone.
enum class buyer_state
{
    wanted,  // to be added
    asked,   // addbuyer is on its way, or went out and nobody knows what became of it
    live,    // is there
    closing, // to be deleted, or deletebuyer is on its way
    gone,    // is not there any more
};

std::string_view to_string(grant_state v);
std::string_view to_string(lane v);
std::string_view to_string(cause v);
std::string_view to_string(rule_kind v);
std::string_view to_string(rule_scope v);
std::string_view to_string(buyer_state v);

// Throw std::invalid_argument on a word that is none of them: our own tables and views hold nothing else.
grant_state parse_grant_state(std::string_view word);
lane parse_lane(std::string_view word);
cause parse_cause(std::string_view word);
rule_kind parse_rule_kind(std::string_view word);
rule_scope parse_rule_scope(std::string_view word);
buyer_state parse_buyer_state(std::string_view word);

// The more urgent of two.
inline lane urgent(lane a, lane b)
{
    return a == lane::fresh ? a : b;
}

} // namespace coursegate::boomstream_grant
