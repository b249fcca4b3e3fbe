#include "coursegate/base/backoff.hpp"

#include <algorithm>
#include <random>

namespace coursegate::base {

std::chrono::milliseconds backoff::next()
{
    // Not a secret, only spread: a small generator per thread is enough.
    thread_local std::minstd_rand random{std::random_device{}()};
    const int doublings = std::min(failures_, 30);
    failures_ = std::min(failures_ + 1, 1'000'000);
    const auto step = std::min<std::int64_t>(std::max<std::int64_t>(limits_.longest.count(), 1),
        std::max<std::int64_t>(limits_.first.count(), 1) << doublings);
    std::uniform_int_distribution<std::int64_t> spread{(step + 1) / 2, step};
    return std::chrono::milliseconds{spread(random)};
}

} // namespace coursegate::base
