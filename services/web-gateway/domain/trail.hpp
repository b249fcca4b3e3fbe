// "Why is it locked": everything known about one student and one lesson, in the order in which access comes
// about, and the one stage it stands at. Pure: facts in, stage out; the words are in texts.hpp.
#pragma once

#include "domain/course.hpp"
#include "domain/media_map.hpp"
#include "domain/rules.hpp"

#include "coursegate/base/clock.hpp"
#include "coursegate/base/uuid.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace coursegate::web_gateway {

struct trail_student
{
    std::optional<base::uuid> user_id{}; // empty: known on Stepik only
    std::string email;
    std::optional<std::int64_t> stepik_user_id{};
    bool has_code = false;
    std::string locale;
};

struct trail_enrolment
{
    std::optional<base::time_point> date_joined{};
    std::optional<base::time_point> last_viewed{};  // last activity on Stepik, as Stepik says
    std::optional<base::time_point> last_read_at{}; // when we last read this student's row
};

struct trail_progress
{
    bool passed = false;
    int steps_passed = 0;
    int steps_total = 0;
    struct missing_step
    {
        std::int64_t step_id = 0;
        std::optional<int> position{}; // in the lesson, from 1; empty where the structure does not say
    };
    std::vector<missing_step> missing;
    std::optional<base::time_point> passed_after{};
    std::optional<base::time_point> passed_before{};
    std::optional<base::time_point> seen_at{};
    bool backfill = false;
};

// One grant of the lesson: one per subscription.
struct trail_grant
{
    base::uuid id{};
    std::string subscription_code;
    std::string state; // wanted, asked, confirmed, failed, revoked
    std::string cause;
    std::string lane;
    int attempts = 0;
    std::optional<std::string> provider_reason{};
    std::optional<base::time_point> next_try_at{};
    std::optional<base::time_point> wanted_at{};
    std::optional<base::time_point> asked_at{};
    std::optional<base::time_point> confirmed_at{};
    std::optional<base::time_point> revoked_at{};
    std::optional<std::string> revoked_by{};
    std::optional<std::string> revoke_reason{};
    std::optional<base::time_point> end_date{};
};

// What boomstream-grant's rule function answered last, in its own words. It alone knows what people ordered
// by hand and whether the lesson before is open; everything else is read where it is decided, and so a moment
// fresher.
struct trail_decision
{
    bool open = false;
    std::string reason;
    std::string detail;
    std::optional<base::time_point> decided_at{};
};

struct trail_health
{
    bool ok = true;
    std::vector<std::string> problems{}; // sentences an author understands
};

struct trail_event
{
    base::uuid event_id{};
    std::string type;
    base::time_point recorded_at{};
};

struct trail
{
    base::time_point now{};
    trail_student student;
    web_gateway::course course;
    web_gateway::lesson lesson;
    std::optional<web_gateway::lesson> previous{}; // the lesson before it in the course
    governing_rule rule;
    std::vector<media_part> media; // of this lesson, by part
    std::optional<trail_enrolment> enrolment{};
    std::optional<trail_progress> progress{};
    std::optional<trail_decision> decision{};
    std::vector<trail_grant> grants;
    std::optional<trail_health> reading{};  // of Stepik; empty: never read
    std::optional<trail_health> provider{}; // Boomstream
    std::vector<trail_event> events;        // newest first
};

// Where it stands. Public: `stage` in the answer of GET /v1/why.
enum class stage
{
    open,              // every part has its confirmed grant
    revoked,           // closed by a person
    no_video,          // the author attached none
    no_subscription,   // a part names no subscription and the course has no default one
    no_account,        // known on Stepik only
    no_stepik_account, // the account is not linked to Stepik
    no_code,           // the account has no Boomstream code
    course_paused,
    not_enrolled,      // Stepik's list of the course's students does not have this one
    stepik_unreadable, // progress decides, and it can't be read now
    steps_missing,
    waits_for_days,
    waits_for_previous,
    waits_for_author, // rule `manual`
    cannot_be_passed, // the author said on_pass of a lesson without tasks
    not_in_course,    // Stepik no longer lists the lesson
    wanted,           // in the queue to Boomstream
    asked,            // on its way
    retrying,         // refused; it is asked again by itself
    needs_author,     // refused, and only a person can go on
    being_decided,    // everything is there; the next look opens it
};
std::string_view to_string(stage s);

stage stage_of(const trail& t);

// Who closed the lesson and why; empty where nobody did.
struct closing
{
    std::string actor;
    std::string reason;
};
std::optional<closing> closed_by(const trail& t);

// Queues where the next step of this stage waits; empty where no message is under way.
std::vector<std::string> queues_of(stage s);

// When the rule after_days opens it; empty without such a rule or a date of joining.
std::optional<base::time_point> opens_on(const trail& t);

// https://stepik.org/lesson/<id>/step/<position>, or the lesson's page where the position is not known.
std::string stepik_link(std::int64_t lesson_id, std::optional<int> position);

// The subscription that opens a part, or nothing.
std::optional<std::string> subscription_of(const trail& t, const media_part& part);

} // namespace coursegate::web_gateway
