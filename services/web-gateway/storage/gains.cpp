#include "storage/gains.hpp"

#include "domain/gains.hpp"

#include "coursegate/base/uuid.hpp"
#include "coursegate/db/transaction.hpp"

#include <algorithm>
#include <iterator>
#include <optional>
#include <set>

namespace coursegate::web_gateway {
namespace {

constexpr int at_once = 2000;

constexpr db::statement select_people{"gains.people",
    "WITH page AS (SELECT id, email, first_name, last_name, stepik_user_id FROM accounts.users"
    "   WHERE boom_code_box IS NOT NULL AND ($2::uuid IS NULL OR id > $2) ORDER BY id LIMIT $3)"
    " SELECT p.*, e.stepik_user_id IS NOT NULL AS enrolled, coalesce(e.date_joined, e.first_seen_at, now()) "
    "AS joined_at,"
    " (SELECT array_agg(l.lesson_id) FROM learning.v_lesson_state l WHERE l.course_id = $1"
    "   AND l.stepik_user_id = p.stepik_user_id AND l.passed) AS passed,"
    " (SELECT array_agg(g.lesson_id) FROM access.v_grants g WHERE g.course_id = $1 AND g.user_id = p.id"
    "   AND g.state <> 'revoked') AS held,"
    " (SELECT array_agg(g.lesson_id) FROM access.v_grants g WHERE g.course_id = $1 AND g.user_id = p.id"
    "   AND g.state = 'revoked') AS closed"
    " FROM page p LEFT JOIN learning.v_enrolments e ON e.course_id = $1 AND e.stepik_user_id = "
    "p.stepik_user_id"
    " ORDER BY p.id"};

std::set<std::int64_t> ids(const pqxx::row& r, const char* column)
{
    const auto list = db::get_optional<std::vector<std::int64_t>>(r, column);
    return list ? std::set<std::int64_t>(list->begin(), list->end()) : std::set<std::int64_t>();
}

course_standing standing_of(const pqxx::row& r)
{
    course_standing out;
    out.linked = !r["stepik_user_id"].is_null();
    if (db::get<bool>(r, "enrolled"))
        out.joined_at = db::get<base::time_point>(r, "joined_at");
    out.passed = ids(r, "passed");
    out.held = ids(r, "held");
    // A lesson that is closed in one subscription and open in another was opened again by hand.
    const auto closed = ids(r, "closed");
    std::set_difference(closed.begin(), closed.end(), out.held.begin(), out.held.end(),
        std::inserter(out.closed, out.closed.end()));
    return out;
}

std::set<std::int64_t> lessons_with_video(const media_world& world)
{
    std::set<std::int64_t> out;
    for (const auto& m : world.existing)
        if (m.subscription_code || world.default_subscription)
            out.insert(m.lesson_id);
    return out;
}

} // namespace

rule_gains who_would_gain(db::transaction& tx, const course& c, const media_world& world,
    const std::vector<access_rule>& before, const std::vector<access_rule>& after, bool names_everybody,
    std::size_t most)
{
    const auto now = base::now();
    const auto old_rules = ruled(world.structure, before);
    const auto new_rules = ruled(world.structure, after);
    const auto with_video = lessons_with_video(world);
    rule_gains out;
    std::optional<base::uuid> last;
    for (;;) {
        const auto rows = tx.exec(select_people, c.id, last, at_once);
        for (const auto& r : rows) {
            const auto who = standing_of(r);
            const auto then = opened(old_rules, who, now);
            std::vector<std::int64_t> gained;
            for (const auto id : opened(new_rules, who, now))
                if (!then.contains(id) && !who.held.contains(id) && with_video.contains(id))
                    gained.push_back(id);
            if (gained.empty())
                continue;
            ++out.people_count;
            for (const auto id : gained)
                ++out.per_lesson[id];
            if (who.is_outside())
                ++out.outsiders;
            if (out.people.size() == most || (who.is_outside() && !names_everybody))
                continue;
            gaining_person one;
            one.email = db::get<std::string>(r, "email");
            one.name = db::get<std::string>(r, "first_name") + " " + db::get<std::string>(r, "last_name");
            one.lessons = std::move(gained);
            out.people.push_back(std::move(one));
        }
        if (rows.size() < at_once)
            return out;
        last = db::get<base::uuid>(rows[at_once - 1], "id");
    }
}

} // namespace coursegate::web_gateway
