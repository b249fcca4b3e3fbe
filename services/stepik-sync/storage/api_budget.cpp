#include "storage/api_budget.hpp"

#include "coursegate/db/transaction.hpp"
#include "coursegate/log/log.hpp"
#include "coursegate/metrics/metrics.hpp"

#include <algorithm>

namespace coursegate::stepik_sync {

namespace {

constexpr db::statement take_slot{"learning.take_api_slot",
    "select ticket, wait_us from take_api_slot($1::text, $2::double precision, $3::int, $4::boolean, "
    "$5::bigint * interval '1 millisecond', $6::bigint[])"};
constexpr db::statement pause_calls{"learning.pause_api",
    "update api_budget set paused_until = greatest(paused_until, clock_timestamp() + $1::bigint * interval "
    "'1 millisecond') "
    "where name = 'stepik'"};

struct taken
{
    std::int64_t ticket = 0; // 0: not now
    std::chrono::microseconds wait{0};
};

// A waiter looks again after this long whatever it was told: another instance may have been killed.
constexpr std::chrono::microseconds longest_wait = std::chrono::seconds(5);

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
        : pool(p), options(std::move(s)), sweep(ex, "sweep"), urgent(ex, "urgent"), background(ex)
    {}

    db::pool& pool;
    settings options;
    queue sweep;
    queue urgent;
    async::gate background;
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
            return out;
        };
        co_return co_await pool.transact(body); // thrown: the tickets' leases run out
    }

    void give_back(std::int64_t ticket)
    {
        done.push_back(ticket);
        if (inside > 0) {
            sweep.freed.set();
            urgent.freed.set();
        }
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
        hold(std::shared_ptr<impl> o, std::int64_t t) : owner(std::move(o)), ticket(t) {}
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

async::task<call_permit> api_budget::enter(lane l)
{
    const auto self = impl_;
    impl::queue& q = l == lane::urgent ? self->urgent : self->sweep;
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
        co_await q.freed.wait_for(std::clamp(t.wait, std::chrono::microseconds(500), longest_wait));
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
    impl_->sweep.freed.set();
    impl_->urgent.freed.set();
}

async::task<void> api_budget::close()
{
    refuse();
    co_await impl_->background.close(false);
}

} // namespace coursegate::stepik_sync
