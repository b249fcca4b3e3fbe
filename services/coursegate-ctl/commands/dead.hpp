// The names a queue goes by.
#pragma once

#include <string>

namespace coursegate::ctl {

// "stepik-sync.requests" for any of: that, "stepik-sync.requests.dead", and either with the prefix in front.
// Throws usage_error naming the queues there are.
std::string queue_of(const std::string& word, const std::string& prefix);

} // namespace coursegate::ctl
