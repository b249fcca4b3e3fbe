#include "storage/api_budget.hpp"

#include "coursegate/db/transaction.hpp"
#include "coursegate/log/log.hpp"
#include "coursegate/metrics/metrics.hpp"

#include <algorithm>
#include <set>

namespace coursegate::stepik_sync {

namespace {

constexpr db::statement take_slot{"learning.take_api_slot",
    "select ticket, wait_us, (select greatest(0, extract(epoch from paused_until - clock_timestamp()) * "
    "1000000)::bigint from api_budget where name = 'stepik' and isfinite(paused_until)) as quiet_us "
    "from take_api_slot($1::text, $2::double precision, $3::int, $4::boolean, "
    "$5::bigint * interval '1 millisecond', $6::bigint[])"};
// Not the ones that were given back meanwhile.
constexpr db::statement keep_slots{"learning.keep_api_slots",
    "update api_slots set held_until = greatest(held_until, clock_timestamp() + $2::bigint * interval '1 "
    "millisecond') "
    "where ticket = any ($1::bigint[]) and held_until > '-infinity'"};
constexpr db::statement pause_calls{"learning.pause_api",
    "update api_budget set paused_until = greatest(paused_until, clock_timestamp() + $1::bigint * interval "
    "'1 millisecond') "
    "where name = 'stepik'"};

struct taken
{
    std::int64_t ticket = 0; // 0: not now
    std::chrono::microseconds wait{0};
    std::chrono::microseconds quiet{0}; // what is left of a pause
};

// A waiter looks again after this long whatever it was told: another instance may have been killed.
constexpr std::chrono::microseconds longest_wait = std::chrono::seconds(5);

// Pauses up to this length are waited out; a person is told at once.
std::chrono::microseconds quiet_worth_waiting(lane l)
{
    return std::chrono::seconds(l == lane::urgent ? 2 : 5);
}

} // namespace

struct api_budget::impl : std::enable_shared_from_this<impl>
{
    // In each lane one coroutine asks the database, the others queue up behind it: a backlog of pages is not
    // a backlog of statements.
    struct queue
    {
        queue(const async::executor& ex, const char* name)
            : turn(ex, 1), freed(ex),
              waited(metrics::get_histogram("coursegate_stepik_budget_wait_seconds",
                  "Time calls to Stepik waited for the shared budget", {{"lane", name}}))
        {}
        async::semaphore turn;
        async::signal freed;
        metrics::histogram& waited;
    };

    impl(async::executor ex, db::pool& p, settings s)
        : pool(p), options(std::move(s)), sweep(ex, "sweep"), structure(ex, "structure"),
          urgent(ex, "urgent"), background(ex), keep_now(ex)
    {}

    queue& of(lane l) { return l == lane::urgent ? urgent : l == lane::structure ? structure : sweep; }

    db::pool& pool;
    settings options;
    queue sweep;
    queue structure;
    queue urgent;
    async::gate background;
    async::signal keep_now;      // ends the keeper's rest
    std::set<std::int64_t> held; // tickets of calls in flight
    bool keeping = false;
    bool closing = false;
    std::vector<std::int64_t> done; // tickets to give back
    int inside = 0;                 // coroutines in enter(): each statement of theirs gives back as well
    bool flushing = false;
    bool refusing = false;

    async::task<taken> ask(bool is_urgent, int slots)
    {
        const auto finished = std::exchange(done, {});
        const auto body = [&](db::transaction& tx) {
            const auto row = tx.exec(take_slot, options.holder, options.requests_per_second, slots, is_urgent,
                static_cast<std::int64_t>(options.lease.count()), finished)[0];
            taken out;
            out.ticket = db::get<std::int64_t>(row, "ticket");
            out.wait = std::chrono::microseconds(db::get<std::int64_t>(row, "wait_us"));
            out.quiet =
                std::chrono::microseconds(db::get_optional<std::int64_t>(row, "quiet_us").value_or(0));
            return out;
        };
        co_return co_await pool.autocommit(body); // thrown or in doubt: the tickets' leases run out
    }

    void wake()
    {
        sweep.freed.set();
        structure.freed.set();
        urgent.freed.set();
    }

    // One keeper renews the leases of all calls in flight, as long as there are any.
    void keep()
    {
        if (!keeping)
            keeping = background.spawn(
                "stepik-sync.keep_slots", [self = shared_from_this()] { return keep_all(self); });
    }

    static async::task<void> keep_all(std::shared_ptr<impl> self)
    {
        while (!self->held.empty() && !self->closing) {
            co_await self->keep_now.wait_for(self->options.lease / 3);
            const std::vector<std::int64_t> tickets(self->held.begin(), self->held.end());
            if (tickets.empty() || self->closing)
                break;
            const auto lease = static_cast<std::int64_t>(self->options.lease.count());
            const auto body = [&](db::transaction& tx) { tx.exec(keep_slots, tickets, lease); };
            try {
                co_await self->pool.transact(body);
            }
            catch (const std::exception& e) {
                log::debug("slots of the Stepik budget could not be renewed", {{"error", e.what()}});
            }
        }
        self->keeping = false;
    }

    void give_back(std::int64_t ticket)
    {
        held.erase(ticket);
        done.push_back(ticket);
        if (inside > 0)
            wake();
        else
            flush();
    }

    void flush()
    {
        if (flushing || done.empty())
            return;
        flushing = true;
        const bool started = background.spawn(
            "stepik-sync.give_back_slots", [self = shared_from_this()] { return give_back_all(self); });
        if (!started)
            flushing = false; // closing: the leases run out
    }

    static async::task<void> give_back_all(std::shared_ptr<impl> self)
    {
        try {
            while (!self->done.empty() && self->inside == 0)
                co_await self->ask(false, 0);
        }
        catch (const base::dependency_down& e) {
            log::debug("slots of the Stepik budget stay taken until their leases end", {{"error", e.what()}});
        }
        self->flushing = false;
    }

    struct hold
    {
        hold(std::shared_ptr<impl> o, std::int64_t t) : owner(std::move(o)), ticket(t)
        {
            owner->held.insert(ticket);
            owner->keep();
        }
        hold(const hold&) = delete;
        ~hold() { owner->give_back(ticket); }
        std::shared_ptr<impl> owner;
        std::int64_t ticket;
    };

    struct visit
    {
        explicit visit(impl& i) : owner(i) { ++owner.inside; }
        visit(const visit&) = delete;
        ~visit()
        {
            if (--owner.inside == 0)
                owner.flush();
        }
        impl& owner;
    };
};

api_budget::api_budget(async::executor ex, db::pool& pool, settings s)
    : impl_(std::make_shared<impl>(std::move(ex), pool, std::move(s)))
{}

api_budget::~api_budget() = default;

async::task<base::result<call_permit>> api_budget::enter(lane l)
{
    const auto self = impl_;
    impl::queue& q = self->of(l);
    const auto arrived = std::chrono::steady_clock::now();
    const auto patience = l == lane::structure ? self->options.structure_patience : self->options.patience;
    const impl::visit here{*self};
    const metrics::stopwatch watch{q.waited};
    const auto turn = co_await q.turn.acquire();
    for (;;) {
        if (self->refusing)
            throw base::dependency_down("the daemon is stopping: no new calls to Stepik");
        const taken t = co_await self->ask(l == lane::urgent, self->options.concurrency);
        if (t.ticket != 0) {
            auto hold = std::make_shared<impl::hold>(self, t.ticket);
            if (t.wait > std::chrono::milliseconds(1))
                co_await async::sleep_for(t.wait);
            co_return call_permit{std::move(hold)};
        }
        if (t.quiet > quiet_worth_waiting(l))
            co_return base::fail(stepik_errc::rate_limited,
                "Stepik asked for quiet, for another " + std::to_string(t.quiet.count() / 1'000'000) + " s");
        const auto left = std::chrono::duration_cast<std::chrono::microseconds>(
            arrived + patience - std::chrono::steady_clock::now());
        if (left.count() <= 0)
            co_return base::fail(stepik_errc::busy, "no call to Stepik came free in time");
        co_await q.freed.wait_for(
            std::clamp(std::min(t.wait, left), std::chrono::microseconds(500), longest_wait));
    }
}

async::task<void> api_budget::pause(std::chrono::milliseconds d)
{
    const auto ms = static_cast<std::int64_t>(d.count());
    const auto body = [ms](db::transaction& tx) { tx.exec(pause_calls, ms); };
    co_await impl_->pool.transact(body);
}

void api_budget::refuse()
{
    impl_->refusing = true;
    impl_->wake();
}

async::task<void> api_budget::close()
{
    refuse();
    impl_->closing = true;
    impl_->keep_now.set();
    co_await impl_->background.close(false);
}

} // namespace coursegate::stepik_sync
