// Who may watch a part of a lesson now, and for how long a link to it works.
#pragma once

#include "domain/trail.hpp"

#include <chrono>

namespace coursegate::web_gateway {

inline constexpr std::chrono::seconds play_link_lasts{60};

// The part, when its student may watch it: the lesson is open for him, and so is this very part (its own
// subscription has a confirmed grant). Else nullptr.
const media_part* watchable_part(const trail& t, int part);

} // namespace coursegate::web_gateway
