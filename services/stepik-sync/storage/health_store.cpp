#include "storage/health_store.hpp"

#include "coursegate/db/transaction.hpp"

#include <algorithm>

namespace coursegate::stepik_sync {

namespace {

constexpr db::statement store_note{"learning.note_health",
    "insert into course_health as h (course_id, token_state, course_found, can_view_grades, "
    "has_learners_group, "
    "  failed_calls, failing_since, last_error, last_error_at, checked_at) "
    "select $1::bigint, coalesce($2::text, 'unknown'), coalesce($3::boolean, true), $4::boolean, "
    "$5::boolean, "
    "  case when $6::text = 'failed' then 1 else 0 end, case when $6::text = 'failed' then now() end, "
    "  $7::text, case when $7::text is not null then now() end, '-infinity' "
    "on conflict (course_id) do update set "
    "  token_state = coalesce($2::text, h.token_state), "
    "  course_found = coalesce($3::boolean, h.course_found), "
    "  can_view_grades = coalesce($4::boolean, h.can_view_grades), "
    "  has_learners_group = coalesce($5::boolean, h.has_learners_group), "
    "  failed_calls = case $6::text when 'failed' then h.failed_calls + 1 when 'worked' then 0 else "
    "h.failed_calls end, "
    "  failing_since = case $6::text when 'failed' then coalesce(h.failing_since, now()) when 'worked' then "
    "null "
    "    else h.failing_since end, "
    "  last_error = coalesce($7::text, h.last_error), "
    "  last_error_at = coalesce(excluded.last_error_at, h.last_error_at)"};

// $1: one course, or null for all. Courses that no reading has begun for have no row in `courses` yet; the
// leader makes it.
constexpr db::statement read_facts{"learning.health_facts",
    "select c.course_id, v.state <> 'connected' as paused, v.connected_at, "
    "  coalesce(v.sweep_seconds, 0) as sweep_seconds, "
    "  coalesce(h.token_state, 'unknown') as token_state, coalesce(h.course_found, true) as course_found, "
    "  h.can_view_grades, h.has_learners_group, coalesce(h.failed_calls, 0) as failed_calls, "
    "h.failing_since, "
    "  (select paused_until from api_budget where paused_until > now()) as rate_limited_until, "
    "  coalesce(h.last_error, '') as last_error, "
    "  c.good_sweep_ended_at, c.structure_read_at, c.unreadable_lessons, c.skipped_rows, "
    "  (select count(*) from stepik_lessons l where l.course_id = c.course_id and l.vanished_at is "
    "null)::int as lessons, "
    "  case when c.absent_steps = '{}' then '{}'::text[] else array( "
    "    select format('lesson “%s”, step %s', l.title, s.position) "
    "    from stepik_steps s join stepik_lessons l using (course_id, lesson_id) "
    "    where s.course_id = c.course_id and s.step_id = any (c.absent_steps) and s.vanished_at is null "
    "    order by l.title, s.position) end as absent_steps, "
    "  exists (select from sweeps w where w.course_id = c.course_id and w.finished_at is null "
    "    and w.last_progress_at > now() - interval '5 minutes') as sweep_running, "
    "  coalesce(h.problem_names, '{}') as problem_names, coalesce(h.problems, '{}') as problems, "
    "  coalesce(h.ok, false) as ok, coalesce(h.checked_at < now() - interval '30 seconds', true) as due, "
    "now() as db_now "
    "from courses c join catalog.v_courses v using (course_id) left join course_health h using (course_id) "
    "where $1::bigint is null or c.course_id = $1"};

constexpr db::statement store_verdict{"learning.store_health",
    "insert into course_health as h (course_id, ok, problems, problem_names, checked_at) "
    "values ($1::bigint, $2::boolean, $3::text[], $4::text[], now()) "
    "on conflict (course_id) do update set ok = excluded.ok, problems = excluded.problems, "
    "  problem_names = excluded.problem_names, checked_at = now()"};

connection_facts facts_of(const pqxx::row& row, std::chrono::seconds otherwise)
{
    connection_facts f;
    f.is_paused = db::get<bool>(row, "paused");
    f.connected_at = db::get<base::time_point>(row, "connected_at");
    const int own = db::get<int>(row, "sweep_seconds");
    f.sweep_every = own > 0 ? std::chrono::seconds(own) : otherwise;
    f.token = token_state_from(db::get<std::string>(row, "token_state"));
    f.course_found = db::get<bool>(row, "course_found");
    f.can_view_grades = db::get_optional<bool>(row, "can_view_grades");
    f.has_learners_group = db::get_optional<bool>(row, "has_learners_group");
    f.failed_calls = db::get<int>(row, "failed_calls");
    f.failing_since = db::get_optional<base::time_point>(row, "failing_since");
    f.rate_limited_until = db::get_optional<base::time_point>(row, "rate_limited_until");
    f.last_error = db::get<std::string>(row, "last_error");
    f.last_good_sweep_at = db::get_optional<base::time_point>(row, "good_sweep_ended_at");
    f.last_structure_at = db::get_optional<base::time_point>(row, "structure_read_at");
    f.unreadable_lessons = db::get<int>(row, "unreadable_lessons");
    f.skipped_rows = db::get<int>(row, "skipped_rows");
    f.lessons = db::get<int>(row, "lessons");
    f.absent_steps = db::get<std::vector<std::string>>(row, "absent_steps");
    f.sweep_running = db::get<bool>(row, "sweep_running");
    return f;
}

std::vector<course_verdict> judge(
    db::transaction& tx, std::optional<std::int64_t> course_id, std::chrono::seconds sweep_every)
{
    std::vector<course_verdict> out;
    for (const auto& row : tx.exec(read_facts, course_id)) {
        course_verdict verdict;
        verdict.course_id = db::get<std::int64_t>(row, "course_id");
        verdict.problems = problems(facts_of(row, sweep_every), db::get<base::time_point>(row, "db_now"));
        verdict.before = db::get<std::vector<std::string>>(row, "problem_names");

        std::vector<std::string> names;
        std::vector<std::string> sentences;
        for (const auto& p : verdict.problems) {
            names.push_back(p.name);
            sentences.push_back(p.sentence);
        }
        const bool ok = std::none_of(
            verdict.problems.begin(), verdict.problems.end(), [](const problem& p) { return p.blocking; });
        verdict.changed = names != verdict.before;
        const bool differs = verdict.changed || ok != db::get<bool>(row, "ok") ||
                             sentences != db::get<std::vector<std::string>>(row, "problems");
        if (differs || db::get<bool>(row, "due"))
            tx.exec(store_verdict, verdict.course_id, ok, sentences, names);
        out.push_back(std::move(verdict));
    }
    return out;
}

} // namespace

health_store::health_store(db::pool& pool, std::chrono::seconds sweep_every)
    : pool_(pool), sweep_every_(sweep_every)
{}

async::task<course_verdict> health_store::note(std::int64_t course_id, health_note n)
{
    const auto body = [&](db::transaction& tx) {
        std::optional<std::string> token;
        if (n.token)
            token = std::string(to_string(*n.token));
        std::optional<std::string> error;
        if (!n.error.empty())
            error = n.error;
        const char* call = n.last_call == health_note::call::worked   ? "worked"
                           : n.last_call == health_note::call::failed ? "failed"
                                                                      : "none";
        tx.exec(store_note, course_id, token, n.course_found, n.can_view_grades, n.has_learners_group, call,
            error);
        auto judged = judge(tx, course_id, sweep_every_);
        return judged.empty() ? course_verdict{} : std::move(judged.front());
    };
    co_return co_await pool_.transact(body);
}

async::task<std::vector<course_verdict>> health_store::judge_all()
{
    const auto body = [&](db::transaction& tx) { return judge(tx, std::nullopt, sweep_every_); };
    co_return co_await pool_.transact(body);
}

} // namespace coursegate::stepik_sync
