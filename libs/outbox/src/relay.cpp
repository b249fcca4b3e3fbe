#include "coursegate/outbox/relay.hpp"

#include "coursegate/async/gate.hpp"
#include "coursegate/async/signal.hpp"
#include "coursegate/base/backoff.hpp"
#include "coursegate/base/encoding.hpp"
#include "coursegate/db/transaction.hpp"
#include "coursegate/log/log.hpp"
#include "coursegate/metrics/metrics.hpp"
#include "coursegate/outbox/outbox.hpp"
#include "handover.hpp"

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <charconv>
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
constexpr db::statement delete_sent{"outbox.delete",
    "delete from outbox where id = any($1::bigint[])"
    " and (select set_config('synchronous_commit', 'off', true)) = 'off'",
    false};

// Rows the broker did not take; until `claimed_until` nobody asks again.
constexpr db::statement give_back{"outbox.give_back",
    "update outbox set claimed_by = null, claimed_until = now() + $2::bigint * interval '1 millisecond'"
    " where id = any($1::bigint[]) and claimed_by = any($3::text[])",
    false};
// What this lane had claimed when it lost its connection: nobody else is sending these.
constexpr db::statement release{"outbox.release",
    "update outbox set claimed_by = null, claimed_until = null where claimed_by = any($1::text[])", false};
constexpr db::statement claimers{"outbox.claimers",
    "select distinct claimed_by from outbox where claimed_until > now() and split_part(claimed_by, ':', 1) = "
    "$1"
    " limit 1000",
    false};

// Counted up to a limit, so that looking costs the same however long the broker was away.
constexpr db::statement look{"outbox.look",
    "select count(*) as waiting, coalesce(extract(epoch from clock_timestamp() - min(created_at)), "
    "0)::double precision as oldest"
    " from (select created_at from outbox order by id limit 10001) as first_rows"};

constexpr auto purge_every = std::chrono::hours(1);
constexpr double old_seconds = 60;
constexpr auto blind_after =
    std::chrono::seconds(30); // not having seen the outbox for so long is a fault of its own

// Rows handed over in memory: more than these are left to the lanes' claims.
constexpr std::size_t most_handed = 1000;

const std::string& host()
{
    static const std::string name = [] {
        char text[256] = "host";
        ::gethostname(text, sizeof text - 1);
        return std::string(text);
    }();
    return name;
}

// The same for all relays of this process, and for no other process.
const std::string& process_mark()
{
    static const std::string mark = base::to_hex(base::random_bytes(6));
    return mark;
}

std::string invented_name()
{
    static std::atomic<int> relays{0};
    return fmt::format("{}:{}:{}:{}", host(), ::getpid(), process_mark(), ++relays);
}

// True when `name` was invented by a process of this host that is no more: another mark under our own pid
// (a container that was started again), or a pid that nobody has. Hosts that share a name at worst send an
// event twice under one message_id.
bool owner_is_dead(std::string_view name)
{
    const auto pid_at = name.find(':');
    const auto mark_at = name.find(':', pid_at + 1);
    if (pid_at == std::string_view::npos || mark_at == std::string_view::npos ||
        name.substr(0, pid_at) != host())
        return false;
    int pid = 0;
    const auto [end, code] = std::from_chars(name.data() + pid_at + 1, name.data() + mark_at, pid);
    if (code != std::errc() || end != name.data() + mark_at || pid <= 0)
        return false;
    if (pid == ::getpid())
        return !name.substr(mark_at + 1).starts_with(process_mark());
    return ::kill(pid, 0) != 0 && errno == ESRCH;
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
    bool only_sent() const { return !sent.empty() && unknown.empty() && refused.empty(); }
    std::size_t size() const { return sent.size() + unknown.size() + refused.size(); }
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

// What a commit of this process adds comes claimed, in memory (handover): a lane publishes it and deletes it.
// Everything else is claimed from the table: a lane claims, publishes, and settles with its next claim. Two
// lanes keep the broker busy while one of them is at the database. A commit of this process calls one idle
// lane; a lane whose claim was full calls another. The first lane also looks once per `poll`.
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
        bool claims = false;       // there may be rows that nobody has claimed
        bool after_handed = false; // the last batch was handed over: now it is the table's turn
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

    // Once it is owned by a shared_ptr.
    void connect()
    {
        const auto wake_up = [weak = weak_from_this()](bool unclaimed) {
            if (const auto self = weak.lock())
                self->wake(unclaimed);
        };
        handed = std::make_shared<handover>(claim_terms{options.claimed_by + "/handed", options.claim},
            most_handed, [wake_up] { wake_up(false); });
        pool.attach(handed);
        pool.on_commit("outbox", [wake_up] { wake_up(true); });
    }

    // Any thread. `unclaimed`: the rows are in the table only.
    void wake(bool unclaimed)
    {
        lane* next = nullptr;
        {
            const std::lock_guard lock(mutex);
            pending = pending || unclaimed;
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
        me.claims = me.claims || std::exchange(pending, false);
        if (me.claims || stopping || !handed->empty())
            return true;
        idle.push_back(&me);
        return false;
    }

    void leave_idle(lane& me, bool was_called)
    {
        const std::lock_guard lock(mutex);
        std::erase(idle, &me);
        me.claims = std::exchange(pending, false) || !was_called;
    }

    async::task<void> run(lane& me)
    {
        const bool polls = me.number == 0;
        if (polls)
            co_await release_the_dead();
        while (!stopping) {
            bool called = true;
            if (!take_pending(me)) {
                called = co_await me.called.wait_for(
                    polls ? std::chrono::microseconds(options.poll) : std::chrono::hours(24));
                leave_idle(me, called);
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
        for (auto& row : handed->take(most_handed)) // nobody will send them here
            me.done.unknown.push_back(row.id);
        if (!me.done.empty())
            co_await settle(me, 0);
    }

    // One batch. False when there was nothing to send and nothing to write down.
    async::task<bool> round(lane& me)
    {
        {
            const std::lock_guard lock(mutex);
            me.claims = me.claims || std::exchange(pending, false);
        }
        claimed batch;
        const bool tables_turn = me.claims && me.after_handed;
        if (!tables_turn && static_cast<int>(me.done.size()) < options.batch)
            batch = take_handed(me);
        me.after_handed = !batch.ids.empty();
        if (batch.ids.empty()) {
            // While the broker is away one row at a time asks whether it is back.
            const int most = !me.claims ? 0 : me.broker_down ? 1 : options.batch;
            if (most == 0 && me.done.empty() && !me.lost_track)
                co_return false;
            batch = co_await settle(me, most);
            if (static_cast<int>(batch.ids.size()) == options.batch)
                wake(true);
            if (batch.ids.empty()) {
                me.claims = me.lost_track; // then the pause is over and it tries again
                co_return me.lost_track || !handed->empty();
            }
        }

        const auto outcomes = co_await out.publish(std::move(batch.messages));
        if (count(me, batch.ids, outcomes) == 0) {
            if (!me.broker_down)
                log::warning(
                    "the broker takes no events", {{"waiting", static_cast<std::int64_t>(batch.ids.size())}});
            me.broker_down = true;
            me.claims = true; // what is given back
            handed->open(false);
            co_await rest(me);
        }
        else {
            if (me.broker_down)
                wake(true); // the others may go back to full batches
            me.broker_down = false;
            handed->open(!stopping);
            me.pause.reset();
        }
        if (!me.done.only_sent())
            me.claims = true;
        co_return true;
    }

    // Rows that waited so long that their claim may run out while they are published are given back, as are
    // all of them while the broker is away.
    claimed take_handed(lane& me)
    {
        claimed batch;
        const auto too_old = steady::now() - handed->terms().lasts / 2;
        for (auto& row : handed->take(static_cast<std::size_t>(options.batch))) {
            if (me.broker_down || row.since < too_old) {
                me.done.unknown.push_back(row.id);
                me.claims = true;
                continue;
            }
            batch.ids.push_back(row.id);
            batch.messages.push_back(std::move(row.message));
        }
        return batch;
    }

    // A process of this host that was killed left its claims behind: they need not run out.
    async::task<void> release_the_dead()
    {
        const auto body = [](db::transaction& tx) {
            std::vector<std::string> dead;
            for (const auto& row : tx.exec(claimers, host()))
                if (auto name = db::get<std::string>(row, "claimed_by"); owner_is_dead(name))
                    dead.push_back(std::move(name));
            return dead.empty() ? 0 : static_cast<int>(tx.exec(release, dead).affected_rows());
        };
        try {
            const int rows = co_await pool.transact(body);
            if (rows > 0)
                log::info("events left behind by a process that ended are sent", {{"rows", rows}});
        }
        catch (const std::exception& e) {
            log::debug("claims of ended processes run out by themselves", {{"error", e.what()}});
        }
    }

    // Writes the last batch down and claims the next one, in one transaction; one of the two alone is one
    // statement, a round trip instead of three. Crash before its COMMIT: the claims run out and the sent rows
    // are sent again under the same message_id. `most` = 0: claims nothing.
    async::task<claimed> settle(lane& me, int most)
    {
        const bool alone = !me.lost_track && (most > 0 ? me.done.empty() : me.done.only_sent());
        const auto body = [this, &me, most](db::transaction& tx) {
            const std::vector<std::string> names{me.name, handed->terms().name};
            if (me.lost_track)
                tx.exec(release, std::vector<std::string>{me.name});
            if (!me.done.sent.empty())
                tx.exec(delete_sent, me.done.sent);
            if (!me.done.unknown.empty())
                tx.exec(give_back, me.done.unknown, 0, names);
            if (!me.done.refused.empty())
                tx.exec(give_back, me.done.refused, options.refused_pause.count(), names);
            if (most == 0)
                return claimed{};
            return read_rows(
                tx.exec(claim_rows, me.name, std::chrono::milliseconds(options.claim).count(), most));
        };
        std::string fault;
        try {
            claimed batch;
            if (alone) // g++ 12: no co_await in a conditional expression
                batch = co_await pool.autocommit(body);
            else
                batch = co_await pool.transact(body);
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

    // Notes what became of the batch; how many the broker took.
    std::size_t count(
        lane& me, const std::vector<std::int64_t>& ids, const std::vector<events::delivery>& outcomes)
    {
        settlement now;
        for (std::size_t i = 0; i < ids.size(); ++i) {
            const auto outcome = i < outcomes.size() ? outcomes[i] : events::delivery::unknown;
            if (outcome == events::delivery::confirmed)
                now.sent.push_back(ids[i]);
            else if (outcome == events::delivery::refused)
                now.refused.push_back(ids[i]);
            else
                now.unknown.push_back(ids[i]);
        }
        batches.increment();
        sent.increment(static_cast<double>(now.sent.size()));
        if (!now.unknown.empty())
            unknown.increment(static_cast<double>(now.unknown.size()));
        if (!now.refused.empty()) {
            refused.increment(static_cast<double>(now.refused.size()));
            log::warning("the broker refused events; they are kept and sent again",
                {{"rows", static_cast<std::int64_t>(now.refused.size())},
                    {"first_outbox_id", now.refused.front()}});
        }
        const auto add = [](auto& to, const auto& from) { to.insert(to.end(), from.begin(), from.end()); };
        add(me.done.sent, now.sent);
        add(me.done.unknown, now.unknown);
        add(me.done.refused, now.refused);
        return now.sent.size();
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
            pending = pending || !is_empty; // some may be nobody's: another process wrote or left them
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
    std::shared_ptr<handover> handed;
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
    impl_->connect();
}

relay::~relay() = default;

async::task<void> relay::start()
{
    if (impl_->started)
        co_return;
    impl_->started = true;
    impl_->handed->open(true);
    for (auto& one : impl_->lanes)
        impl_->background.spawn("outbox lane", [self = impl_, me = one.get()] { return self->run(*me); });
}

async::task<void> relay::stop()
{
    const auto self = impl_;
    self->handed->open(false);
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
