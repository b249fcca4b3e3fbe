// When a lesson is passed.
//
// A lesson is passed when the student's row has at least one result of it and all its results are passed.
// Once passed it stays passed, whatever an author inserts later. A gradable step that the structure knows but
// the row lacks delays the decision only while the step is young: Stepik may not have put it into the grades
// yet. One sweep later the row decides by itself.
#pragma once

#include "domain/grades.hpp"

#include <map>
#include <set>

namespace coursegate::stepik_sync {

struct lesson_state
{
    bool passed = false;
    int steps_passed = 0;
    int steps_total = 0;
    std::vector<std::int64_t> missing_steps; // ids, ascending
    // The pass lies in (passed_after, passed_before]; seen_at is the reading that showed it. Also set while
    // the decision is delayed.
    std::optional<base::time_point> passed_after;
    std::optional<base::time_point> passed_before;
    std::optional<base::time_point> seen_at;
    bool backfill = false;

    bool operator==(const lesson_state&) const = default;
};

// Gradable steps that were first seen after the last good sweep began, by lesson.
using young_steps = std::map<std::int64_t, std::set<std::int64_t>>;

struct reading
{
    base::time_point read_at{};
    std::optional<base::time_point> previous; // the last reading of this row before
    std::optional<base::time_point> last_viewed;
    bool backfill = false; // by the course's first sweep
};

struct lesson_change
{
    std::int64_t lesson_id = 0;
    lesson_state state;
    bool newly_passed = false;
};

struct row_decision
{
    std::vector<lesson_change> changes; // lessons whose stored state differs, by lesson id
    bool undecided = false;             // decide again next sweep even if the row says the same
};

// `steps` normalised; `known` the stored states of this student by lesson.
row_decision decide(const std::vector<step_result>& steps, const std::map<std::int64_t, lesson_state>& known,
    const young_steps& young, const reading& r);

} // namespace coursegate::stepik_sync
