#include "storage/system_state.hpp"

#include "coursegate/db/transaction.hpp"
#include "coursegate/slices/slices.hpp"

namespace coursegate::ctl {
namespace {

constexpr db::statement count_grants{"ctl.count_grants",
    "SELECT course_id, state, count(*) AS count FROM access.v_grants GROUP BY 1, 2 ORDER BY 1, 2"};

constexpr db::statement read_courses{"ctl.read_courses",
    "SELECT c.course_id, coalesce(h.ok, false) AS stepik_ok, coalesce(h.problems, '{}') AS problems, "
    "h.last_good_sweep_at, coalesce(h.pages_done, 0) AS pages_done, coalesce(h.pages_expected, 0) AS "
    "pages_expected, "
    "coalesce(p.ok, false) AS provider_ok, coalesce(p.problem, '') AS problem, "
    "coalesce(p.waiting_fresh, 0) AS waiting_fresh, coalesce(p.waiting_backfill, 0) AS waiting_backfill "
    "FROM catalog.v_courses c LEFT JOIN learning.v_course_health h USING (course_id) "
    "LEFT JOIN access.v_provider_health p USING (course_id) ORDER BY 1"};

} // namespace

system_state read_system_state(db::session& owner)
{
    return owner.transact([&](db::transaction& tx) {
        system_state out;
        for (const auto& row : tx.exec(count_grants))
            out.grants.push_back({db::get<std::int64_t>(row, "course_id"), db::get<std::string>(row, "state"),
                db::get<std::int64_t>(row, "count")});
        for (const auto& slice : slices::all()) {
            // schema names come from our own slice.json, never from outside
            const auto sql =
                "SELECT count(*) AS waiting, coalesce(extract(epoch FROM now() - min(created_at)), 0) AS "
                "oldest FROM " +
                slice.schemas.front() + ".outbox";
            const auto name = "ctl.outbox_" + slice.schemas.front();
            const auto rows = tx.exec(db::statement{name, sql});
            out.outboxes.push_back({slice.schemas.front(), db::get<std::int64_t>(rows[0], "waiting"),
                db::get<double>(rows[0], "oldest")});
        }
        for (const auto& row : tx.exec(read_courses)) {
            course_state c;
            c.course_id = db::get<std::int64_t>(row, "course_id");
            c.stepik_ok = db::get<bool>(row, "stepik_ok");
            c.stepik_problems = db::get<std::vector<std::string>>(row, "problems");
            c.last_good_sweep = db::get_optional<base::time_point>(row, "last_good_sweep_at");
            c.pages_done = db::get<int>(row, "pages_done");
            c.pages_expected = db::get<int>(row, "pages_expected");
            c.provider_ok = db::get<bool>(row, "provider_ok");
            c.provider_problem = db::get<std::string>(row, "problem");
            c.waiting_fresh = db::get<int>(row, "waiting_fresh");
            c.waiting_backfill = db::get<int>(row, "waiting_backfill");
            out.courses.push_back(std::move(c));
        }
        return out;
    });
}

} // namespace coursegate::ctl
