#include "coursegate/outbox/relay.hpp"

#include "coursegate/async/gate.hpp"
#include "coursegate/async/signal.hpp"
#include "coursegate/base/backoff.hpp"
#include "coursegate/base/encoding.hpp"
#include "coursegate/db/transaction.hpp"
#include "coursegate/log/log.hpp"
#include "coursegate/metrics/metrics.hpp"
#include "coursegate/outbox/outbox.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <random>

namespace coursegate::outbox {

namespace {

using steady = std::chrono::steady_clock;

// The outbox goes from empty to large and back within seconds: these are planned anew at each call. The claim
// needs no wait for the disk, and says so itself, which saves a round trip on the way of every event: should
// the server lose it in a crash, the rows are free again and the inbox absorbs the copy; the same holds for
// the deletion, which commits with the next claim.
constexpr db::statement claim_rows{"outbox.claim",
    "with free as materialized ("
    "  select id from outbox where claimed_until is null or claimed_until < now()"
    "  order by id limit $3 for update skip locked)"
    " update outbox o set claimed_by = $1, claimed_until = now() + $2::bigint * interval '1 millisecond'"
    " from free where o.id = free.id"
    " returning o.id, o.message_id, o.type, o.routing_key, o.correlation_id, o.traceparent, o.body,"
    "  (select set_config('synchronous_commit', 'off', true)) as commit_mode",
    false};
constexpr db::statement delete_sent{
    "outbox.delete", "delete from outbox where id = any($1::bigint[])", false};

// Rows the broker did not take; until `claimed_until` nobody asks again.
constexpr db::statement give_back{"outbox.give_back",
    "update outbox set claimed_by = null, claimed_until = now() + $2::bigint * interval '1 millisecond'"
    " where id = any($1::bigint[]) and claimed_by = $3",
    false};
// What this lane had claimed when it lost its connection: nobody else is sending these.
constexpr db::statement release{"outbox.release",
    "update outbox set claimed_by = null, claimed_until = null where claimed_by = $1", false};

// Counted up to a limit, so that looking costs the same however long the broker was away.
constexpr db::statement look{"outbox.look",
    "select count(*) as waiting, coalesce(extract(epoch from clock_timestamp() - min(created_at)), "
    "0)::double precision as oldest"
    " from (select created_at from outbox order by id limit 10001) as first_rows"};

constexpr auto purge_every = std::chrono::hours(1);
constexpr double old_seconds = 60;
constexpr auto blind_after =
    std::chrono::seconds(30); // not having seen the outbox for so long is a fault of its own

std::string invented_name()
{
    char host[256] = "host";
    ::gethostname(host, sizeof host - 1);
    return fmt::format("{}:{}:{}", host, ::getpid(), base::to_hex(base::random_bytes(4)));
}

struct claimed
{
    std::vector<std::int64_t> ids; // same order as messages
    std::vector<events::outgoing> messages;
};

// What the last batch came to, to be written down with the next claim.
struct settlement
{
    std::vector<std::int64_t> sent;
    std::vector<std::int64_t> unknown;
    std::vector<std::int64_t> refused;

    bool empty() const { return sent.empty() && unknown.empty() && refused.empty(); }
};

claimed read_rows(const pqxx::result& rows)
{
    std::vector<std::pair<std::int64_t, events::outgoing>> all;
    all.reserve(static_cast<std::size_t>(rows.size()));
    for (const auto& row : rows) {
        events::outgoing m;
        m.message_id = row[1].c_str(); // by position: this is the hot path
        m.type = row[2].c_str();
        m.routing_key = row[3].c_str();
        m.correlation_id = row[4].c_str();
        m.traceparent = row[5].c_str();
        m.body = std::string(row[6].c_str(), row[6].size());
        all.emplace_back(db::get<std::int64_t>(row, "id"), std::move(m));
    }
    std::sort(all.begin(), all.end(),
        [](const auto& a, const auto& b) { return a.first < b.first; }); // RETURNING has no order
    claimed out;
    out.ids.reserve(all.size());
    out.messages.reserve(all.size());
    for (auto& [id, message] : all) {
        out.ids.push_back(id);
        out.messages.push_back(std::move(message));
    }
    return out;
}

} // namespace

// A lane claims, publishes, and settles with its next claim; two lanes keep the broker busy while one of them
// is at the database. A commit of this process calls one idle lane; a lane whose claim was full calls
// another. The first lane also looks once per `poll`.
struct relay::impl : std::enable_shared_from_this<relay::impl>
{
    struct lane
    {
        lane(async::executor ex, int n, const std::string& owner)
            : number(n), name(fmt::format("{}/{}", owner, n)), called(std::move(ex))
        {}
        int number;
        std::string name; // claimed_by
        async::signal called;
        base::backoff pause{{std::chrono::milliseconds(100), std::chrono::milliseconds(1'000)}};
        settlement done;
        bool lost_track =
            false; // a transaction failed: rows may be claimed in our name that we don't know of
        bool broker_down = false;
    };

    impl(async::executor ex, db::pool& p, events::publisher& o, relay_settings s)
        : pool(p), out(o), options(std::move(s)), background(ex)
    {
        if (options.claimed_by.empty())
            options.claimed_by = invented_name();
        options.batch = std::max(options.batch, 1);
        options.lanes = std::max(options.lanes, 1);
        for (int i = 0; i < options.lanes; ++i)
            lanes.push_back(std::make_unique<lane>(ex, i, options.claimed_by));
    }

    // Any thread.
    void wake()
    {
        lane* next = nullptr;
        {
            const std::lock_guard lock(mutex);
            pending = true;
            if (idle.empty())
                return; // a lane that ends its batch looks again
            next = idle.back();
            idle.pop_back();
        }
        next->called.set();
    }

    // False when the lane should go idle. Takes the wake-up: what was committed before this is seen by the
    // next claim.
    bool take_pending(lane& me)
    {
        const std::lock_guard lock(mutex);
        if (pending || stopping) {
            pending = false;
            return true;
        }
        idle.push_back(&me);
        return false;
    }

    void leave_idle(lane& me)
    {
        const std::lock_guard lock(mutex);
        std::erase(idle, &me);
        pending = false;
    }

    async::task<void> run(lane& me)
    {
        const bool polls = me.number == 0;
        while (!stopping) {
            bool called = true;
            if (!take_pending(me)) {
                called = co_await me.called.wait_for(
                    polls ? std::chrono::microseconds(options.poll) : std::chrono::hours(24));
                leave_idle(me);
            }
            if (polls && co_await keep_house() && !called && !me.lost_track)
                continue; // looked a moment ago: empty
            bool more = true;
            while (!stopping && more) // g++ 12: no co_await behind && in a loop's condition
            {
                more = co_await round(me);
                if (more && polls)
                    co_await keep_house();
            }
        }
        if (!me.done.empty())
            co_await settle(me, 0);
    }

    // One claim and its batch. False when there was nothing to send.
    async::task<bool> round(lane& me)
    {
        // While the broker is away one row at a time asks whether it is back.
        const int most = me.broker_down ? 1 : options.batch;
        auto batch = co_await settle(me, most);
        if (batch.ids.empty())
            co_return me.lost_track; // then the pause is over and it tries again
        if (static_cast<int>(batch.ids.size()) == options.batch)
            wake();

        const auto outcomes = co_await out.publish(std::move(batch.messages));
        count(me, batch.ids, outcomes);
        if (me.done.sent.empty()) {
            if (!me.broker_down)
                log::warning(
                    "the broker takes no events", {{"waiting", static_cast<std::int64_t>(batch.ids.size())}});
            me.broker_down = true;
            co_await rest(me);
        }
        else {
            if (me.broker_down)
                wake(); // the others may go back to full batches
            me.broker_down = false;
            me.pause.reset();
        }
        co_return true;
    }

    // Writes the last batch down and claims the next one, in one transaction. Crash before its COMMIT: the
    // claims run out and the sent rows are sent again under the same message_id. `most` = 0: claims nothing.
    async::task<claimed> settle(lane& me, int most)
    {
        const auto body = [this, &me, most](db::transaction& tx) {
            if (me.lost_track)
                tx.exec(release, me.name);
            if (!me.done.sent.empty())
                tx.exec(delete_sent, me.done.sent);
            if (!me.done.unknown.empty())
                tx.exec(give_back, me.done.unknown, 0, me.name);
            if (!me.done.refused.empty())
                tx.exec(give_back, me.done.refused, options.refused_pause.count(), me.name);
            if (most == 0)
                return claimed{};
            return read_rows(
                tx.exec(claim_rows, me.name, std::chrono::milliseconds(options.claim).count(), most));
        };
        std::string fault;
        try {
            auto batch = co_await pool.transact(body);
            me.done = settlement{};
            me.lost_track = false;
            worked();
            co_return batch;
        }
        catch (const std::exception& e) {
            fault = e.what();
        }
        // Nothing is forgotten: the settlement is written with the next try, and releasing by name frees a
        // claim whose COMMIT nobody knows about. What was sent is deleted by id, so releasing it first does
        // no harm.
        if (!me.lost_track)
            log::warning("the outbox can't be reached", {{"error", fault}});
        me.lost_track = true;
        co_await rest(me);
        co_return claimed{};
    }

    void count(lane& me, const std::vector<std::int64_t>& ids, const std::vector<events::delivery>& outcomes)
    {
        for (std::size_t i = 0; i < ids.size(); ++i) {
            const auto outcome = i < outcomes.size() ? outcomes[i] : events::delivery::unknown;
            if (outcome == events::delivery::confirmed)
                me.done.sent.push_back(ids[i]);
            else if (outcome == events::delivery::refused)
                me.done.refused.push_back(ids[i]);
            else
                me.done.unknown.push_back(ids[i]);
        }
        batches.increment();
        sent.increment(static_cast<double>(me.done.sent.size()));
        if (!me.done.unknown.empty())
            unknown.increment(static_cast<double>(me.done.unknown.size()));
        if (!me.done.refused.empty()) {
            refused.increment(static_cast<double>(me.done.refused.size()));
            log::warning("the broker refused events; they are kept and sent again",
                {{"rows", static_cast<std::int64_t>(me.done.refused.size())},
                    {"first_outbox_id", me.done.refused.front()}});
        }
    }

    // A pause that only stop() ends early: the lane is not in the idle list.
    async::task<void> rest(lane& me)
    {
        const auto until = steady::now() + me.pause.next();
        while (!stopping && steady::now() < until)
            co_await me.called.wait_for(
                std::chrono::duration_cast<std::chrono::microseconds>(until - steady::now()));
    }

    // The first lane's other duties, once per poll: how much waits and for how long, and the purge of the
    // inbox. True when it looked and the outbox was empty.
    async::task<bool> keep_house()
    {
        const auto now = steady::now();
        if (now - looked < options.poll)
            co_return false;
        looked = now;
        bool is_empty = false;
        try {
            const auto look_inside = [](db::transaction& tx) {
                const auto row = tx.exec(look)[0];
                return std::pair(db::get<double>(row, "oldest"), db::get<std::int64_t>(row, "waiting"));
            };
            const auto [oldest, rows] = co_await pool.transact(look_inside);
            oldest_seconds.set(oldest);
            waiting.set(static_cast<double>(rows));
            const std::lock_guard lock(mutex);
            seen_oldest = oldest;
            seen_at = steady::now();
            last_work = base::now();
            is_empty = rows == 0;
        }
        catch (const std::exception&) {
            co_return false; // the claim that follows says so
        }

        if (now < next_purge)
            co_return is_empty;
        next_purge = now + purge_every;
        try {
            const auto one_slice = [](db::transaction& tx) { return purge_inbox(tx); };
            bool more = true;
            while (!stopping && more) {
                const auto removed = co_await pool.transact(one_slice);
                more = removed > 0;
            }
        }
        catch (const std::exception& e) {
            log::warning("old inbox rows could not be removed", {{"error", e.what()}});
        }
        co_return is_empty;
    }

    void worked()
    {
        const std::lock_guard lock(mutex);
        last_work = base::now();
    }

    db::pool& pool;
    events::publisher& out;
    relay_settings options;
    async::gate background;
    std::vector<std::unique_ptr<lane>> lanes;
    bool started = false;

    std::mutex mutex;
    std::vector<lane*> idle;
    bool pending = true; // rows of an earlier run may wait
    std::atomic<bool> stopping{false};
    double seen_oldest = 0;
    steady::time_point seen_at = steady::now();
    std::optional<base::time_point> last_work;

    // The first lane's own.
    steady::time_point looked{};
    // Not all instances at the same moment, and not in the rush of a start.
    steady::time_point next_purge = steady::now() + std::chrono::seconds(60 + std::random_device{}() % 540);

    metrics::counter& sent =
        metrics::get_counter("coursegate_outbox_sent_total", "Events confirmed by the broker");
    metrics::counter& batches =
        metrics::get_counter("coursegate_outbox_batches_total", "Batches handed to the broker");
    metrics::counter& unknown = metrics::get_counter("coursegate_outbox_unsent_total",
        "Events the broker did not confirm; they are sent again", {{"outcome", "unknown"}});
    metrics::counter& refused = metrics::get_counter("coursegate_outbox_unsent_total",
        "Events the broker did not confirm; they are sent again", {{"outcome", "refused"}});
    metrics::gauge& waiting = metrics::get_gauge(
        "coursegate_outbox_waiting", "Rows in the outbox; 10001 stands for any larger number");
    metrics::gauge& oldest_seconds =
        metrics::get_gauge("coursegate_outbox_oldest_seconds", "Age of the oldest unsent event");
};

relay::relay(async::executor ex, db::pool& pool, events::publisher& out, relay_settings s)
    : impl_(std::make_shared<impl>(std::move(ex), pool, out, std::move(s)))
{
    pool.on_commit("outbox", [weak = std::weak_ptr<impl>(impl_)] {
        if (const auto self = weak.lock())
            self->wake();
    });
}

relay::~relay() = default;

async::task<void> relay::start()
{
    if (impl_->started)
        co_return;
    impl_->started = true;
    for (auto& one : impl_->lanes)
        impl_->background.spawn("outbox lane", [self = impl_, me = one.get()] { return self->run(*me); });
}

async::task<void> relay::stop()
{
    const auto self = impl_;
    self->stopping = true;
    for (auto& one : self->lanes)
        one->called.set();
    co_await self->background.close(false);
}

async::health relay::check() const
{
    async::health out;
    const std::lock_guard lock(impl_->mutex);
    out.last_work = impl_->last_work;
    if (steady::now() - impl_->seen_at > blind_after) {
        out.ok = false;
        out.detail = "the outbox can't be looked into";
    }
    else if (impl_->seen_oldest > old_seconds) {
        out.ok = false;
        out.detail = fmt::format("the oldest unsent event is {:.0f} s old", impl_->seen_oldest);
    }
    return out;
}

} // namespace coursegate::outbox
