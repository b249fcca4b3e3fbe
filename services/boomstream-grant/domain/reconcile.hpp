// What to do for one student: one pure function from everything known about him to the changes that close the
// difference between what should be open and what is.
//
// Boomstream knows buyers: (subscription, code). Many grants of a student may share one buyer, so the plan
// has two halves: what becomes of the grants (lesson by lesson), and what becomes of the buyer each
// subscription needs.
#pragma once

#include "domain/rules.hpp"

#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace coursegate::boomstream_grant {

// --- What is there
// --------------------------------------------------------------------------------------------------

struct grant
{
    base::uuid id{};
    std::int64_t course_id = 0;
    std::int64_t lesson_id = 0;
    std::string subscription;
    std::string boom_media;
    grant_state state = grant_state::wanted;
    bool closing = false; // confirmed, closed by a person, Boomstream still has to delete the buyer
    lane way = lane::fresh;
    std::optional<base::time_point> next_try_at;
    std::optional<base::time_point> failed_at;
    base::time_point wanted_at{};
    std::string provider_reason;
    std::string revoked_by; // revoked or closing
    std::string revoke_reason;
    std::optional<base::time_point> revoked_at;
};

struct buyer
{
    base::uuid id{};
    std::int64_t course_id = 0;
    std::string subscription;
    std::string boom_media;
    buyer_state state = buyer_state::wanted;
    lane way = lane::fresh;
    int code_version = 0;   // of the code that was sent; 0 while nothing was
    bool in_flight = false; // a call is on its way, or its outcome is unknown
    bool waits = false;     // wanted, and waits for a person (no next try)
};

struct order
{
    base::uuid request_id{};
    std::int64_t course_id = 0;
    std::int64_t lesson_id = 0;
    bool grant = true; // false: revoke
    std::string actor;
    std::string reason;
    base::time_point
        at{}; // when the person asked, not when we read it: orders that arrive shuffled end the same
    bool pending = true;
};

struct said
{
    bool open = false;
    std::string why;
    std::string detail;
    bool operator==(const said&) const = default;
};

struct student
{
    account who;
    lane way = lane::fresh;                // how urgently he was named
    std::map<std::int64_t, progress> done; // by course
    std::vector<grant> grants;
    std::vector<buyer> buyers; // those that are not gone
    std::vector<order> orders;
    std::map<std::pair<std::int64_t, std::int64_t>, said>
        decisions;                                 // what was said last, by (course, lesson)
    std::optional<base::time_point> look_again_at; // as noted last time
};

// --- What to change
// -------------------------------------------------------------------------------------------------

struct new_grant
{
    base::uuid id{};
    std::int64_t course_id = 0;
    std::int64_t lesson_id = 0;
    std::string subscription;
    std::string boom_media;
    cause because = cause::on_pass;
    lane way = lane::fresh;
    std::optional<pass> clocks;
};

struct new_buyer
{
    base::uuid id{};
    std::int64_t course_id = 0;
    std::string subscription;
    std::string boom_media;
    lane way = lane::fresh;
    base::time_point ends_at{};
    bool free = true; // false: another call for this (student, subscription) is on its way; ask later
};

struct plan
{
    struct decision
    {
        std::int64_t course_id = 0;
        std::int64_t lesson_id = 0;
        said says;
    };
    struct remedy
    {
        base::uuid grant_id{};
        std::string boom_media;
    };
    struct confirmation // wanted or failed → confirmed without a call
    {
        base::uuid grant_id{};
        base::uuid buyer_id{};
    };
    struct closing
    {
        base::uuid grant_id{};
        std::string actor;
        std::string reason;
    };
    struct urgency // a buyer that waits, and is wanted sooner or with another media now
    {
        base::uuid buyer_id{};
        lane way = lane::fresh;
        std::string boom_media;
        bool now = false; // forget the next try: a person changed something, or a new lesson needs it
    };
    struct answer
    {
        base::uuid request_id{};
        std::string state; // "done", "refused", "pending"
        std::string detail;
    };
    std::vector<decision> decisions; // only those that say something else than last time
    std::vector<new_grant> grants;
    std::vector<base::uuid> tried_again; // failed → wanted: a person changed what was wrong
    std::vector<base::uuid> raised; // wanted or failed, backfill → fresh: wanted by a pass of today now
    std::vector<base::uuid> granted_again; // revoked → wanted, cause manual
    std::vector<remedy> remedies;          // wanted or failed grants whose video changed
    std::vector<base::uuid> withdrawn;     // never confirmed, and no video of the lesson needs it any more
    std::vector<confirmation> confirmed;   // existing and new grants alike, after the changes above
    std::vector<closing> revoked;          // at once: Boomstream need not be told
    std::vector<closing> closings; // confirmed → closing: revoked as soon as Boomstream has deleted the buyer
    std::vector<base::uuid> reopened; // closing → plain confirmed: granted again before Boomstream was told

    std::vector<new_buyer> buyers;
    std::vector<base::uuid> buyers_to_close;  // live → closing
    std::vector<base::uuid> buyers_to_reopen; // closing → live
    std::vector<base::uuid> buyers_to_drop;   // wanted → gone, Boomstream never heard of them
    std::vector<urgency> hurried;

    std::vector<answer> answers;
    std::optional<base::time_point> look_again_at; // a day of after_days comes
};

// `books` has every course that concerns the student. `new_id` makes ids for rows.
plan reconcile(const student& s, const std::map<std::int64_t, const course_book*>& books,
    base::time_point now, const std::function<base::uuid()>& new_id);

} // namespace coursegate::boomstream_grant
