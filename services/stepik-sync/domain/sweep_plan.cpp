#include "domain/sweep_plan.hpp"

#include <algorithm>
#include <cmath>

namespace coursegate::stepik_sync {

int expected_pages(std::optional<int> last_good, std::optional<int> learners, int rows_per_page)
{
    if (last_good && *last_good > 0)
        return *last_good;
    return std::max(1, learners.value_or(0) / std::max(1, rows_per_page));
}

int pages_at_start(int expected, bool last_sweep_was_good)
{
    return last_sweep_was_good ? expected : 1;
}

int pages_to_schedule(int page, int scheduled, int expected)
{
    if (page < scheduled)
        return scheduled;
    return std::max(page + 1, expected);
}

std::optional<std::chrono::seconds> rest_after_failure(int failures)
{
    if (failures >= 7)
        return std::nullopt;
    return std::chrono::seconds(1LL << std::clamp(failures - 1, 0, 5));
}

std::chrono::seconds stuck_after(int outstanding_pages, double requests_per_second)
{
    const double needed = 2.0 * outstanding_pages / std::max(requests_per_second, 0.01);
    return std::chrono::seconds(60 + static_cast<std::int64_t>(std::min(needed, 86'400.0)));
}

std::chrono::seconds structure_interval(std::chrono::seconds sweep_interval)
{
    return 12 * sweep_interval;
}

std::chrono::seconds structure_rest_after_failure(int failures)
{
    return std::chrono::seconds(std::min(600LL, 5LL << std::clamp(failures - 1, 0, 7)));
}

} // namespace coursegate::stepik_sync
