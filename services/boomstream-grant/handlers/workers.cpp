#include "handlers/workers.hpp"

#include "clients/boomstream_answers.hpp"
#include "coursegate/base/backoff.hpp"
#include "coursegate/log/log.hpp"
#include "coursegate/metrics/metrics.hpp"
#include "storage/health.hpp"
#include "storage/marks.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <stdexcept>
#include <unordered_map>

namespace coursegate::boomstream_grant {

namespace {

using steady = std::chrono::steady_clock;

constexpr std::chrono::seconds loop_is_stuck{60};
constexpr std::chrono::seconds everybody_within{3600};
constexpr int stale_at_once = 2000;
constexpr std::chrono::seconds health_is_noted{2}; // then a success is worth writing down again
constexpr std::size_t findings_kept = 1000;
constexpr std::chrono::milliseconds in_a_moment{3};
constexpr std::chrono::seconds default_pause{1}; // "too many requests" without saying for how long

// Another instance has taken the audit up.
struct claim_is_lost : std::runtime_error
{
    claim_is_lost() : std::runtime_error("the audit's claim ran out, another instance has it") {}
};

base::backoff slow_down()
{
    return base::backoff({std::chrono::milliseconds(100), std::chrono::seconds(5)});
}

} // namespace

workers::workers(
    async::executor ex, db::pool& db, const base::keyring& keys, video_provider& provider, worker_settings s)
    : executor_(ex), db_(db), keys_(keys), provider_(provider), settings_(s), fresh_(ex, lane::fresh),
      backfill_(ex, lane::backfill), unknown_wake_(std::make_shared<async::signal>(ex)),
      audit_wake_(std::make_shared<async::signal>(ex)),
      budget_(
          db, s.budget, [&provider] { return provider.circuit(); }, [this] { wake_lanes(); }),
      answers_(ex, 200, [this](std::vector<call_result> results) { return settle(std::move(results)); }),
      loops_(ex), calls_(ex)
{
    db.on_commit(fresh_topic, [wake = fresh_.wake] { wake->set(); });
    db.on_commit(backfill_topic, [wake = backfill_.wake] { wake->set(); });
    db.on_commit(audits_topic, [wake = audit_wake_] { wake->set(); });
}

workers::~workers() = default;

async::task<void> workers::start()
{
    loops_.spawn("fresh lane", [this] { return lane_loop(lane::fresh); });
    loops_.spawn("backfill lane", [this] { return lane_loop(lane::backfill); });
    loops_.spawn("unclear", [this] { return unclear_loop(); });
    loops_.spawn("audits", [this] { return audit_loop(); });
    co_return;
}

async::task<void> workers::stop()
{
    stopping_ = true;
    wake_lanes();
    unknown_wake_->set();
    audit_wake_->set();
    co_await loops_.close(false);
    co_await calls_.close(false);
}

async::health workers::check() const
{
    async::health h;
    h.last_work = last_work_;
    const auto now = steady::now();
    for (const auto* s : {&fresh_, &backfill_})
        if (!stopping_ && now - s->last_turn > loop_is_stuck) {
            h.ok = false;
            h.detail = "the " + std::string(to_string(s->way)) + " lane has not come round for a minute";
        }
    return h;
}

void workers::wake_lanes()
{
    fresh_.wake->set();
    backfill_.wake->set();
}

// --- Lanes
// ----------------------------------------------------------------------------------------------------------

async::task<void> workers::lane_loop(lane way)
{
    auto& s = of(way);
    auto pause = slow_down();
    bool more = true;
    while (!stopping_) {
        std::chrono::milliseconds rest{0};
        try {
            bool work = true;
            bool idle = false; // nothing woke us: one cheap look tells whether there is anything to do
            if (!more) {
                const std::chrono::microseconds poll = settings_.poll;
                const bool booked = s.retry_in.count() > 0;
                const bool woken = co_await s.wake->wait_for(booked ? std::min(s.retry_in, poll) : poll);
                if (stopping_)
                    break;
                idle = !woken && !booked;
            }
            // A call that becomes due wakes nobody, and a lane that is kept awake never waits for long
            // enough.
            const bool poll_now = steady::now() >= s.next_poll;
            if (poll_now)
                s.next_poll = steady::now() + settings_.poll;
            if (idle) {
                work = co_await anything_waits(way);
                s.calls_may_wait = s.calls_may_wait || work;
            }
            else if (poll_now)
                s.calls_may_wait = true;
            more = work && co_await turn(s);
            s.last_turn = steady::now();
            last_work_ = base::now();
            pause.reset();
        }
        catch (const base::dependency_down& e) {
            if (pause.failures() == 0)
                log::warning(
                    "the workers wait for the database", {{"lane", to_string(way)}, {"error", e.what()}});
            rest = pause.next();
        }
        catch (const std::exception& e) {
            if (stopping_)
                break;
            // Nothing is lost: what was named is still named. Slowly, so that a bug does not become a storm.
            log::error("a worker's round failed", {{"lane", to_string(way)}, {"error", e.what()}});
            metrics::get_counter("coursegate_worker_failures_total",
                "Rounds of a worker that ended with an exception", {{"lane", std::string(to_string(way))}})
                .increment();
            rest = pause.next();
        }
        if (rest.count() > 0) {
            more = true;
            co_await s.wake->wait_for(rest);
        }
    }
}

async::task<bool> workers::anything_waits(lane way)
{
    auto body = [way](db::transaction& tx) { return boomstream_grant::anything_waits(tx, way); };
    co_return co_await db_.transact(body);
}

// True: come again at once.
async::task<bool> workers::turn(side& s)
{
    const int students =
        s.way == lane::fresh ? settings_.students_at_once : std::max(1, settings_.students_at_once / 4);
    const auto permit = co_await budget_.take(s.way, students, true);
    const bool look = s.calls_may_wait;
    s.calls_may_wait = false; // whoever finds new ones while the transaction runs says so again
    round r;
    try {
        const auto claim = asked_for();
        auto body = [this, &s, &permit, students, look, claim](db::transaction& tx) {
            return reconcile_round(tx, books_, keys_, s.way, students, permit.calls, look, claim);
        };
        r = co_await db_.transact(body);
    }
    catch (...) {
        // In doubt: should the claim have been committed, its asked_until passes and the list is read back.
        budget_.unused(s.way, permit.calls);
        s.calls_may_wait = true;
        throw;
    }
    books_.keep(std::move(r.books));
    count(r.confirmed);
    const int made = static_cast<int>(r.calls.size());
    start_calls(s.way, std::move(r.calls));
    budget_.unused(s.way, permit.calls - made);
    s.calls_may_wait = s.calls_may_wait || r.more_calls;
    s.retry_in = r.more_calls ? permit.retry_in : std::chrono::microseconds{0};
    if (r.some_busy || (r.more_calls && permit.calls > 0 && made == 0))
        s.retry_in = in_a_moment;
    if (s.way == lane::fresh)
        budget_.fresh_waits(s.calls_may_wait);
    else if (r.fresh_calls_wait) {
        fresh_.calls_may_wait = true;
        fresh_.wake->set();
    }
    co_return r.more_students || (r.more_calls && made > 0);
}

// --- Calls
// ----------------------------------------------------------------------------------------------------------

void workers::start_calls(lane way, std::vector<call> calls)
{
    for (auto& c : calls) {
        c.way = way; // whose permit it holds
        calls_.spawn("call", [this, c = std::move(c)] { return make(c); });
    }
}

// Crash before the request is sent, while it is under way, or before its answer is written down:
// buyers.asked_until passes and unclear_loop of some instance finds out. Never a blind second call.
async::task<void> workers::make(call c)
{
    call_result r;
    const auto way = c.way;
    access what = std::move(c.what);
    r.made = std::move(c);
    r.made.what = access{};
    r.made.what.subscription = what.subscription;
    try {
        switch (r.made.kind) {
        case call_kind::grant: {
            const auto got = co_await provider_.grant(std::move(what));
            if (got.has_value())
                r.ends_at = got->ends_at;
            else
                r.refused = got.error();
            break;
        }
        case call_kind::extend: {
            const auto got = co_await provider_.extend(std::move(what));
            if (got.has_value())
                r.ends_at = got->ends_at;
            else
                r.refused = got.error();
            break;
        }
        case call_kind::revoke: {
            const auto got = co_await provider_.revoke(
                std::move(what.api_key), std::move(what.subscription), std::move(what.hash));
            if (!got.has_value())
                r.refused = got.error();
            break;
        }
        }
    }
    catch (const std::exception& e) {
        // A bug in a client must not leave us guessing less than we know: it may have been sent.
        log::error(
            "a call to Boomstream failed unexpectedly", {{"buyer_id", r.made.buyer_id}, {"error", e.what()}});
        refusal unexpected;
        unexpected.message = "the call failed unexpectedly";
        r.refused = unexpected;
    }
    std::optional<std::chrono::milliseconds> rest;
    if (r.refused && r.refused->code == outcome::busy) {
        rest = std::clamp<std::chrono::milliseconds>(r.refused->wait.value_or(default_pause),
            std::chrono::milliseconds(100), std::chrono::minutes(10));
        r.refused->wait = rest;
        budget_.pause(*rest);
    }
    budget_.finished(way);
    if (r.refused)
        log::debug("Boomstream did not take a call",
            {{"buyer_id", r.made.buyer_id}, {"kind", to_string(r.made.kind)},
                {"outcome", to_string(r.refused->code)}, {"message", r.refused->message}});
    if (rest && settings_.budget.rate > 0) {
        try {
            auto body = [d = *rest](db::transaction& tx) { pause_calls(tx, d); };
            co_await db_.transact(body);
        }
        catch (const base::dependency_down&) {
            // This instance pauses by itself; the others will be told by Boomstream.
        }
    }
    co_await answers_.add(std::move(r));
}

async::task<void> workers::settle(std::vector<call_result> results)
{
    auto pause = slow_down();
    for (int tries = 1;; ++tries) {
        try {
            std::set<std::int64_t> lately;
            for (const auto& [course, at] : noted_)
                if (steady::now() - at < health_is_noted)
                    lately.insert(course);
            auto body = [&results, &lately](
                            db::transaction& tx) { return settle_calls(tx, results, lately); };
            const auto done = co_await db_.transact(body);
            after(done);
            co_return;
        }
        catch (const base::dependency_down& e) {
            // In doubt or not written at all: writing it again changes nothing that is written. When the
            // daemon stops first, asked_until passes and the list tells.
            if (tries == 1)
                log::warning(
                    "answers wait for the database", {{"answers", results.size()}, {"error", e.what()}});
            if (stopping_ && tries > 3)
                throw;
        }
        co_await async::sleep_for(pause.next());
    }
}

void workers::after(const settling& s)
{
    last_work_ = base::now();
    count(s.confirmed);
    for (const auto id : s.good)
        noted_[id] = steady::now();
    for (const auto id : s.bad)
        noted_.erase(id);
    if (s.unknown)
        unknown_wake_->set();
    if (s.calls_wait) {
        fresh_.calls_may_wait = backfill_.calls_may_wait = true;
        wake_lanes();
    }
}

// --- Unknown outcomes
// -----------------------------------------------------------------------------------------------

// Calls of unknown outcome, and courses whose key did not work.
async::task<void> workers::unclear_loop()
{
    auto pause = slow_down();
    while (!stopping_) {
        std::chrono::milliseconds rest{0};
        co_await unknown_wake_->wait_for(settings_.poll);
        if (stopping_)
            break;
        try {
            auto body = [](db::transaction& tx) { return look(tx); };
            const auto what = co_await db_.transact(body);
            if (what.calls)
                co_await read_back_all();
            if (what.courses)
                co_await probe_all();
            pause.reset();
        }
        catch (const base::dependency_down&) {
            rest = pause.next();
        }
        catch (const std::exception& e) {
            log::error("looking for unknown outcomes failed", {{"error", e.what()}});
            rest = pause.next();
        }
        if (rest.count() > 0)
            co_await async::sleep_for(rest);
    }
}

async::task<void> workers::read_back_all()
{
    auto body = [this](db::transaction& tx) { return find_unknown(tx, keys_); };
    auto all = co_await db_.transact(body);
    for (auto& u : all)
        if (reading_.insert(u.subscription).second)
            calls_.spawn("read back", [this, u = std::move(u)] { return read_back_one(u); });
}

async::task<void> workers::probe_all()
{
    auto body = [this](db::transaction& tx) { return take_probes(tx, keys_, read_courses(tx)); };
    auto due = co_await db_.transact(body);
    for (auto& p : due)
        calls_.spawn(
            "probe", [this, p = std::move(p)] { return probe_one(p.course_id, p.api_key, p.subscription); });
}

// A list counts as a fresh call: somebody's video hangs on it. False: none to be had in time, or stopping.
async::task<bool> workers::wait_for_permit()
{
    const auto until = steady::now() + std::chrono::seconds(10);
    while (!stopping_ && steady::now() < until) {
        const auto p = co_await budget_.take(lane::fresh, 1, true);
        if (p.calls == 1)
            co_return true;
        const std::chrono::microseconds a_while = std::chrono::milliseconds(20);
        co_await async::sleep_for(std::max(p.retry_in, a_while));
    }
    co_return false;
}

// The permit first: the subscription's 5 s begin when its list is asked for, not when it may wait for a
// permit.
async::task<void> workers::read_back_one(unclear_list u)
{
    struct done_reading
    {
        std::set<std::string>& all;
        std::string subscription;
        ~done_reading() { all.erase(subscription); }
    };
    const done_reading done_with_it{reading_, u.subscription};

    const bool may = co_await wait_for_permit();
    if (!may)
        co_return;
    std::vector<unknown_call> calls;
    try {
        auto take = [this, &u](db::transaction& tx) { return take_unknown(tx, keys_, u); };
        calls = co_await db_.transact(take);
    }
    catch (...) {
        budget_.unused(lane::fresh, 1);
        throw;
    }
    if (calls.empty()) {
        budget_.unused(lane::fresh, 1);
        co_return;
    }
    auto key = u.api_key;
    auto listed = co_await provider_.list(std::move(key), u.subscription);
    budget_.finished(lane::fresh);
    if (!listed.has_value() && listed.error().code == outcome::rejected && listed.error().needs_person)
        // Boomstream does not know the subscription: nobody is in it. What is asked for again is refused with
        // the reason.
        listed = std::vector<listed_buyer>();
    if (!listed.has_value()) {
        const auto why = listed.error();
        log::warning("Boomstream's list could not be read",
            {{"course_id", u.course_id}, {"subscription", u.subscription}, {"outcome", to_string(why.code)},
                {"message", why.message}});
        if (why.code == outcome::misconfigured) {
            const std::map<std::int64_t, std::string> bad{{u.course_id, why.message}};
            auto body = [&bad](db::transaction& tx) { note_health(tx, {}, bad); };
            co_await db_.transact(body);
            noted_.erase(u.course_id);
        }
        co_return;
    }
    std::unordered_map<std::string, const listed_buyer*> there;
    for (const auto& b : *listed)
        there.emplace(b.hash.expose(), &b);
    std::vector<read_back> all;
    int present = 0;
    for (const auto& c : calls) {
        read_back r;
        r.call = c;
        if (const auto it = there.find(answers::plain_hash(c.hash.expose())); it != there.end()) {
            r.there = *it->second;
            ++present;
        }
        all.push_back(std::move(r));
    }
    auto body = [&all](db::transaction& tx) { return settle_unknown(tx, all); };
    const auto done = co_await db_.transact(body);
    log::info("unknown outcomes read back", {{"course_id", u.course_id}, {"subscription", u.subscription},
                                                {"unknown", calls.size()}, {"present", present}});
    metrics::get_counter(
        "coursegate_calls_read_back_total", "Calls of unknown outcome that Boomstream's list resolved")
        .increment(static_cast<double>(calls.size()));
    after(done);
}

// --- Timers
// ---------------------------------------------------------------------------------------------------------

async::task<void> workers::name_unfinished()
{
    auto body = [](db::transaction& tx) { mark_unfinished(tx); };
    co_await db_.transact(body);
}

async::task<void> workers::name_stale()
{
    auto body = [](db::transaction& tx) { mark_stale(tx, everybody_within, stale_at_once); };
    co_await db_.transact(body);
}

async::task<void> workers::order_daily_audits()
{
    auto body = [](db::transaction& tx) { add_daily_audits(tx); };
    co_await db_.transact(body);
}

async::task<void> workers::report()
{
    const auto circuit = provider_.circuit();
    const auto rate = settings_.budget.rate;
    struct numbers
    {
        waiting grants;
        std::pair<int, int> students;
    };
    auto body = [this, &circuit, rate](db::transaction& tx) {
        report_provider(tx, circuit, rate);
        check_keys(tx, keys_, read_courses(tx));
        numbers n;
        n.grants = count_waiting(tx);
        n.students = count_marks(tx);
        return n;
    };
    const auto n = co_await db_.transact(body);
    static auto& fresh = metrics::get_gauge(
        "coursegate_grants_waiting", "Grants not confirmed yet, by lane", {{"lane", "fresh"}});
    static auto& backfill = metrics::get_gauge(
        "coursegate_grants_waiting", "Grants not confirmed yet, by lane", {{"lane", "backfill"}});
    static auto& fresh_students = metrics::get_gauge(
        "coursegate_students_waiting", "Students named and not looked at yet, by lane", {{"lane", "fresh"}});
    static auto& backfill_students = metrics::get_gauge("coursegate_students_waiting",
        "Students named and not looked at yet, by lane", {{"lane", "backfill"}});
    static auto& bad = metrics::get_gauge(
        "coursegate_courses_without_boomstream", "Courses whose Boomstream key does not work");
    fresh.set(n.grants.fresh);
    backfill.set(n.grants.backfill);
    bad.set(n.grants.bad_courses);
    fresh_students.set(n.students.first);
    backfill_students.set(n.students.second);
}

// One call that changes nothing: does the key work again?
async::task<void> workers::probe_one(std::int64_t course_id, base::secret key, std::string subscription)
{
    if (!subscription.empty()) {
        if (!co_await wait_for_permit())
            co_return;
        const auto listed = co_await provider_.list(std::move(key), std::move(subscription));
        budget_.finished(lane::fresh);
        // Anything Boomstream says about the subscription proves that it knows the key.
        if (!listed.has_value() && listed.error().code != outcome::rejected) {
            if (listed.error().code == outcome::misconfigured) {
                const std::map<std::int64_t, std::string> bad{{course_id, listed.error().message}};
                auto note = [&bad](db::transaction& tx) { note_health(tx, {}, bad); };
                co_await db_.transact(note);
                noted_.erase(course_id);
            }
            co_return;
        }
    }
    const std::set<std::int64_t> good{course_id};
    auto note = [&good](db::transaction& tx) { note_health(tx, good, {}); };
    co_await db_.transact(note);
    log::info("the course's Boomstream key works again", {{"course_id", course_id}});
    fresh_.calls_may_wait = backfill_.calls_may_wait = true;
    wake_lanes();
}

// --- Audits
// ---------------------------------------------------------------------------------------------------------

async::task<void> workers::audit_loop()
{
    while (!stopping_) {
        co_await audit_wake_->wait_for(std::chrono::seconds(10));
        bool more = true;
        while (more && !stopping_) {
            more = false;
            try {
                auto body = [this](db::transaction& tx) { return take_audit(tx, keys_, audit_claim()); };
                auto next = co_await db_.transact(body);
                if (next) {
                    co_await audit(std::move(*next));
                    more = true;
                }
            }
            catch (const base::dependency_down&) {
                // Its claim runs out, and some instance starts it again.
            }
            catch (const claim_is_lost& e) {
                log::warning("an audit is left to another instance", {{"reason", e.what()}});
            }
            catch (const std::exception& e) {
                if (!stopping_)
                    log::error("an audit failed", {{"error", e.what()}});
            }
        }
    }
}

// Longer than anything between two renewals.
std::chrono::seconds workers::audit_claim() const
{
    return std::chrono::seconds(120) + std::chrono::ceil<std::chrono::seconds>(settings_.call_deadline);
}

async::task<answer<std::vector<listed_buyer>>> workers::list_for_audit(
    audit_order a, base::secret key, std::string subscription)
{
    refusal last;
    last.message = "no call was to be had in time";
    int asked = 0;
    for (int waits = 0; waits < 60 && asked < 4 && !stopping_; ++waits) {
        const bool may = co_await wait_for_permit();
        bool slot = false;
        bool mine = false;
        try {
            auto body = [&](db::transaction& tx) {
                mine = renew_audit(tx, a, audit_claim());
                slot = mine && may && take_list_slot(tx, subscription);
            };
            co_await db_.transact(body);
        }
        catch (...) {
            budget_.unused(lane::fresh, may ? 1 : 0);
            throw;
        }
        if (!slot) {
            budget_.unused(lane::fresh, may ? 1 : 0);
            if (!mine)
                throw claim_is_lost();
            co_await audit_wake_->wait_for(std::chrono::seconds(1));
            continue;
        }
        ++asked;
        auto again = key;
        auto code = subscription;
        auto listed = co_await provider_.list(std::move(again), std::move(code));
        budget_.finished(lane::fresh);
        if (listed.has_value() || listed.error().code == outcome::rejected ||
            listed.error().code == outcome::misconfigured)
            co_return listed;
        last = listed.error();
    }
    co_return last;
}

// Subscription by subscription: their list, then our rows, then the difference. What changed on our side
// after the list was asked for is left out of it. A crash in the middle: the claim runs out and the audit
// starts again, with what is left of its budget.
async::task<void> workers::audit(audit_start a)
{
    audit_end end;
    int budget = a.order.dry_run ? 0 : std::max(0, a.order.budget - a.order.repaired);
    end.repaired = a.order.repaired;
    auto kept = nlohmann::json::array();
    std::size_t left_out = 0;
    std::string problem;
    const auto key = open_key(keys_, a.course, problem);
    for (const auto& subscription : a.subscriptions) {
        const auto asked_at = co_await db_.transact(audit_clock);
        auto order = a.order;
        auto again = key;
        auto code = subscription;
        const auto listed = co_await list_for_audit(std::move(order), std::move(again), std::move(code));
        if (stopping_)
            co_return; // taken up again when the claim has run out
        if (!listed.has_value()) {
            const auto& why = listed.error();
            if (why.code ==
                outcome::rejected) // a subscription Boomstream does not know: a finding, not an end
            {
                kept.push_back(
                    {{"kind", "unreadable"}, {"subscription", subscription}, {"detail", why.message}});
                continue;
            }
            end.failed = "The list of subscription " + subscription + " could not be read: " + why.message;
            break;
        }
        struct compared
        {
            std::vector<finding> findings;
            std::vector<bool> repaired;
            int repairs = 0;
        };
        auto work = [&](db::transaction& tx) {
            compared c;
            c.findings = compare(read_our_buyers(tx, keys_, subscription, a.course, asked_at), *listed);
            c.repaired.assign(c.findings.size(), false);
            std::vector<finding> chosen;
            for (std::size_t i = 0; i < c.findings.size() && static_cast<int>(chosen.size()) < budget; ++i)
                if (c.findings[i].can_repair) {
                    chosen.push_back(c.findings[i]);
                    c.repaired[i] = true;
                }
            if (!chosen.empty()) {
                c.repairs = repair(tx, chosen, a.course);
                const bool mine = count_repairs(tx, a.order, c.repairs);
                if (!mine)
                    throw claim_is_lost(); // and the repairs with it
            }
            return c;
        };
        const auto c = co_await db_.transact(work);
        budget -= c.repairs;
        end.repaired += c.repairs;
        for (std::size_t i = 0; i < c.findings.size(); ++i) {
            const auto& f = c.findings[i];
            end.missing += f.kind == finding_kind::missing;
            end.extra += f.kind == finding_kind::extra;
            end.wrong_end += f.kind == finding_kind::wrong_end;
            if (kept.size() >= findings_kept) {
                ++left_out;
                continue;
            }
            nlohmann::json j = {{"kind", to_string(f.kind)}, {"subscription", subscription},
                {"detail", f.detail}, {"repaired", static_cast<bool>(c.repaired[i])}};
            if (f.user_id)
                j["user_id"] = base::to_string(*f.user_id);
            if (f.buyer_id)
                j["buyer_ref"] = base::to_string(*f.buyer_id);
            if (!f.email.empty())
                j["email"] = f.email;
            kept.push_back(std::move(j));
        }
        if (c.repairs > 0) {
            backfill_.calls_may_wait = true;
            wake_lanes();
        }
    }
    if (left_out > 0)
        kept.push_back(
            {{"kind", "more"}, {"detail", std::to_string(left_out) + " more findings are not listed."}});
    end.findings = kept.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    const int daily = settings_.daily_audit_budget;
    auto finish = [&a, &end, daily](db::transaction& tx) { end_audit(tx, a.order, end, daily); };
    co_await db_.transact(finish);
    log::info("audit done", {{"course_id", a.order.course_id}, {"dry_run", a.order.dry_run},
                                {"missing", end.missing}, {"extra", end.extra}, {"wrong_end", end.wrong_end},
                                {"repaired", end.repaired}, {"failed", end.failed.value_or("")}});
}

} // namespace coursegate::boomstream_grant
