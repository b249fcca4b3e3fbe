// What people ask other daemons to do: grant, revoke, sync, audit. The gateway writes the request, its audit
// row and the event in one transaction; the daemon that owns the slice carries it out and publishes what
// became of it.
#pragma once

#include "domain/principal.hpp"

#include "coursegate/base/clock.hpp"
#include "coursegate/base/uuid.hpp"
#include "coursegate/db/pool.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace coursegate::web_gateway {

struct order
{
    base::uuid request_id{};
    std::string kind; // grant, revoke, sync, audit
    std::int64_t course_id = 0;
    std::optional<std::int64_t> lesson_id{};
    std::optional<base::uuid> user_id{};
    std::optional<std::int64_t> stepik_user_id{};
    std::string actor;
    base::time_point requested_at{};
};

// Each returns the new request's id. `by.why` is the reason of grant and revoke.
base::uuid order_grant(db::transaction& tx, const act& by, const base::uuid& user_id, std::int64_t course_id,
    std::int64_t lesson_id);
base::uuid order_revoke(db::transaction& tx, const act& by, const base::uuid& user_id, std::int64_t course_id,
    std::int64_t lesson_id);
base::uuid order_sync(db::transaction& tx, const act& by, std::int64_t course_id, std::int64_t stepik_user_id,
    const std::optional<base::uuid>& user_id);
base::uuid order_audit(db::transaction& tx, const act& by, std::int64_t course_id, bool dry_run, int budget);

std::optional<order> find_order(db::transaction& tx, const base::uuid& request_id);

// Forgets up to `most` requests older than 30 days; returns how many.
int purge_orders(db::transaction& tx, int most);

} // namespace coursegate::web_gateway
