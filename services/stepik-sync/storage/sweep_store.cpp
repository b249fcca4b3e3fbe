#include "storage/sweep_store.hpp"

#include "coursegate/db/lease.hpp"
#include "coursegate/db/transaction.hpp"
#include "coursegate/events/structure_sync_due.hpp"
#include "coursegate/events/sync_completed.hpp"
#include "coursegate/outbox/outbox.hpp"
#include "domain/sweep_plan.hpp"
#include "storage/course_columns.hpp"

#include <algorithm>

namespace coursegate::stepik_sync {

namespace {

constexpr const char* service = "stepik-sync";
constexpr const char* lease_name = "schedule";

// ---- the schedule
// --------------------------------------------------------------------------------------------

// Everything that is due, in one statement, because it runs every second and mostly finds nothing.
//  structure: never read, or its time has come, and nobody is at it. A message lost on its way is sent again
//  after 2 min. sweep:     its time has come and none is running. A new course's first sweep gives the
//  structure a chance to be first. page:      failed and has rested. stuck:     a sweep without progress.
//  request:   a "check me now" nobody answered: its message is parked.
constexpr db::statement find_due{"learning.find_due",
    "select 'structure' as kind, v.course_id, null::uuid as id, 0 as page "
    "from catalog.v_courses v left join courses c using (course_id) "
    "where v.state = 'connected' and (c.course_id is null or (c.structure_due_at <= now() "
    "  and coalesce(c.structure_asked_at < now() - interval '2 minutes', true) "
    "  and coalesce(c.structure_claimed_until < now(), true))) "
    "union all "
    "select 'sweep', v.course_id, null, 0 from catalog.v_courses v join courses c using (course_id) "
    "where v.state = 'connected' and c.sweep_due_at <= now() "
    "  and (c.structure_read_at is not null or c.structure_failures > 0 "
    "    or c.structure_asked_at < now() - interval '30 seconds') "
    "  and not exists (select from sweeps s where s.course_id = v.course_id and s.finished_at is null) "
    "union all "
    "select 'page', s.course_id, p.sweep_id, p.page from sweep_pages p join sweeps s using (sweep_id) "
    "where p.done_at is null and p.retry_at <= now() and s.finished_at is null "
    "union all "
    "select 'stuck', s.course_id, s.sweep_id, "
    "  extract(epoch from now() - greatest(s.last_progress_at, b.paused_until))::int "
    "from sweeps s join api_budget b on b.name = 'stepik' "
    "where s.finished_at is null and greatest(s.last_progress_at, b.paused_until) < now() - interval '60 "
    "seconds' "
    "union all "
    "select 'request', r.course_id, r.request_id, 0 from sync_requests r "
    "where r.finished_at is null and r.requested_at < now() - interval '15 minutes'"};

constexpr db::statement ask_structure{"learning.ask_structure",
    "insert into courses (course_id, structure_asked_at) values ($1::bigint, now()) "
    "on conflict (course_id) do update set structure_asked_at = now()"};

constexpr db::statement begin_sweep{"learning.begin_sweep",
    "update courses c set sweep_due_at = now() + coalesce(v.sweep_seconds, $2::int) "
    "  * interval '1 second' "
    "from catalog.v_courses v where c.course_id = $1::bigint and v.course_id = c.course_id "
    "returning c.last_page, c.learners_count, c.page_rows, c.last_sweep_good, c.first_sweep_done_at is null "
    "as is_first"};
// Pages of ended sweeps go here and not where a sweep ends: others may still be busy with one of them, and
// everybody locks pages before sweeps.
constexpr db::statement drop_old_pages{"learning.drop_old_pages",
    "delete from sweep_pages p using sweeps s "
    "where s.course_id = $1::bigint and s.finished_at is not null and p.sweep_id = s.sweep_id"};
constexpr db::statement insert_sweep{"learning.insert_sweep",
    "insert into sweeps (sweep_id, course_id, term, is_first, pages_expected, pages_scheduled) "
    "values ($1::uuid, $2::bigint, $3::bigint, $4::boolean, $5::int, $6::int)"};
constexpr db::statement insert_pages{"learning.insert_pages",
    "insert into sweep_pages (sweep_id, page) select $1::uuid, n from generate_series($2::int, $3::int) n "
    "on conflict do nothing"};

constexpr db::statement wake_page{"learning.wake_page",
    "update sweep_pages set retry_at = null where sweep_id = $1::uuid and page = $2::int"};
constexpr db::statement adopt_sweep{"learning.adopt_sweep",
    "update sweeps set term = $2::bigint, last_progress_at = now() where sweep_id = "
    "$1::uuid and finished_at is null"};
constexpr db::statement count_outstanding{"learning.count_outstanding",
    "select count(*)::int as pages from sweep_pages p join sweeps s using (sweep_id) "
    "where s.finished_at is null and p.done_at is null and p.page <= coalesce(s.last_page, p.page)"};
// Pages that somebody has claimed are being worked on; the claim of a killed instance runs out.
constexpr db::statement stuck_pages{"learning.stuck_pages",
    "update sweep_pages p set failures = p.failures + 1, retry_at = null from sweeps s "
    "where p.sweep_id = $1::uuid and s.sweep_id = p.sweep_id and p.done_at is null "
    "  and coalesce(p.claimed_until < now(), true) and p.page <= coalesce(s.last_page, p.page) "
    "returning p.page, p.failures"};

constexpr db::statement give_up_request{"learning.give_up_request",
    "update sync_requests set finished_at = now(), outcome = 'failed', detail = $2::text "
    "where request_id = $1::uuid and finished_at is null returning course_id, stepik_user_id, finished_at"};

// What nobody looks at any more. Once an hour is plenty.
constexpr db::statement purge_sweeps{"learning.purge_sweeps",
    "delete from sweeps s where s.finished_at < now() - interval '7 days' and s.started_at < "
    "  (select max(started_at) from sweeps l where l.course_id = s.course_id)"};
constexpr db::statement purge_requests{
    "learning.purge_requests", "delete from sync_requests where finished_at < now() - interval '90 days'"};
constexpr db::statement purge_checks{
    "learning.purge_checks", "delete from student_checks where asked_at < now() - interval '1 day'"};

// ---- pages
// ---------------------------------------------------------------------------------------------------

// The same message may claim again (it was delivered again after a crash), even when another leader took the
// sweep over meanwhile; another one may not while a claim stands.
constexpr db::statement claim_page{"learning.claim_page",
    "with claimed as ("
    "  update sweep_pages p set claimed_by = $3::uuid, claimed_until = now() + interval '15 minutes' from "
    "sweeps s "
    "  where p.sweep_id = $1::uuid and p.page = $2::int and s.sweep_id = p.sweep_id and s.finished_at is "
    "null "
    "    and (s.term <= $4::bigint or p.claimed_by = $3::uuid) and p.done_at is null and p.page <= "
    "coalesce(s.last_page, p.page) "
    "    and (p.claimed_until is null or p.claimed_until < now() or p.claimed_by = $3::uuid) "
    "  returning s.course_id, s.is_first) "
    "select c.course_id, c.is_first, clock_timestamp() as claimed_at, "
    "  coalesce(h.failed_calls > 0 or h.token_state <> 'ok', true) as unwell, " STEPIK_SYNC_COURSE_COLUMNS " "
    "from claimed c left join catalog.v_courses v using (course_id) left join course_health h using "
    "(course_id)"};

// Counts the page once, whoever comes second. The sweep's row is locked last and shortly.
constexpr db::statement page_done{"learning.page_done",
    "with done as ("
    "  update sweep_pages set done_at = now(), retry_at = null where sweep_id = $1::uuid and page = $2::int "
    "    and done_at is null returning 1) "
    "update sweeps s set pages_done = s.pages_done + (select count(*) from done), "
    "  rows_read = s.rows_read + $3::int * (select count(*) from done), "
    "  rows_changed = s.rows_changed + $4::int, rows_skipped = s.rows_skipped + $5::int * (select count(*) "
    "from done), "
    "  passes = s.passes + $6::int, last_progress_at = now(), "
    "  last_page = least(s.last_page, $7::int), pages_expected = greatest(s.pages_expected, $2::int) "
    "where s.sweep_id = $1::uuid and s.finished_at is null "
    "returning s.course_id, s.term, s.pages_expected, s.pages_scheduled, s.last_page, s.pages_done"};
constexpr db::statement extend_sweep{"learning.extend_sweep",
    "update sweeps set pages_scheduled = $2::int, pages_expected = greatest(pages_expected, $2::int) "
    "where sweep_id = $1::uuid"};
constexpr db::statement count_done{"learning.count_done",
    "select count(*)::int as pages from sweep_pages where sweep_id = $1::uuid and page <= $2::int "
    "and done_at is not null"};

constexpr db::statement end_sweep{"learning.end_sweep",
    "update sweeps set finished_at = now(), outcome = $2::text where sweep_id = $1::uuid and finished_at is "
    "null "
    "returning course_id, started_at, last_page, rows_read, rows_skipped, "
    "  extract(epoch from now() - started_at)::double precision as seconds"};
// absent_steps: gradable steps that were known before the sweep and that no row of it lists. Rows without any
// result (students who never opened the course) say nothing about them.
constexpr db::statement good_sweep{"learning.good_sweep",
    "with layouts as ("
    "  select distinct layout from enrolments where course_id = $1::bigint and last_read_at >= "
    "$2::timestamptz "
    "    and layout is not null), "
    "seen as ("
    "  select distinct unnest(r.step_ids) as step_id from row_layouts r join layouts using (layout) "
    "  where r.course_id = $1::bigint) "
    "update courses set first_sweep_done_at = coalesce(first_sweep_done_at, now()), "
    "  good_sweep_started_at = $2::timestamptz, good_sweep_ended_at = now(), last_page = $3::int, "
    "  last_sweep_good = true, students = $4::int, skipped_rows = $5::int, "
    "  structure_due_at = case when structure_failures > 0 then least(structure_due_at, now()) else "
    "structure_due_at end, "
    "  absent_steps = case when not exists (select from seen) then '{}' else array("
    "    select s.step_id from stepik_steps s join stepik_lessons l using (course_id, lesson_id) "
    "    where s.course_id = $1::bigint and s.gradable and s.vanished_at is null and l.vanished_at is null "
    "      and s.first_seen_at < $2::timestamptz and not exists (select from seen where seen.step_id = "
    "s.step_id) "
    "    order by s.step_id) end "
    "where course_id = $1::bigint"};
constexpr db::statement bad_sweep{
    "learning.bad_sweep", "update courses set last_sweep_good = false where course_id = $1::bigint"};
constexpr db::statement see_page_rows{"learning.see_page_rows",
    "update courses set page_rows = $2::int where course_id = $1::bigint and page_rows <> $2::int"};

constexpr db::statement lock_page{"learning.lock_page",
    "select failures from sweep_pages where sweep_id = $1::uuid and page = $2::int and "
    "done_at is null for update"};
constexpr db::statement page_failed{"learning.page_failed",
    "update sweep_pages set failures = $3::int, claimed_by = null, claimed_until = null, "
    "  retry_at = now() + $4::bigint * interval '1 second' where sweep_id = $1::uuid and page = $2::int"};
constexpr db::statement sweep_alive{"learning.sweep_alive",
    "update sweeps set last_progress_at = now() where sweep_id = $1::uuid and finished_at is null"};

constexpr db::statement look_before{"learning.look_before_page",
    "select coalesce(s.last_page < $2::int, false) or s.finished_at is not null as ends_before, "
    "  exists (select from sweep_pages p where p.sweep_id = s.sweep_id and p.page = $2::int - 1 "
    "    and p.done_at is not null) as is_promised "
    "from sweeps s where s.sweep_id = $1::uuid"};
constexpr db::statement postpone_page{"learning.postpone_page",
    "update sweep_pages p set claimed_by = null, claimed_until = null, "
    "  retry_at = greatest(b.paused_until, now() + interval '2 seconds') from api_budget b "
    "where p.sweep_id = $1::uuid and p.page = $2::int and p.done_at is null and b.name = 'stepik'"};

std::vector<events::envelope> page_events(const base::uuid& sweep_id, std::int64_t course_id,
    std::int64_t term, int first, int last, const events::cause& because)
{
    std::vector<events::envelope> out;
    for (int page = first; page <= last; ++page) {
        events::sweep_page_due e;
        e.sweep_id = sweep_id;
        e.course_id = course_id;
        e.page = page;
        e.term = term;
        out.push_back(events::wrap(service, e, because));
    }
    return out;
}

// True when this transaction ended it.
bool end(
    db::transaction& tx, const base::uuid& sweep_id, const char* outcome, std::chrono::duration<double>* took)
{
    const auto ended = tx.exec(end_sweep, sweep_id, outcome);
    if (ended.empty())
        return false;
    const auto row = ended[0];
    const auto course_id = db::get<std::int64_t>(row, "course_id");
    if (std::string_view(outcome) == "good")
        tx.exec(good_sweep, course_id, db::get<base::time_point>(row, "started_at"),
            db::get<int>(row, "last_page"), db::get<int>(row, "rows_read"),
            db::get<int>(row, "rows_skipped"));
    else
        tx.exec(bad_sweep, course_id);
    if (took != nullptr)
        *took = std::chrono::duration<double>(db::get<double>(row, "seconds"));
    return true;
}

// The page failed: it rests, or ends the sweep.
void rest(db::transaction& tx, const page_claim& claim, bool for_good = false)
{
    const auto rows = tx.exec(lock_page, claim.sweep_id, claim.page);
    if (rows.empty())
        return; // done or over meanwhile
    const int failures = db::get<int>(rows[0], "failures") + 1;
    const auto how_long = rest_after_failure(failures);
    if (for_good || !how_long) {
        end(tx, claim.sweep_id, "failed", nullptr);
        return;
    }
    tx.exec(page_failed, claim.sweep_id, claim.page, failures, static_cast<std::int64_t>(how_long->count()));
    tx.exec(sweep_alive, claim.sweep_id);
}

struct page_facts
{
    int read = 0, changed = 0, skipped = 0, passes = 0;
    std::optional<int> last_page;
};

// The done mark, and what follows from it: the next pages, or the end of the sweep.
void mark_done(db::transaction& tx, const page_claim& claim, const page_facts& facts,
    const events::cause& because, page_saved& out)
{
    const auto rows = tx.exec(page_done, claim.sweep_id, claim.page, facts.read, facts.changed, facts.skipped,
        facts.passes, facts.last_page);
    if (rows.empty())
        return; // the sweep ended meanwhile; the rows are saved all the same
    const auto row = rows[0];
    const auto last_page = db::get_optional<int>(row, "last_page");
    if (last_page) {
        // Its own statement: with the sweep's row locked it sees every page that is done.
        if (db::get<int>(row, "pages_done") < *last_page ||
            db::get<int>(tx.exec(count_done, claim.sweep_id, *last_page)[0], "pages") < *last_page)
            return;
        out.sweep_ended = end(tx, claim.sweep_id, "good", &out.sweep_took);
        return;
    }
    const int scheduled = db::get<int>(row, "pages_scheduled");
    const int wanted = pages_to_schedule(claim.page, scheduled, db::get<int>(row, "pages_expected"));
    if (wanted <= scheduled)
        return;
    tx.exec(insert_pages, claim.sweep_id, scheduled + 1, wanted);
    tx.exec(extend_sweep, claim.sweep_id, wanted);
    outbox::add_envelopes(tx, page_events(claim.sweep_id, db::get<std::int64_t>(row, "course_id"),
                                  db::get<std::int64_t>(row, "term"), scheduled + 1, wanted, because));
}

} // namespace

sweep_store::sweep_store(db::pool& pool, settings s) : pool_(pool), settings_(std::move(s)) {}

async::task<schedule_report> sweep_store::schedule()
{
    const auto body = [this](db::transaction& tx) {
        schedule_report out;
        const auto lease = db::take_lease(tx, lease_name, settings_.instance, settings_.lease);
        if (!lease)
            return out;
        out.leads = true;
        out.term = lease->term;
        std::vector<events::envelope> events;
        std::optional<int> outstanding;
        for (const auto& row : tx.exec(find_due)) {
            const auto kind = db::get<std::string>(row, "kind");
            const auto course_id = db::get<std::int64_t>(row, "course_id");
            if (kind == "structure") {
                tx.exec(ask_structure, course_id);
                events::structure_sync_due e;
                e.course_id = course_id;
                e.term = lease->term;
                events.push_back(events::wrap(service, e));
                ++out.structures_due;
            }
            else if (kind == "sweep") {
                const auto begun =
                    tx.exec(begin_sweep, course_id, static_cast<std::int64_t>(settings_.sweep_every.count()));
                if (begun.empty())
                    continue;
                const auto course = begun[0];
                const int expected = expected_pages(db::get_optional<int>(course, "last_page"),
                    db::get_optional<int>(course, "learners_count"), db::get<int>(course, "page_rows"));
                const int pages = pages_at_start(expected, db::get<bool>(course, "last_sweep_good"));
                const auto sweep_id = base::new_uuid();
                tx.exec(drop_old_pages, course_id);
                tx.exec(insert_sweep, sweep_id, course_id, lease->term, db::get<bool>(course, "is_first"),
                    expected, pages);
                tx.exec(insert_pages, sweep_id, 1, pages);
                auto due = page_events(sweep_id, course_id, lease->term, 1, pages, {});
                std::move(due.begin(), due.end(), std::back_inserter(events));
                ++out.sweeps_begun;
            }
            else if (kind == "page") {
                const auto sweep_id = db::get<base::uuid>(row, "id");
                const int page = db::get<int>(row, "page");
                tx.exec(wake_page, sweep_id, page);
                auto due = page_events(sweep_id, course_id, lease->term, page, page, {});
                events.push_back(std::move(due.front()));
                ++out.pages_again;
            }
            else if (kind == "stuck") {
                if (!outstanding)
                    outstanding = db::get<int>(tx.exec(count_outstanding)[0], "pages");
                const auto patience = stuck_after(*outstanding, settings_.requests_per_second);
                if (std::chrono::seconds(db::get<int>(row, "page")) < patience)
                    continue;
                const auto sweep_id = db::get<base::uuid>(row, "id");
                bool failed = false;
                std::vector<int> pages;
                for (const auto& stuck : tx.exec(stuck_pages, sweep_id)) {
                    failed |= !rest_after_failure(db::get<int>(stuck, "failures"));
                    pages.push_back(db::get<int>(stuck, "page"));
                }
                tx.exec(adopt_sweep, sweep_id,
                    lease->term); // messages of an earlier leader are void from here on
                if (failed) {
                    end(tx, sweep_id, "failed", nullptr);
                    continue;
                }
                for (const int page : pages) {
                    auto due = page_events(sweep_id, course_id, lease->term, page, page, {});
                    events.push_back(std::move(due.front()));
                    ++out.pages_again;
                }
            }
            else {
                const auto request_id = db::get<base::uuid>(row, "id");
                const std::string detail = "nobody answered the request within a quarter of an hour";
                for (const auto& request : tx.exec(give_up_request, request_id, detail)) {
                    events::sync_completed e;
                    e.request_id = request_id;
                    e.course_id = course_id;
                    e.stepik_user_id = db::get<std::int64_t>(request, "stepik_user_id");
                    e.outcome = "failed";
                    e.detail = detail;
                    e.checked_at = db::get<base::time_point>(request, "finished_at");
                    events.push_back(events::wrap(service, e));
                    ++out.requests_given_up;
                }
            }
        }
        if (!events.empty())
            outbox::add_envelopes(tx, events);
        return out;
    };
    co_return co_await pool_.transact(body);
}

async::task<void> sweep_store::step_down()
{
    const auto body = [this](db::transaction& tx) {
        // Renewing says whether it is ours; only then is there anything to give back.
        if (const auto lease = db::take_lease(tx, lease_name, settings_.instance, settings_.lease))
            db::drop_lease(tx, *lease);
    };
    co_await pool_.transact(body);
}

async::task<void> sweep_store::purge()
{
    const auto body = [](db::transaction& tx) {
        tx.exec(purge_sweeps);
        tx.exec(purge_requests);
        tx.exec(purge_checks);
    };
    co_await pool_.transact(body);
}

async::task<std::optional<page_claim>> sweep_store::claim(
    const events::sweep_page_due& e, base::uuid message_id)
{
    const auto body = [&](db::transaction& tx) -> std::optional<page_claim> {
        const auto rows = tx.exec(claim_page, e.sweep_id, e.page, message_id, e.term);
        if (rows.empty())
            return std::nullopt;
        page_claim out;
        out.claimed_here = std::chrono::steady_clock::now();
        out.claimed_at = db::get<base::time_point>(rows[0], "claimed_at");
        out.sweep_id = e.sweep_id;
        out.page = e.page;
        out.is_first_sweep = db::get<bool>(rows[0], "is_first");
        out.was_unwell = db::get<bool>(rows[0], "unwell");
        out.course = read_course(rows[0], db::get<std::int64_t>(rows[0], "course_id"));
        return out;
    };
    // In doubt: the message comes again, and a claim of its own does not keep it out.
    co_return co_await pool_.autocommit(body);
}

async::task<page_saved> sweep_store::save(
    const page_claim& claim, bool last, int rows_on_page, int malformed, const rows_to_save& rows)
{
    const auto body = [&](db::transaction& tx) {
        page_saved out;
        out.rows = save_rows(tx, rows);
        outbox::add_envelopes(tx, out.rows.events);
        page_facts facts;
        facts.read = out.rows.read;
        facts.changed = out.rows.changed;
        facts.skipped = out.rows.skipped + malformed;
        facts.passes = static_cast<int>(out.rows.passes.size());
        if (last)
            facts.last_page = claim.page;
        else if (claim.page == 1 && rows_on_page > 0)
            tx.exec(
                see_page_rows, claim.course.course_id, rows_on_page); // a page with a next one is a full one
        mark_done(tx, claim, facts, rows.because, out);
        return out;
    };
    co_return co_await pool_.transact(body);
}

async::task<bool> sweep_store::not_there(const page_claim& claim)
{
    const auto body = [&](db::transaction& tx) {
        const auto rows = tx.exec(look_before, claim.sweep_id, claim.page);
        if (rows.empty() || db::get<bool>(rows[0], "ends_before"))
            return true;
        // A page that was read and is not the last one said that this one is there.
        if (db::get<bool>(rows[0], "is_promised"))
            rest(tx, claim);
        else
            tx.exec(postpone_page, claim.sweep_id, claim.page);
        return false;
    };
    co_return co_await pool_.transact(body);
}

async::task<void> sweep_store::postpone(const page_claim& claim)
{
    const auto body = [&](db::transaction& tx) { tx.exec(postpone_page, claim.sweep_id, claim.page); };
    co_await pool_.transact(body);
}

async::task<void> sweep_store::fail(const page_claim& claim, bool for_good)
{
    const auto body = [&](db::transaction& tx) { rest(tx, claim, for_good); };
    co_await pool_.transact(body);
}

async::task<void> sweep_store::abandon(const page_claim& claim)
{
    const auto body = [&](db::transaction& tx) { end(tx, claim.sweep_id, "abandoned", nullptr); };
    co_await pool_.transact(body);
}

} // namespace coursegate::stepik_sync
