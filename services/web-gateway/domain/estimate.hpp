// How long a "check me now" will take, from what recent ones took. Honest: where nothing was seen lately it
// says the ordinary, and where Stepik can't be read it gives no number.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace coursegate::web_gateway {

struct recent_syncs
{
    int waiting = 0;                  // asked for earlier and not answered yet
    std::vector<double> took_seconds; // request to answer, of the last ones that finished
    std::vector<double> gaps_seconds; // between two answers that followed each other under load
    bool stepik_readable = true;
    std::string problem; // why not, for people
};

struct sync_estimate
{
    std::optional<int> seconds{}; // nullopt: it can't be said, see `note`
    int waiting = 0;
    std::string note; // empty, or one sentence
};

// Ordinary: one Stepik request at the default budget of two a second, and the way there and back.
inline constexpr double ordinary_seconds = 2.0;
inline constexpr double ordinary_gap_seconds = 0.5;

sync_estimate estimate_sync(const recent_syncs& recent);

} // namespace coursegate::web_gateway
