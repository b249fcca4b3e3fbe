#include "handlers/purge.hpp"

#include "storage/feed.hpp"
#include "storage/idempotency.hpp"
#include "storage/mini_app.hpp"
#include "storage/orders.hpp"
#include "storage/play_links.hpp"
#include "storage/sessions.hpp"
#include "storage/sign_in.hpp"
#include "storage/sign_in_attempts.hpp"

#include "coursegate/log/log.hpp"

namespace coursegate::web_gateway {
namespace {

constexpr int slice_rows = 5000;

async::task<void> purge_one(db::pool& db, std::string what, int (*forget)(db::transaction&, int))
{
    int total = 0;
    int gone = slice_rows;
    while (gone == slice_rows) {
        auto body = [&](db::transaction& tx) { return forget(tx, slice_rows); };
        gone = co_await db.transact(body);
        total += gone;
    }
    if (total > 0)
        log::info("old rows were removed", {{"what", what}, {"rows", total}});
}

} // namespace

async::task<void> purge(db::pool& db)
{
    co_await purge_one(db, "feed", purge_feed);
    co_await purge_one(db, "requests", purge_orders);
    co_await purge_one(db, "idempotency_keys", purge_idempotency_keys);
    co_await purge_one(db, "sessions", purge_sessions);
    co_await purge_one(db, "sign_in_failures", purge_sign_in_failures);
    co_await purge_one(db, "play_links", purge_play_links);
    co_await purge_one(db, "sign_in_attempts", purge_sign_in_attempts);
    co_await purge_one(db, "sign_in_links", purge_sign_in_links);
    co_await purge_one(db, "mini_app_sign_ins", purge_app_sign_ins);
}

} // namespace coursegate::web_gateway
