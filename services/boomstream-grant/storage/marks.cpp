#include "storage/marks.hpp"

#include "coursegate/db/transaction.hpp"

namespace coursegate::boomstream_grant {

namespace {

// In the order of ids everywhere: two transactions that name the same students never wait for each other in a
// circle. A row that is being worked on is waited for; it is deleted with that work's commit, and named anew
// here.
#define COURSEGATE_NAME_STUDENTS                                                                             \
    " order by 1 on conflict (user_id) do update set lane = 'fresh'"                                         \
    " where d.lane = 'backfill' and excluded.lane = 'fresh'"

constexpr db::statement name_by_stepik_id{"access.name_by_stepik_id",
    "insert into dirty as d (user_id, lane)"
    " select u.user_id, max(t.lane) from unnest($1::bigint[], $2::text[]) as t (stepik_user_id, lane)"
    " join accounts.v_users u using (stepik_user_id) group by u.user_id" COURSEGATE_NAME_STUDENTS};

constexpr db::statement name_users{"access.name_users",
    "insert into dirty as d (user_id, lane) select distinct id, $2::text from unnest($1::uuid[]) as "
    "id" COURSEGATE_NAME_STUDENTS};

// One statement for both, so that the order of ids holds over all of them.
constexpr db::statement name_students{"access.name_students",
    "insert into dirty as d (user_id, lane) select user_id, max(lane) from ("
    "  select user_id, lane from unnest($1::uuid[], $2::text[]) as t (user_id, lane)"
    "  union all select u.user_id, case when e.in_first_sweep then 'backfill' else 'fresh' end"
    "   from unnest($3::bigint[], $4::bigint[]) as t (course_id, stepik_user_id)"
    "   join accounts.v_users u on u.stepik_user_id = t.stepik_user_id"
    "   join learning.v_enrolments e on e.course_id = t.course_id and e.stepik_user_id = t.stepik_user_id"
    " ) named group by user_id" COURSEGATE_NAME_STUDENTS};

constexpr db::statement name_course{"access.name_course",
    "insert into dirty as d (user_id, lane)"
    " select user_id, 'backfill' from ("
    "  select u.user_id from accounts.v_users u join learning.v_enrolments e using (stepik_user_id) where "
    "e.course_id = $1"
    "  union select g.user_id from grants g where g.course_id = $1"
    // A lesson that is open to all concerns accounts that are not enrolled.
    "  union select u.user_id from accounts.v_users u where exists"
    "   (select from catalog.v_access_rules a where a.course_id = $1 and a.rule = 'always')"
    " ) concerned" COURSEGATE_NAME_STUDENTS,
    false};

constexpr db::statement raise_version{"access.raise_course_version",
    "insert into course_versions as v (course_id) values ($1) on conflict "
    "(course_id) do update set version = v.version + 1"};

constexpr db::statement name_unfinished{"access.name_unfinished",
    "insert into dirty as d (user_id, lane)"
    " select user_id, max(lane) from ("
    // An order that waits for a missing piece may wait for weeks.
    "  select user_id, case when at > now() - interval '1 minute' then 'fresh' else 'backfill' end as lane"
    "   from requests where state = 'pending' and at < now() - interval '10 seconds'"
    "  union all select user_id, 'fresh' from students where look_again_at <= now()"
    " ) unfinished group by user_id" COURSEGATE_NAME_STUDENTS,
    false};

constexpr db::statement name_stale{"access.name_stale",
    "insert into dirty as d (user_id, lane)"
    " select user_id, 'backfill' from (select u.user_id from accounts.v_users u left join students s using "
    "(user_id)"
    "  where s.user_id is null or s.reconciled_at < now() - $1::bigint * interval '1 second'"
    "  order by s.reconciled_at nulls first limit $2) stale" COURSEGATE_NAME_STUDENTS,
    false};

#undef COURSEGATE_NAME_STUDENTS

constexpr db::statement count_by_lane{"access.count_dirty",
    "select count(*) filter (where lane = 'fresh') as fresh, count(*) filter (where lane = 'backfill') as "
    "backfill"
    " from (select lane from dirty limit 100000) d"};

int named(db::transaction& tx, const pqxx::result& r, bool fresh, bool backfill)
{
    if (r.affected_rows() > 0) {
        if (fresh)
            tx.wake_after_commit(fresh_topic);
        if (backfill)
            tx.wake_after_commit(backfill_topic);
    }
    return static_cast<int>(r.affected_rows());
}

} // namespace

int mark_passes(db::transaction& tx, const std::vector<pass_mark>& passes)
{
    std::vector<std::int64_t> ids;
    std::vector<std::string> lanes;
    bool fresh = false, backfill = false;
    for (const auto& p : passes) {
        ids.push_back(p.stepik_user_id);
        lanes.emplace_back(to_string(p.way));
        (p.way == lane::fresh ? fresh : backfill) = true;
    }
    return named(tx, tx.exec(name_by_stepik_id, ids, lanes), fresh, backfill);
}

int mark_user(db::transaction& tx, const base::uuid& user_id, lane way)
{
    return mark_users(tx, {user_id}, way);
}

int mark_users(db::transaction& tx, const std::vector<base::uuid>& user_ids, lane way)
{
    if (user_ids.empty())
        return 0;
    return named(
        tx, tx.exec(name_users, user_ids, to_string(way)), way == lane::fresh, way == lane::backfill);
}

int mark_students(db::transaction& tx, const std::vector<student_mark>& marks)
{
    std::vector<base::uuid> users;
    std::vector<std::string> lanes;
    std::vector<std::int64_t> courses, stepik_ids;
    for (const auto& m : marks)
        if (m.user_id == base::uuid{}) {
            courses.push_back(m.course_id);
            stepik_ids.push_back(m.stepik_user_id);
        }
        else {
            users.push_back(m.user_id);
            lanes.emplace_back(to_string(m.way));
        }
    return named(tx, tx.exec(name_students, users, lanes, courses, stepik_ids), true, true);
}

int mark_course(db::transaction& tx, std::int64_t course_id)
{
    tx.exec(raise_version, course_id);
    return named(tx, tx.exec(name_course, course_id), false, true);
}

int mark_unfinished(db::transaction& tx)
{
    return named(tx, tx.exec(name_unfinished), true, true);
}

int mark_stale(db::transaction& tx, std::chrono::seconds age, int limit)
{
    return named(tx, tx.exec(name_stale, static_cast<std::int64_t>(age.count()), limit), false, true);
}

std::pair<int, int> count_marks(db::transaction& tx)
{
    const auto r = tx.exec(count_by_lane);
    return {db::get<int>(r[0], "fresh"), db::get<int>(r[0], "backfill")};
}

} // namespace coursegate::boomstream_grant
