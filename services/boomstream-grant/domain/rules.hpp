// The rules: what should be open for one student in one course, and why not.
//
// decide() is one pure function of what the author decided (rules, media), what Stepik says (course order,
// progress), the account, what is open already, what a person ordered, and the time. Events only say that it
// is worth calling again, so a lost, doubled or late event costs time and never correctness.
#pragma once

#include "domain/types.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace coursegate::boomstream_grant {

// --- What goes in
// ---------------------------------------------------------------------------------------------------

struct course_lesson
{
    std::int64_t lesson_id = 0;
    std::int64_t module_id = 0;
    int gradable_steps = 0; // 0: nobody can pass it
    bool vanished = false;  // no longer part of the course
};

struct media_part
{
    int part = 1;
    std::string boom_media;                  // 8 characters
    std::optional<std::string> subscription; // the course's default where it names none
};

struct access_rule
{
    rule_scope scope = rule_scope::course;
    std::int64_t scope_id = 0;
    rule_kind kind = rule_kind::on_pass;
    int days = 0; // for after_days: whole days after joining the course
};

struct course_book
{
    std::int64_t course_id = 0;
    bool connected = true; // false: paused, nothing new is opened
    std::optional<std::string> default_subscription;
    base::time_point ends_at;                              // the course's access_until, or "never"
    std::vector<course_lesson> lessons;                    // in course order
    std::map<std::int64_t, std::vector<media_part>> media; // by lesson, in order of parts
    std::vector<access_rule> rules;
    // When we first saw a video of this subscription attached to this lesson. Missing: it is new.
    std::map<std::pair<std::int64_t, std::string>, base::time_point> media_since;
};

struct account
{
    base::uuid user_id{};
    std::optional<std::int64_t> stepik_user_id;
    bool has_code = false;
    int code_version = 0;
    base::time_point since{}; // created, or linked to Stepik where that came later
};

struct pass
{
    std::optional<base::time_point> after;  // last reading without it
    std::optional<base::time_point> before; // first reading with it
    base::time_point seen_at{};             // when the reading was made
    bool backfill = false;                  // found by the course's first sweep
};

struct enrolment
{
    base::time_point joined_at{}; // as Stepik says, or when we first saw him
    base::time_point seen_at{};
    bool first_sweep = false;
};

struct progress
{
    std::optional<enrolment> enrolled;
    std::map<std::int64_t, pass> passed; // by lesson
};

// What is open, or on the way, for a lesson: "what is open stays open".
struct held_lesson
{
    bool confirmed = false;
    base::time_point since{};
};

// The last word of a person about a lesson. Also made from a revoked grant: revoked is sticky.
struct hand
{
    bool open = false;
    std::string actor;
    std::string reason;
    base::time_point at{};
};

// --- What comes out
// -------------------------------------------------------------------------------------------------

// Published as text in access.v_lesson_decision; the README lists them with their meaning.
enum class reason
{
    passed,          // open: every task is passed
    always,          // open: by rule, for every account
    enrolled,        // open: by rule, enrolled on Stepik
    with_previous,   // open: with the lesson before it
    days_passed,     // open: enough days since joining
    granted_by_hand, // open: a person granted it
    stays_open,      // open: was opened earlier, today's rule would not open it

    not_passed,        // tasks are missing
    cannot_be_passed,  // the rule says on_pass, and the lesson has no task
    previous_not_open, // waits for the lesson before it
    not_enrolled,      // not enrolled in the course on Stepik, as far as we have read
    too_early,         // after_days: the day is in the detail
    waits_for_author,  // manual
    closed_by_hand,    // a person closed it
    not_in_course,     // the lesson is not part of the course (any more)
    course_paused,     // the author paused the course
    no_account,        // the student has no account here
    no_stepik_account, // the account is not linked to Stepik, so there is no progress to look at
    no_video,          // no video is attached
    no_subscription,   // videos are attached, but neither they nor the course name a Boomstream subscription
    no_code,           // the account has no Boomstream code
};
std::string_view to_string(reason r);

// One subscription through which the lesson should be open.
struct wish
{
    std::string subscription;
    std::string boom_media; // the lesson's first part in this subscription
    cause because = cause::on_pass;
    lane way = lane::fresh;
};

struct lesson_decision
{
    std::int64_t lesson_id = 0;
    bool open = false; // should be open, and nothing is missing for it
    reason why = reason::not_passed;
    std::string detail;                       // a sentence
    std::optional<reason> lacks;              // the piece that is missing to something that should be open
    std::vector<wish> wishes;                 // none while a piece is missing
    std::optional<pass> clocks;               // of the pass that opened it
    std::optional<base::time_point> opens_at; // too_early: when to look again
};

// `who` is nullptr for a student without an account. `held` has the lessons with a grant that is not revoked.
// Decisions come in course order; lessons that only media, grants or orders know follow, by id.
std::vector<lesson_decision> decide(const course_book& course, const account* who, const progress& done,
    const std::map<std::int64_t, held_lesson>& held, const std::map<std::int64_t, hand>& hands,
    base::time_point now);

} // namespace coursegate::boomstream_grant
