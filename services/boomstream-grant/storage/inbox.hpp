// The receiving half of the outbox, for handlers: true exactly once per (handler, message).
#pragma once

#include "coursegate/db/pool.hpp"

#include <string>

namespace coursegate::boomstream_grant {

bool first_time(db::transaction& tx, const std::string& handler, const std::string& message_id);

} // namespace coursegate::boomstream_grant
