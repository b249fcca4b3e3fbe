// What of `demo` can be tried without a running system.
#pragma once

#include "coursegate/base/clock.hpp"

#include <cstdint>
#include <vector>

namespace coursegate::ctl {

// Stepik ids that no earlier run used: the sandbox forgets its students when it stops and would number them
// from the beginning again, while the database keeps their accounts.
std::vector<std::int64_t> new_student_ids(base::time_point now, std::int64_t count);

} // namespace coursegate::ctl
