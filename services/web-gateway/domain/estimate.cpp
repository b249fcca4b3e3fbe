#include "domain/estimate.hpp"

#include <algorithm>
#include <cmath>

namespace coursegate::web_gateway {
namespace {

// The value that `share` of them do not exceed.
double quantile(std::vector<double> values, double share, double otherwise)
{
    if (values.empty())
        return otherwise;
    const auto last = static_cast<double>(values.size() - 1);
    const auto at = static_cast<std::ptrdiff_t>(std::ceil(share * last));
    std::nth_element(values.begin(), values.begin() + at, values.end());
    return values[static_cast<std::size_t>(at)];
}

} // namespace

sync_estimate estimate_sync(const recent_syncs& recent)
{
    sync_estimate out;
    out.waiting = recent.waiting;
    if (!recent.stepik_readable) {
        out.note =
            "Stepik can't be read at the moment, so nobody can say when this will be done: " + recent.problem;
        return out;
    }
    // The nine-in-ten time rather than the typical one: who waits longer than promised asks again.
    const auto own = quantile(recent.took_seconds, 0.9, ordinary_seconds);
    const auto gap = quantile(recent.gaps_seconds, 0.5, ordinary_gap_seconds);
    out.seconds = std::max(1, static_cast<int>(std::ceil(own + gap * recent.waiting)));
    return out;
}

} // namespace coursegate::web_gateway
