#include "storage/rows.hpp"

#include "coursegate/db/transaction.hpp"
#include "coursegate/events/event.hpp"
#include "coursegate/events/lesson_passed.hpp"
#include "coursegate/events/student_enrolled.hpp"
#include "domain/lesson_rule.hpp"

#include <algorithm>
#include <map>
#include <set>

namespace coursegate::stepik_sync {

namespace {

constexpr db::statement lock_rows{"learning.lock_rows",
    "select stepik_user_id, results_digest, layout, last_viewed, last_read_at from enrolments "
    "where course_id = $1::bigint and stepik_user_id = any ($2::bigint[]) order by stepik_user_id for "
    "update"};

// One statement for all that say what they said before: most of every sweep.
constexpr db::statement touch_rows{"learning.touch_rows",
    "update enrolments set last_read_at = $3::timestamptz "
    "where course_id = $1::bigint and stepik_user_id = any ($2::bigint[])"};
constexpr db::statement view_rows{"learning.view_rows",
    "update enrolments e set last_read_at = $3::timestamptz, last_viewed = t.viewed "
    "from unnest($2::bigint[], $4::timestamptz[]) as t (student, viewed) "
    "where e.course_id = $1::bigint and e.stepik_user_id = t.student"};

constexpr db::statement read_lesson_states{"learning.read_lesson_states",
    "select stepik_user_id, lesson_id, passed, steps_passed, steps_total, missing_steps, passed_after, "
    "passed_before, "
    "  seen_at, backfill "
    "from lesson_progress where course_id = $1::bigint and stepik_user_id = any ($2::bigint[])"};
constexpr db::statement read_young_steps{"learning.read_young_steps",
    "select s.lesson_id, s.step_id from courses c join stepik_steps s using (course_id) "
    "where c.course_id = $1::bigint and s.gradable and s.vanished_at is null "
    "  and s.first_seen_at > coalesce(c.good_sweep_started_at, '-infinity')"};

// An empty digest stands for null: decide again next time. found_by stays the inserting transaction's, so of
// two that meet on a new student one tells student_enrolled. Never replaces a newer reading.
constexpr db::statement upsert_rows{"learning.upsert_rows",
    "with written as ("
    "  insert into enrolments as e (course_id, stepik_user_id, date_joined, last_viewed, results_digest, "
    "layout, "
    "    last_read_at, first_seen_at, in_first_sweep, found_by) "
    "  select $1::bigint, t.student, t.joined, t.viewed, nullif(t.digest, ''), nullif(t.layout, ''), "
    "$7::timestamptz, "
    "    $7::timestamptz, $8::boolean, $9::uuid "
    "  from unnest($2::bigint[], $3::timestamptz[], $4::timestamptz[], $5::bytea[], $6::bytea[]) "
    "    as t (student, joined, viewed, digest, layout) "
    "  on conflict (course_id, stepik_user_id) do update set date_joined = excluded.date_joined, "
    "    last_viewed = excluded.last_viewed, results_digest = excluded.results_digest, layout = "
    "excluded.layout, "
    "    last_read_at = excluded.last_read_at "
    "  where e.last_read_at <= excluded.last_read_at "
    "  returning stepik_user_id, found_by) "
    "select stepik_user_id, found_by = $9::uuid as is_new from written order by stepik_user_id"};

// `passed` only ever turns on, and whoever turns it leaves its mark: exactly one transaction gets the row
// back.
constexpr db::statement upsert_lesson_rows{"learning.upsert_lesson_rows",
    "with written as ("
    "  insert into lesson_progress as p (course_id, stepik_user_id, lesson_id, passed, steps_passed, "
    "steps_total, "
    "    missing_steps, passed_after, passed_before, seen_at, backfill, found_by) "
    "  select $1::bigint, t.student, t.lesson, t.passed, t.steps_passed, t.steps_total, t.missing::bigint[], "
    "    t.passed_after, t.passed_before, t.seen_at, t.backfill, case when t.passed then $12::uuid end "
    "  from unnest($2::bigint[], $3::bigint[], $4::boolean[], $5::int[], $6::int[], $7::text[], "
    "$8::timestamptz[], "
    "    $9::timestamptz[], $10::timestamptz[], $11::boolean[]) as t (student, lesson, passed, steps_passed, "
    "    steps_total, missing, passed_after, passed_before, seen_at, backfill) "
    "  on conflict (course_id, stepik_user_id, lesson_id) do update set "
    "    passed = p.passed or excluded.passed, steps_passed = excluded.steps_passed, "
    "    steps_total = excluded.steps_total, missing_steps = excluded.missing_steps, "
    "    passed_after = case when p.passed then p.passed_after else excluded.passed_after end, "
    "    passed_before = case when p.passed then p.passed_before else excluded.passed_before end, "
    "    seen_at = case when p.passed then p.seen_at else excluded.seen_at end, "
    "    backfill = case when p.passed then p.backfill else excluded.backfill end, "
    "    found_by = case when p.passed then p.found_by else excluded.found_by end "
    "  returning stepik_user_id, lesson_id, passed_after, passed_before, seen_at, backfill, found_by) "
    "select stepik_user_id, lesson_id, passed_after, passed_before, seen_at, backfill from written "
    "where found_by = $12::uuid order by stepik_user_id, lesson_id"};

constexpr db::statement remember_layout{"learning.remember_layout",
    "insert into row_layouts (course_id, layout, step_ids) values ($1::bigint, $2::bytea, $3::bigint[]) "
    "on conflict do nothing returning true as is_new"};
// The rows list a step that the structure does not have: an author added it, and the structure is due. A
// reading that is under way may have begun before that: due from now on, it is made again after it.
constexpr db::statement hint_structure{"learning.hint_structure",
    "update courses set structure_due_at = case when structure_claimed_until > now() then now() "
    "  else least(structure_due_at, now()) end "
    "where course_id = $1::bigint and structure_read_at is not null and exists ("
    "  select from unnest($2::bigint[]) as t (step) "
    "  where not exists (select from stepik_steps s where s.course_id = $1::bigint and s.step_id = t.step))"};

std::string as_bytes(const digest& d)
{
    return {reinterpret_cast<const char*>(d.data()), d.size()};
}

std::optional<digest> read_digest(const pqxx::row& row, const char* column)
{
    if (row[column].is_null())
        return std::nullopt;
    const std::string raw = db::get_bytes(row, column);
    digest out{};
    if (raw.size() != out.size())
        return std::nullopt; // of another kind: read it again
    std::copy(raw.begin(), raw.end(), reinterpret_cast<char*>(out.data()));
    return out;
}

std::string array_text(const std::vector<std::int64_t>& ids)
{
    std::string out = "{";
    for (const auto id : ids) {
        if (out.size() > 1)
            out += ',';
        out += std::to_string(id);
    }
    return out += '}';
}

struct stored_row
{
    known_row known;
    std::optional<digest> layout;
};

struct parsed_row
{
    const grade_row* row = nullptr;
    const stored_row* before = nullptr; // nullptr: new
    grade_results results;
    row_decision decision;
};

// The arrays of upsert_lesson_rows.
struct lesson_columns
{
    std::vector<std::int64_t> students, lessons, steps_passed, steps_total;
    std::vector<bool> passed, backfill;
    std::vector<std::string> missing;
    std::vector<std::optional<base::time_point>> after, before, seen;

    void add(std::int64_t student, const lesson_change& c)
    {
        students.push_back(student);
        lessons.push_back(c.lesson_id);
        passed.push_back(c.state.passed);
        steps_passed.push_back(c.state.steps_passed);
        steps_total.push_back(c.state.steps_total);
        missing.push_back(array_text(c.state.missing_steps));
        after.push_back(c.state.passed_after);
        before.push_back(c.state.passed_before);
        seen.push_back(c.state.seen_at);
        backfill.push_back(c.state.backfill);
    }
};

// The students' rows, ordered by id, each once.
std::vector<const grade_row*> students_of(const rows_to_save& in, rows_saved& out)
{
    std::map<std::int64_t, const grade_row*> by_id;
    for (const auto& row : *in.rows) {
        if (row.is_teacher)
            ++out.teachers;
        else
            by_id[row.user] = &row;
    }
    std::vector<const grade_row*> students;
    for (const auto& [id, row] : by_id)
        students.push_back(row);
    return students;
}

std::map<std::int64_t, std::map<std::int64_t, lesson_state>> read_states(
    db::transaction& tx, std::int64_t course_id, const std::vector<std::int64_t>& students)
{
    std::map<std::int64_t, std::map<std::int64_t, lesson_state>> out;
    if (students.empty())
        return out;
    for (const auto& row : tx.exec(read_lesson_states, course_id, students)) {
        lesson_state s;
        s.passed = db::get<bool>(row, "passed");
        s.steps_passed = db::get<int>(row, "steps_passed");
        s.steps_total = db::get<int>(row, "steps_total");
        s.missing_steps = db::get<std::vector<std::int64_t>>(row, "missing_steps");
        s.passed_after = db::get_optional<base::time_point>(row, "passed_after");
        s.passed_before = db::get_optional<base::time_point>(row, "passed_before");
        s.seen_at = db::get_optional<base::time_point>(row, "seen_at");
        s.backfill = db::get<bool>(row, "backfill");
        out[db::get<std::int64_t>(row, "stepik_user_id")][db::get<std::int64_t>(row, "lesson_id")] =
            std::move(s);
    }
    return out;
}

young_steps read_young(db::transaction& tx, std::int64_t course_id)
{
    young_steps out;
    for (const auto& row : tx.exec(read_young_steps, course_id))
        out[db::get<std::int64_t>(row, "lesson_id")].insert(db::get<std::int64_t>(row, "step_id"));
    return out;
}

void remember_layouts(db::transaction& tx, std::int64_t course_id, const std::vector<parsed_row>& rows,
    const std::map<std::int64_t, stored_row>& stored)
{
    std::set<digest> known;
    for (const auto& [id, s] : stored)
        if (s.layout)
            known.insert(*s.layout);
    for (const auto& r : rows) {
        if (!r.results.layout || !known.insert(*r.results.layout).second)
            continue;
        std::vector<std::int64_t> steps;
        for (const auto& s : r.results.steps)
            if (s.step_id != 0)
                steps.push_back(s.step_id);
        std::sort(steps.begin(), steps.end());
        const auto inserted =
            tx.exec(remember_layout, course_id, db::bytes(as_bytes(*r.results.layout)), steps);
        if (!inserted.empty())
            tx.exec(hint_structure, course_id, steps);
    }
}

struct written
{
    std::set<std::int64_t> students;    // the others have a newer reading by now
    std::vector<std::int64_t> appeared; // seen first by this transaction
};

written write_rows(
    db::transaction& tx, const rows_to_save& in, const std::vector<parsed_row>& rows, const base::uuid& mark)
{
    std::vector<std::int64_t> students;
    std::vector<std::optional<base::time_point>> joined;
    std::vector<std::optional<base::time_point>> viewed;
    std::vector<std::string> digests;
    std::vector<std::string> layouts;
    for (const auto& r : rows) {
        students.push_back(r.row->user);
        joined.push_back(r.row->date_joined);
        viewed.push_back(r.row->last_viewed);
        // An entry that could not be read is read, and reported, again until it can.
        const bool again = r.decision.undecided || r.results.malformed > 0;
        digests.push_back(again ? std::string{} : as_bytes(r.row->results_digest));
        layouts.push_back(r.results.layout ? as_bytes(*r.results.layout) : std::string{});
    }
    written out;
    for (const auto& row : tx.exec(upsert_rows, in.course_id, students, db::times(joined), db::times(viewed),
             db::byte_arrays(digests), db::byte_arrays(layouts), in.read_at, in.first_sweep, mark))
    {
        const auto student = db::get<std::int64_t>(row, "stepik_user_id");
        out.students.insert(student);
        if (db::get<bool>(row, "is_new"))
            out.appeared.push_back(student);
    }
    return out;
}

} // namespace

rows_saved save_rows(db::transaction& tx, const rows_to_save& in)
{
    rows_saved out;
    const auto students = students_of(in, out);
    out.read = static_cast<int>(students.size());
    if (students.empty())
        return out;

    std::vector<std::int64_t> ids;
    for (const auto* row : students)
        ids.push_back(row->user);
    std::map<std::int64_t, stored_row> stored;
    for (const auto& row : tx.exec(lock_rows, in.course_id, ids)) {
        stored_row s;
        s.known.results_digest = read_digest(row, "results_digest");
        s.known.last_viewed = db::get_optional<base::time_point>(row, "last_viewed");
        s.known.last_read_at = db::get<base::time_point>(row, "last_read_at");
        s.layout = read_digest(row, "layout");
        stored.emplace(db::get<std::int64_t>(row, "stepik_user_id"), s);
    }

    std::vector<std::int64_t> unchanged;
    std::vector<std::int64_t> looked;
    std::vector<std::optional<base::time_point>> looked_at;
    std::vector<parsed_row> parsed;
    std::vector<std::int64_t> with_history;
    for (const auto* row : students) {
        const auto found = stored.find(row->user);
        const stored_row* before = found == stored.end() ? nullptr : &found->second;
        const auto change = compare(*row, before == nullptr ? nullptr : &before->known, in.read_at);
        if (change == row_change::older)
            continue;
        if (change == row_change::unchanged) {
            unchanged.push_back(row->user);
            continue;
        }
        if (change == row_change::viewed) {
            looked.push_back(row->user);
            looked_at.push_back(row->last_viewed);
            continue;
        }
        auto results = in.read_results(row->results);
        if (!results.has_value()) {
            ++out.skipped;
            if (out.complaint.empty())
                out.complaint = results.error().detail;
            continue;
        }
        if (results->malformed > 0) {
            // What could be read counts; a lesson with an entry that could not be read is not passed.
            ++out.skipped;
            if (out.complaint.empty())
                out.complaint = "a result has no step id or no is_passed";
        }
        parsed_row p;
        p.row = row;
        p.before = before;
        p.results = std::move(*results);
        parsed.push_back(std::move(p));
        if (before != nullptr)
            with_history.push_back(row->user);
    }
    out.changed = static_cast<int>(parsed.size());

    if (!parsed.empty()) {
        const auto states = read_states(tx, in.course_id, with_history);
        const auto young = read_young(tx, in.course_id);
        const base::uuid mark = base::new_uuid(); // of this try of this transaction
        lesson_columns lessons;
        static const std::map<std::int64_t, lesson_state> none;
        for (auto& p : parsed) {
            reading r;
            r.read_at = in.read_at;
            if (p.before != nullptr)
                r.previous = p.before->known.last_read_at;
            r.last_viewed = p.row->last_viewed;
            r.backfill = in.first_sweep;
            const auto known = states.find(p.row->user);
            p.decision = decide(p.results.steps, known == states.end() ? none : known->second, young, r);
        }

        remember_layouts(tx, in.course_id, parsed, stored);
        const auto written = write_rows(tx, in, parsed, mark);
        for (const auto& p : parsed)
            if (written.students.contains(p.row->user))
                for (const auto& c : p.decision.changes)
                    lessons.add(p.row->user, c);
        out.appeared = static_cast<int>(written.appeared.size());
        for (const auto student : written.appeared) {
            const auto at = std::lower_bound(students.begin(), students.end(), student,
                [](const grade_row* row, std::int64_t id) { return row->user < id; });
            events::student_enrolled e;
            e.course_id = in.course_id;
            e.stepik_user_id = student;
            e.date_joined = (*at)->date_joined;
            e.seen_at = in.read_at;
            out.events.push_back(events::wrap("stepik-sync", e, in.because));
        }
        if (!lessons.students.empty())
            for (const auto& row :
                tx.exec(upsert_lesson_rows, in.course_id, lessons.students, lessons.lessons, lessons.passed,
                    lessons.steps_passed, lessons.steps_total, lessons.missing, db::times(lessons.after),
                    db::times(lessons.before), db::times(lessons.seen), lessons.backfill, mark))
            {
                events::lesson_passed e;
                e.course_id = in.course_id;
                e.stepik_user_id = db::get<std::int64_t>(row, "stepik_user_id");
                e.lesson_id = db::get<std::int64_t>(row, "lesson_id");
                e.passed_after = db::get_optional<base::time_point>(row, "passed_after");
                e.passed_before = db::get<base::time_point>(row, "passed_before");
                e.seen_at = db::get<base::time_point>(row, "seen_at");
                e.backfill = db::get<bool>(row, "backfill");
                out.passes.emplace_back(e.stepik_user_id, e.lesson_id);
                out.events.push_back(events::wrap("stepik-sync", e, in.because));
            }
    }
    if (!unchanged.empty())
        tx.exec(touch_rows, in.course_id, unchanged, in.read_at);
    if (!looked.empty())
        tx.exec(view_rows, in.course_id, looked, in.read_at, db::times(looked_at));
    return out;
}

} // namespace coursegate::stepik_sync
