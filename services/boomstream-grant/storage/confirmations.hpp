// Metrics of grants that became confirmed. Gathered inside a transaction, whose body may run twice, and
// counted after its commit.
#pragma once

#include "domain/types.hpp"

#include <chrono>
#include <optional>
#include <vector>

namespace coursegate::boomstream_grant {

struct confirmation
{
    lane way = lane::fresh;
    std::optional<std::chrono::microseconds> took; // since the pass was seen
};

void count(const std::vector<confirmation>& confirmed);

} // namespace coursegate::boomstream_grant
