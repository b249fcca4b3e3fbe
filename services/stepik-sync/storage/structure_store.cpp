#include "storage/structure_store.hpp"

#include "coursegate/db/transaction.hpp"
#include "coursegate/events/course_structure_synced.hpp"
#include "coursegate/events/structure_sync_due.hpp"
#include "coursegate/outbox/outbox.hpp"
#include "domain/sweep_plan.hpp"
#include "storage/course_columns.hpp"

namespace coursegate::stepik_sync {

namespace {

constexpr db::statement connect_course{"learning.connect_course",
    "insert into courses as c (course_id, structure_asked_at) values ($1::bigint, now()) "
    "on conflict (course_id) do update set structure_due_at = now(), structure_asked_at = now(), "
    "  announce_structure = true, sweep_due_at = now()"};

constexpr db::statement read_term{
    "learning.read_term", "select coalesce((select term from leases where name = 'schedule'), 0) as term"};

constexpr db::statement claim_structure{"learning.claim_structure",
    "with claimed as ("
    "  update courses set structure_claimed_by = $2::uuid, structure_claimed_until = now() + interval '10 "
    "minutes' "
    "  where course_id = $1::bigint and structure_due_at <= now() "
    "    and (structure_claimed_until is null or structure_claimed_until < now() or structure_claimed_by = "
    "$2::uuid) "
    "  returning course_id) "
    "select " STEPIK_SYNC_COURSE_COLUMNS ", now() as claimed_at "
    "from claimed c left join catalog.v_courses v using (course_id)"};

// Serialises the writers of one course's structure.
constexpr db::statement lock_course{"learning.lock_course",
    "select structure_read_at is null as is_first, coalesce(structure_read_at > $2::timestamptz, false) as "
    "overtaken, "
    "  announce_structure from courses where course_id = $1::bigint for update"};
constexpr db::statement read_modules{"learning.read_modules",
    "select module_id, position, title from stepik_modules where course_id = "
    "$1::bigint and vanished_at is null"};
constexpr db::statement read_lessons{"learning.read_lessons",
    "select lesson_id, module_id, position, title, steps_amount, gradable_steps, vanished_at is not null as "
    "vanished "
    "from stepik_lessons where course_id = $1::bigint"};
constexpr db::statement read_steps{"learning.read_steps",
    "select step_id, lesson_id, position, block, gradable, vanished_at is not null as vanished "
    "from stepik_steps where course_id = $1::bigint"};
constexpr db::statement read_graded_steps{"learning.read_graded_steps",
    "select distinct unnest(step_ids) as step_id from row_layouts where course_id = $1::bigint"};

constexpr db::statement upsert_modules{"learning.upsert_modules",
    "insert into stepik_modules as m (course_id, module_id, position, title) "
    "select $1::bigint, t.* from unnest($2::bigint[], $3::int[], $4::text[]) as t "
    "on conflict (course_id, module_id) do update set position = excluded.position, title = excluded.title, "
    "  vanished_at = null "
    "where (m.position, m.title) is distinct from (excluded.position, excluded.title) or m.vanished_at is "
    "not null"};
constexpr db::statement upsert_lessons{"learning.upsert_lessons",
    "insert into stepik_lessons as l (course_id, lesson_id, module_id, position, title, steps_amount, "
    "gradable_steps, "
    "  first_seen_at) "
    "select $1::bigint, t.*, now() "
    "from unnest($2::bigint[], $3::bigint[], $4::int[], $5::text[], $6::int[], $7::int[]) as t "
    "on conflict (course_id, lesson_id) do update set module_id = excluded.module_id, position = "
    "excluded.position, "
    "  title = excluded.title, steps_amount = excluded.steps_amount, gradable_steps = "
    "excluded.gradable_steps, "
    "  vanished_at = null "
    "where (l.module_id, l.position, l.title, l.steps_amount, l.gradable_steps) is distinct from "
    "  (excluded.module_id, excluded.position, excluded.title, excluded.steps_amount, "
    "excluded.gradable_steps) "
    "  or l.vanished_at is not null"};
// A step that comes back, or becomes gradable, is young again.
constexpr db::statement upsert_steps{"learning.upsert_steps",
    "insert into stepik_steps as s (course_id, step_id, lesson_id, position, block, gradable, first_seen_at) "
    "select $1::bigint, t.*, case when $7::boolean then '-infinity' else now() end "
    "from unnest($2::bigint[], $3::bigint[], $4::int[], $5::text[], $6::boolean[]) as t "
    "on conflict (course_id, step_id) do update set lesson_id = excluded.lesson_id, position = "
    "excluded.position, "
    "  block = excluded.block, gradable = excluded.gradable, vanished_at = null, "
    "  first_seen_at = case when s.vanished_at is not null or (excluded.gradable and not s.gradable) "
    "    then excluded.first_seen_at else s.first_seen_at end "
    "where (s.lesson_id, s.position, s.block, s.gradable) is distinct from "
    "  (excluded.lesson_id, excluded.position, excluded.block, excluded.gradable) or s.vanished_at is not "
    "null"};
constexpr db::statement vanish_modules{"learning.vanish_modules",
    "update stepik_modules set vanished_at = now() where course_id = $1::bigint "
    "and module_id = any ($2::bigint[])"};
constexpr db::statement vanish_lessons{"learning.vanish_lessons",
    "update stepik_lessons set vanished_at = now() where course_id = $1::bigint "
    "and lesson_id = any ($2::bigint[])"};
constexpr db::statement vanish_steps{"learning.vanish_steps",
    "update stepik_steps set vanished_at = now() where course_id = $1::bigint and "
    "step_id = any ($2::bigint[])"};

// A request to read it again that came while this reading was under way stays.
constexpr db::statement structure_done{"learning.structure_done",
    "update courses set structure_read_at = $2::timestamptz, structure_failures = 0, structure_mark = "
    "$3::text, "
    "  learners_count = coalesce($4::int, learners_count), unreadable_lessons = $5::int, announce_structure "
    "= false, "
    "  structure_due_at = case when structure_due_at > $2::timestamptz then structure_due_at "
    "    else now() + $6::bigint * interval '1 second' end, "
    "  structure_asked_at = null, structure_claimed_by = null, structure_claimed_until = null "
    "where course_id = $1::bigint"};
constexpr db::statement count_failure{"learning.structure_failed",
    "update courses set structure_failures = structure_failures + 1, structure_asked_at = null, "
    "  structure_claimed_by = null, structure_claimed_until = null "
    "where course_id = $1::bigint returning structure_failures, structure_due_at > $2::timestamptz as "
    "asked_again"};
constexpr db::statement rest_structure{"learning.structure_rest",
    "update courses set structure_due_at = greatest(now() + $2::bigint * interval '1 second', "
    "  (select paused_until from api_budget where name = 'stepik')) where course_id = $1::bigint"};

constexpr db::statement see_course{"learning.course_seen",
    "update courses set learners_count = coalesce($2::int, learners_count), "
    "  structure_due_at = case when structure_read_at is not null and structure_mark <> $3::text "
    "    then least(structure_due_at, now()) else structure_due_at end "
    "where course_id = $1::bigint "
    "  and (learners_count is distinct from coalesce($2::int, learners_count) or structure_mark <> "
    "$3::text)"};

known_structure read_known(db::transaction& tx, std::int64_t course_id)
{
    known_structure out;
    for (const auto& row : tx.exec(read_modules, course_id)) {
        course_module m;
        m.id = db::get<std::int64_t>(row, "module_id");
        m.position = db::get<int>(row, "position");
        m.title = db::get<std::string>(row, "title");
        out.modules.push_back(std::move(m));
    }
    for (const auto& row : tx.exec(read_lessons, course_id)) {
        known_lesson l;
        l.id = db::get<std::int64_t>(row, "lesson_id");
        l.module_id = db::get<std::int64_t>(row, "module_id");
        l.position = db::get<int>(row, "position");
        l.title = db::get<std::string>(row, "title");
        l.steps_amount = db::get<int>(row, "steps_amount");
        l.gradable_steps = db::get<int>(row, "gradable_steps");
        l.vanished = db::get<bool>(row, "vanished");
        out.lessons.push_back(std::move(l));
    }
    for (const auto& row : tx.exec(read_steps, course_id)) {
        known_step s;
        s.id = db::get<std::int64_t>(row, "step_id");
        s.lesson_id = db::get<std::int64_t>(row, "lesson_id");
        s.position = db::get<int>(row, "position");
        s.block = db::get<std::string>(row, "block");
        s.gradable = db::get<bool>(row, "gradable");
        s.vanished = db::get<bool>(row, "vanished");
        out.steps.push_back(std::move(s));
    }
    return out;
}

void write_now(db::transaction& tx, std::int64_t course_id, const course_structure& now, bool is_first)
{
    std::vector<std::int64_t> ids;
    std::vector<std::int64_t> positions;
    std::vector<std::string> titles;
    for (const auto& m : now.modules) {
        ids.push_back(m.id);
        positions.push_back(m.position);
        titles.push_back(m.title);
    }
    tx.exec(upsert_modules, course_id, ids, positions, titles);

    ids.clear();
    positions.clear();
    titles.clear();
    std::vector<std::int64_t> modules;
    std::vector<std::int64_t> amounts;
    std::vector<std::int64_t> gradable;
    std::vector<std::int64_t> step_ids;
    std::vector<std::int64_t> step_lessons;
    std::vector<std::int64_t> step_positions;
    std::vector<std::string> blocks;
    std::vector<bool> step_gradable;
    for (const auto& l : now.lessons) {
        ids.push_back(l.id);
        modules.push_back(l.module_id);
        positions.push_back(l.position);
        titles.push_back(l.title);
        amounts.push_back(static_cast<std::int64_t>(l.steps.size()));
        gradable.push_back(l.gradable_steps());
        for (const auto& s : l.steps) {
            step_ids.push_back(s.id);
            step_lessons.push_back(l.id);
            step_positions.push_back(s.position);
            blocks.push_back(s.block);
            step_gradable.push_back(s.gradable);
        }
    }
    tx.exec(upsert_lessons, course_id, ids, modules, positions, titles, amounts, gradable);
    tx.exec(upsert_steps, course_id, step_ids, step_lessons, step_positions, blocks, step_gradable, is_first);
}

} // namespace

structure_store::structure_store(db::pool& pool, std::chrono::seconds sweep_every)
    : pool_(pool), sweep_every_(sweep_every)
{}

async::task<void> structure_store::course_connected(std::int64_t course_id, events::cause because)
{
    const auto body = [&](db::transaction& tx) {
        tx.exec(connect_course, course_id);
        events::structure_sync_due due;
        due.course_id = course_id;
        due.term = db::get<std::int64_t>(tx.exec(read_term)[0], "term");
        outbox::add(tx, "stepik-sync", due, because);
    };
    co_await pool_.transact(body);
}

async::task<std::optional<structure_turn>> structure_store::claim(
    std::int64_t course_id, base::uuid message_id)
{
    const auto body = [&](db::transaction& tx) -> std::optional<structure_turn> {
        const auto rows = tx.exec(claim_structure, course_id, message_id);
        if (rows.empty())
            return std::nullopt;
        structure_turn out;
        out.course = read_course(rows[0], course_id);
        out.claimed_at = db::get<base::time_point>(rows[0], "claimed_at");
        return out;
    };
    co_return co_await pool_.transact(body);
}

async::task<structure_change> structure_store::save(
    const structure_turn& turn, const structure_facts& facts, events::cause because)
{
    const std::int64_t course_id = turn.course.course_id;
    const auto every =
        structure_interval(turn.course.sweep_every.count() > 0 ? turn.course.sweep_every : sweep_every_);
    const auto body = [&](db::transaction& tx) {
        const auto locked = tx.exec(lock_course, course_id, turn.claimed_at);
        if (locked.empty() || db::get<bool>(locked[0], "overtaken"))
            return structure_change{};
        const bool is_first = db::get<bool>(locked[0], "is_first");

        std::set<std::int64_t> graded;
        for (const auto& row : tx.exec(read_graded_steps, course_id))
            graded.insert(db::get<std::int64_t>(row, "step_id"));
        auto change = difference(read_known(tx, course_id), facts.reading, graded);

        if (change.differs || is_first) {
            write_now(tx, course_id, change.now, is_first);
            if (!change.vanished_modules.empty())
                tx.exec(vanish_modules, course_id, change.vanished_modules);
            if (!change.vanished.empty())
                tx.exec(vanish_lessons, course_id, change.vanished);
            if (!change.vanished_steps.empty())
                tx.exec(vanish_steps, course_id, change.vanished_steps);
        }
        int opaque = 0;
        for (const auto& l : change.now.lessons)
            opaque += l.opaque ? 1 : 0;
        tx.exec(structure_done, course_id, turn.claimed_at, facts.mark, facts.learners_count, opaque,
            static_cast<std::int64_t>(every.count()));

        if (change.differs || is_first || db::get<bool>(locked[0], "announce_structure")) {
            events::course_structure_synced synced;
            synced.course_id = course_id;
            synced.modules = static_cast<int>(change.now.modules.size());
            synced.lessons = static_cast<int>(change.now.lessons.size());
            synced.steps = change.steps;
            synced.lessons_without_tasks = change.lessons_without_tasks;
            synced.added = change.added;
            synced.moved = change.moved;
            synced.vanished = change.vanished;
            outbox::add(tx, "stepik-sync", synced, because);
        }
        return change;
    };
    co_return co_await pool_.transact(body);
}

async::task<void> structure_store::fail(const structure_turn& turn)
{
    const std::int64_t course_id = turn.course.course_id;
    const auto body = [&](db::transaction& tx) {
        const auto rows = tx.exec(count_failure, course_id, turn.claimed_at);
        if (rows.empty() || db::get<bool>(rows[0], "asked_again"))
            return;
        const auto rest = structure_rest_after_failure(db::get<int>(rows[0], "structure_failures"));
        tx.exec(rest_structure, course_id, static_cast<std::int64_t>(rest.count()));
    };
    co_await pool_.transact(body);
}

async::task<void> structure_store::course_seen(
    std::int64_t course_id, std::optional<int> learners_count, std::string mark)
{
    const auto body = [&](db::transaction& tx) { tx.exec(see_course, course_id, learners_count, mark); };
    co_await pool_.transact(body);
}

} // namespace coursegate::stepik_sync
