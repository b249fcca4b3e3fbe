#include "storage/orders.hpp"

#include "coursegate/db/transaction.hpp"
#include "storage/marks.hpp"

namespace coursegate::boomstream_grant {

namespace {

constexpr db::statement insert_order{"access.insert_order",
    "insert into requests (request_id, kind, user_id, course_id, lesson_id, actor, reason, requested_at)"
    " values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict do nothing"};

} // namespace

void add_order(db::transaction& tx, const base::uuid& user_id, const order& o)
{
    tx.exec(insert_order, o.request_id, o.grant ? "grant" : "revoke", user_id, o.course_id, o.lesson_id,
        o.actor, o.reason, o.at);
    mark_user(tx, user_id, lane::fresh);
}

} // namespace coursegate::boomstream_grant
