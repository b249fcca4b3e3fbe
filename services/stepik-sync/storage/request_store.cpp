#include "storage/request_store.hpp"

#include "coursegate/db/transaction.hpp"
#include "coursegate/events/sync_completed.hpp"
#include "coursegate/outbox/outbox.hpp"
#include "storage/course_columns.hpp"

#include <algorithm>

namespace coursegate::stepik_sync {

namespace {

constexpr db::statement open_request{"learning.open_request",
    "with inserted as ("
    "  insert into sync_requests (request_id, course_id, stepik_user_id, requested_by) "
    "  values ($1::uuid, $2::bigint, $3::bigint, $4::text) on conflict (request_id) do nothing) "
    "select coalesce(r.finished_at is not null, false) as answered, clock_timestamp() as "
    "opened_at, " STEPIK_SYNC_COURSE_COLUMNS " "
    "from (select 1) one left join sync_requests r on r.request_id = $1::uuid "
    "left join catalog.v_courses v on v.course_id = $2::bigint"};

// One row per student; whoever gets it back may ask Stepik. The same request gets it again (delivered twice,
// crash).
constexpr db::statement start_check{"learning.start_check",
    "insert into student_checks as c (course_id, stepik_user_id, request_id, asked_at) "
    "values ($1::bigint, $2::bigint, $3::uuid, now()) "
    "on conflict (course_id, stepik_user_id) do update set request_id = excluded.request_id, asked_at = "
    "now() "
    "where c.request_id = excluded.request_id or c.asked_at < now() - $4::bigint * interval '1 second' "
    "returning true as may"};
constexpr db::statement read_check{"learning.read_check",
    "select ceil(extract(epoch from asked_at + $3::bigint * interval '1 second' - now()))::int as "
    "seconds_left "
    "from student_checks where course_id = $1::bigint and stepik_user_id = $2::bigint"};

// A check that failed was none: the next one may come at once.
constexpr db::statement forget_check{"learning.forget_check",
    "delete from student_checks where course_id = $1::bigint and stepik_user_id = "
    "$2::bigint and request_id = $3::uuid"};

constexpr db::statement finish_request{"learning.finish_request",
    "update sync_requests set finished_at = now(), outcome = $2::text, detail = $3::text "
    "where request_id = $1::uuid and finished_at is null returning finished_at"};

// The answer, once, with the events that go before it; somebody may have given it already.
void finish(db::transaction& tx, const events::sync_requested& e, const std::string& outcome,
    std::vector<std::int64_t> newly_passed, const std::optional<std::string>& detail,
    const events::cause& because, std::vector<events::envelope> before = {})
{
    const auto rows = tx.exec(finish_request, e.request_id, outcome, detail);
    if (rows.empty()) {
        outbox::add_envelopes(tx, before);
        return;
    }
    events::sync_completed completed;
    completed.request_id = e.request_id;
    completed.course_id = e.course_id;
    completed.stepik_user_id = e.stepik_user_id;
    completed.outcome = outcome;
    completed.newly_passed = std::move(newly_passed);
    completed.detail = detail;
    completed.checked_at = db::get<base::time_point>(rows[0], "finished_at");
    before.push_back(events::wrap("stepik-sync", completed, because));
    outbox::add_envelopes(tx, before);
}

} // namespace

request_store::request_store(db::pool& pool, std::chrono::seconds cooldown) : pool_(pool), cooldown_(cooldown)
{}

async::task<request_turn> request_store::open(const events::sync_requested& e, events::cause because)
{
    const auto cooldown = static_cast<std::int64_t>(cooldown_.count());
    const auto body = [&](db::transaction& tx) {
        request_turn out;
        const auto row =
            tx.exec(open_request, e.request_id, e.course_id, e.stepik_user_id, e.requested_by)[0];
        if (db::get<bool>(row, "answered"))
            return out;
        out.opened_here = std::chrono::steady_clock::now();
        out.opened_at = db::get<base::time_point>(row, "opened_at");
        out.course = read_course(row, e.course_id);
        if (tx.exec(start_check, e.course_id, e.stepik_user_id, e.request_id, cooldown).empty()) {
            const auto left = tx.exec(read_check, e.course_id, e.stepik_user_id, cooldown);
            const int seconds = left.empty() ? 0 : std::max(0, db::get<int>(left[0], "seconds_left"));
            finish(tx, e, "cooldown", {},
                "This student was checked moments ago; the next check is possible in " +
                    std::to_string(seconds) + " s.",
                because);
            return out;
        }
        out.what = request_turn::state::open;
        return out;
    };
    co_return co_await pool_.transact(body);
}

async::task<rows_saved> request_store::checked(const events::sync_requested& e, const rows_to_save& rows)
{
    const auto body = [&](db::transaction& tx) {
        auto saved = save_rows(tx, rows);
        std::vector<std::int64_t> lessons;
        for (const auto& [student, lesson] : saved.passes)
            if (student == e.stepik_user_id)
                lessons.push_back(lesson);
        std::optional<std::string> detail;
        if (saved.skipped > 0)
            detail = "A part of Stepik's answer could not be understood: " + saved.complaint + ".";
        finish(tx, e, "checked", std::move(lessons), detail, rows.because, std::move(saved.events));
        return saved;
    };
    co_return co_await pool_.transact(body);
}

async::task<void> request_store::answer(
    const events::sync_requested& e, std::string outcome, std::string detail, events::cause because)
{
    const auto body = [&](db::transaction& tx) {
        if (outcome == "failed")
            tx.exec(forget_check, e.course_id, e.stepik_user_id, e.request_id);
        finish(tx, e, outcome, {}, detail.empty() ? std::nullopt : std::optional(detail), because);
    };
    co_await pool_.transact(body);
}

} // namespace coursegate::stepik_sync
