// A student's row of Stepik's grade book, as far as Coursegate reads it.
#pragma once

#include "coursegate/base/clock.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace coursegate::stepik_sync {

using digest = std::array<std::uint8_t, 16>;

// One row per student. `results` points into the answer it was read from and is not parsed: most rows of a
// sweep say what they said last time, which the digest tells.
struct grade_row
{
    std::int64_t user = 0;
    bool is_teacher = false;
    std::optional<base::time_point> date_joined;
    std::optional<base::time_point> last_viewed;
    std::string_view results;
    digest results_digest{};
};

// What Stepik says of one gradable step of one student. Indexed by the step's id: positions move when an
// author edits.
struct step_result
{
    std::int64_t lesson_id = 0;
    std::int64_t step_id = 0; // 0 when the entry could not be read: it counts as not passed
    bool is_passed = false;   // never derived from the score: reviewed steps are passed with 0.0
};

struct grade_results
{
    std::vector<step_result> steps; // sorted by lesson, then step; each step once
    std::optional<digest> layout; // of the set of step ids; nullopt for a student who never opened the course
    int malformed = 0;            // entries that could not be read
};

// Sorts, folds entries of the same step (passed when one of them is) and drops what is double.
void normalise(std::vector<step_result>& steps);

// What is stored of a row.
struct known_row
{
    std::optional<digest> results_digest; // nullopt: a decision is outstanding
    std::optional<base::time_point> last_viewed;
    base::time_point last_read_at{};
};

enum class row_change
{
    appeared,  // never seen: student_enrolled
    unchanged, // only last_read_at moves
    viewed,    // the student looked at something; the results are the same
    changed,   // the results differ, or have to be decided again
    older,     // a newer reading is stored already: this one says nothing
};

row_change compare(const grade_row& row, const known_row* known, base::time_point read_at);

} // namespace coursegate::stepik_sync
