#include "storage/feed.hpp"

#include "coursegate/db/transaction.hpp"

#include <algorithm>
#include <charconv>
#include <stdexcept>

namespace coursegate::web_gateway {
namespace {

// Empty text and 0 stand for NULL in the arrays: none of these ids is ever 0.
constexpr db::statement insert_feed{"accounts.append_feed",
    "INSERT INTO accounts.feed (event_id, event, type, course_id, lesson_id, stepik_user_id, user_id)"
    " SELECT event_id, event::jsonb, type, nullif(course_id, 0), nullif(lesson_id, 0), "
    "nullif(stepik_user_id, 0),"
    "   nullif(user_id, '')::uuid"
    " FROM unnest($1::uuid[], $2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[], $7::text[])"
    "   WITH ORDINALITY AS new(event_id, event, type, course_id, lesson_id, stepik_user_id, user_id, nth)"
    " ORDER BY nth ON CONFLICT (event_id) DO NOTHING"};

constexpr db::statement select_feed{"accounts.read_feed",
    "SELECT xid, seq, event, type, course_id, stepik_user_id, user_id FROM accounts.feed"
    " WHERE (xid, seq) > ($1::xid8, $2::bigint) AND xid < pg_snapshot_xmin(pg_current_snapshot())"
    " ORDER BY xid, seq LIMIT $3"};

constexpr db::statement select_feed_up_to{"accounts.read_feed_up_to",
    "SELECT xid, seq, event, type, course_id, stepik_user_id, user_id FROM accounts.feed"
    " WHERE (xid, seq) > ($1::xid8, $2::bigint) AND (xid, seq) <= ($4::xid8, $5::bigint)"
    "   AND xid < pg_snapshot_xmin(pg_current_snapshot())"
    " ORDER BY xid, seq LIMIT $3"};

constexpr db::statement select_unsettled{"accounts.feed_is_unsettled",
    "SELECT EXISTS (SELECT 1 FROM accounts.feed WHERE xid >= "
    "pg_snapshot_xmin(pg_current_snapshot())) AS unsettled"};

constexpr db::statement select_end{"accounts.feed_end", "SELECT pg_current_snapshot()::text AS snapshot"};

constexpr db::statement select_since{"accounts.feed_since",
    "SELECT xid, seq - 1 AS seq FROM accounts.feed WHERE recorded_at >= $1 ORDER BY xid, seq LIMIT 1"};

constexpr db::statement select_events_about{"accounts.events_about",
    "SELECT event_id, type, recorded_at FROM accounts.feed"
    " WHERE (stepik_user_id = $3::bigint OR user_id = $4::uuid)"
    "   AND (course_id = $1 OR course_id IS NULL) AND (lesson_id = $2 OR lesson_id IS NULL)"
    " ORDER BY seq DESC LIMIT $5"};

constexpr db::statement delete_old{"accounts.purge_feed",
    "DELETE FROM accounts.feed WHERE seq IN (SELECT seq FROM accounts.feed"
    " WHERE recorded_at < now() - interval '30 days' ORDER BY recorded_at LIMIT $1)"};

feed_position read_position(const pqxx::row& r)
{
    feed_position out;
    const auto xid = db::get<std::string>(r, "xid");
    if (std::from_chars(xid.data(), xid.data() + xid.size(), out.xid).ec != std::errc())
        throw std::logic_error("accounts.feed.xid is not a number");
    out.seq = db::get<std::int64_t>(r, "seq");
    return out;
}

} // namespace

void append_to_feed(db::transaction& tx, const std::vector<feed_record>& records)
{
    std::vector<base::uuid> ids;
    std::vector<std::string> events, types, users;
    std::vector<std::int64_t> courses, lessons, students;
    for (const auto& r : records) {
        ids.push_back(r.event_id);
        events.push_back(r.event);
        types.push_back(r.type);
        courses.push_back(r.course_id.value_or(0));
        lessons.push_back(r.lesson_id.value_or(0));
        students.push_back(r.stepik_user_id.value_or(0));
        users.push_back(r.user_id ? base::to_string(*r.user_id) : "");
    }
    tx.exec(insert_feed, ids, events, types, courses, lessons, students, users);
    tx.notify(feed_channel);
}

feed_page read_feed(
    db::transaction& tx, const feed_position& from, int limit, const std::optional<feed_position>& up_to)
{
    const auto xid = std::to_string(from.xid);
    const auto rows =
        up_to ? tx.exec(select_feed_up_to, xid, from.seq, limit, std::to_string(up_to->xid), up_to->seq)
              : tx.exec(select_feed, xid, from.seq, limit);
    feed_page out;
    for (const auto& r : rows) {
        feed_row row;
        row.position = read_position(r);
        row.event = db::get<std::string>(r, "event");
        row.type = db::get<std::string>(r, "type");
        row.course_id = db::get_optional<std::int64_t>(r, "course_id");
        row.stepik_user_id = db::get_optional<std::int64_t>(r, "stepik_user_id");
        row.user_id = db::get_optional<base::uuid>(r, "user_id");
        out.rows.push_back(std::move(row));
    }
    if (out.rows.empty())
        out.more_unsettled = db::get<bool>(tx.exec(select_unsettled)[0], "unsettled");
    return out;
}

feed_place feed_end(db::transaction& tx)
{
    // "xmin:xmax:running,running,…"
    const auto text = db::get<std::string>(tx.exec(select_end)[0], "snapshot");
    std::vector<std::uint64_t> numbers;
    for (const char* at = text.data(); at < text.data() + text.size();) {
        const auto [end, fault] = std::from_chars(at, text.data() + text.size(), numbers.emplace_back());
        if (fault != std::errc())
            throw std::logic_error("a snapshot is not written xmin:xmax:running");
        at = std::find_if(end, text.data() + text.size(), [](char c) { return c >= '0' && c <= '9'; });
    }
    feed_place out;
    out.after = {numbers.at(0), 0}; // 0 comes before any row
    out.began_at = numbers.at(1);
    out.running.assign(numbers.begin() + 2, numbers.end());
    std::sort(out.running.begin(), out.running.end());
    out.move_to(out.after); // nothing is remembered where no transaction runs
    return out;
}

feed_place feed_since(db::transaction& tx, base::time_point since)
{
    auto end = feed_end(tx); // before looking: who commits in between has its place behind it
    const auto rows = tx.exec(select_since, since);
    if (rows.empty())
        return end;
    feed_place out;
    out.after = std::min(read_position(rows[0]), end.after);
    return out;
}

std::vector<trail_event> events_about(db::transaction& tx, std::int64_t course_id, std::int64_t lesson_id,
    const std::optional<std::int64_t>& stepik_user_id, const std::optional<base::uuid>& user_id, int limit)
{
    std::vector<trail_event> out;
    for (const auto& r : tx.exec(select_events_about, course_id, lesson_id, stepik_user_id, user_id, limit)) {
        trail_event e;
        e.event_id = db::get<base::uuid>(r, "event_id");
        e.type = db::get<std::string>(r, "type");
        e.recorded_at = db::get<base::time_point>(r, "recorded_at");
        out.push_back(std::move(e));
    }
    return out;
}

int purge_feed(db::transaction& tx, int most)
{
    return static_cast<int>(tx.exec(delete_old, most).affected_rows());
}

} // namespace coursegate::web_gateway
