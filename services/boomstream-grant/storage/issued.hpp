// Events about grants from the rows that changed. Shared by whoever changes a grant's state.
#pragma once

#include "coursegate/db/transaction.hpp"
#include "coursegate/events/event.hpp"
#include "storage/confirmations.hpp"

#include <vector>

namespace coursegate::boomstream_grant {

inline constexpr std::string_view service_name = "boomstream-grant";

// Columns that `returning` must have for the functions below.
#define COURSEGATE_GRANT_COLUMNS                                                                             \
    "g.grant_id, g.user_id, g.stepik_user_id, g.course_id, g.lesson_id, g.subscription_code, g.cause, "      \
    "g.lane, g.attempts,"                                                                                    \
    " g.passed_after, g.passed_before, g.seen_at, g.wanted_at, g.asked_at, g.confirmed_at, g.failed_at, "    \
    "g.next_try_at,"                                                                                         \
    " g.provider_reason, g.revoked_at, g.revoked_by, g.revoke_reason"

events::envelope issued(const pqxx::row& grant);
events::envelope failed(const pqxx::row& grant);
events::envelope revoked(const pqxx::row& grant);

confirmation confirmation_of(const pqxx::row& grant);

} // namespace coursegate::boomstream_grant
