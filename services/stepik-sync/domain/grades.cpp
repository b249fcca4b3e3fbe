#include "domain/grades.hpp"

#include <algorithm>
#include <tuple>

namespace coursegate::stepik_sync {

void normalise(std::vector<step_result>& steps)
{
    // Passed ones first among equals, so that unique() keeps them.
    std::sort(steps.begin(), steps.end(), [](const step_result& a, const step_result& b) {
        return std::tuple(a.lesson_id, a.step_id, !a.is_passed) <
               std::tuple(b.lesson_id, b.step_id, !b.is_passed);
    });
    const auto same = [](const step_result& a, const step_result& b) {
        return a.lesson_id == b.lesson_id && a.step_id == b.step_id && a.step_id != 0;
    };
    steps.erase(std::unique(steps.begin(), steps.end(), same), steps.end());
}

row_change compare(const grade_row& row, const known_row* known, base::time_point read_at)
{
    if (known == nullptr)
        return row_change::appeared;
    // Two readings may overtake each other (a sweep's page and somebody's "check me now").
    if (read_at <= known->last_read_at)
        return row_change::older;
    if (known->results_digest != row.results_digest)
        return row_change::changed;
    return known->last_viewed == row.last_viewed ? row_change::unchanged : row_change::viewed;
}

} // namespace coursegate::stepik_sync
