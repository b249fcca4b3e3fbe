#include "domain/lesson_rule.hpp"

#include <algorithm>

namespace coursegate::stepik_sync {

namespace {

// The upper end of the interval in which the pass happened: this reading, or the student's last activity when
// that lies inside the interval.
base::time_point cut(const reading& r)
{
    if (!r.last_viewed || *r.last_viewed >= r.read_at)
        return r.read_at;
    if (r.previous && *r.last_viewed <= *r.previous)
        return r.read_at; // nothing was viewed since, and yet it is new: the grades were late
    return *r.last_viewed;
}

} // namespace

row_decision decide(const std::vector<step_result>& steps, const std::map<std::int64_t, lesson_state>& known,
    const young_steps& young, const reading& r)
{
    row_decision out;
    for (auto first = steps.begin(); first != steps.end();) {
        const std::int64_t lesson_id = first->lesson_id;
        const auto last =
            std::find_if(first, steps.end(), [&](const step_result& s) { return s.lesson_id != lesson_id; });

        const auto stored = known.find(lesson_id);
        const lesson_state* before = stored == known.end() ? nullptr : &stored->second;

        lesson_change change;
        change.lesson_id = lesson_id;
        lesson_state& now = change.state;
        now.steps_total = static_cast<int>(last - first);
        for (auto s = first; s != last; ++s) {
            if (s->is_passed)
                ++now.steps_passed;
            else if (s->step_id != 0)
                now.missing_steps.push_back(s->step_id);
        }
        const bool row_says_passed = now.steps_passed == now.steps_total;

        if (before != nullptr && before->passed) {
            now.passed = true;
            now.passed_after = before->passed_after;
            now.passed_before = before->passed_before;
            now.seen_at = before->seen_at;
            now.backfill = before->backfill;
        }
        else {
            bool waits = false;
            if (const auto later = young.find(lesson_id); later != young.end())
                for (const std::int64_t step : later->second) {
                    const bool is_there =
                        std::any_of(first, last, [&](const step_result& s) { return s.step_id == step; });
                    if (is_there)
                        continue;
                    waits = true;
                    ++now.steps_total;
                    now.missing_steps.push_back(step);
                }
            std::sort(now.missing_steps.begin(), now.missing_steps.end());
            out.undecided |= waits;
            now.passed = row_says_passed && !waits;
            change.newly_passed = now.passed;
            if (row_says_passed) {
                if (before != nullptr && before->seen_at) {
                    // It was delayed: the reading that showed it first counts.
                    now.passed_after = before->passed_after;
                    now.passed_before = before->passed_before;
                    now.seen_at = before->seen_at;
                    now.backfill = before->backfill;
                }
                else {
                    now.passed_after = r.previous;
                    now.passed_before = cut(r);
                    now.seen_at = r.read_at;
                    now.backfill = r.backfill;
                }
            }
        }

        if (before == nullptr || !(*before == now))
            out.changes.push_back(std::move(change));
        first = last;
    }
    return out;
}

} // namespace coursegate::stepik_sync
