#include "storage/play_links.hpp"

#include "domain/watching.hpp"
#include "storage/audit_log.hpp"

#include "coursegate/db/transaction.hpp"

#include <nlohmann/json.hpp>

namespace coursegate::web_gateway {
namespace {

#define LINK_COLUMNS "link_id, session_id, user_id, course_id, lesson_id, part"

constexpr db::statement delete_waiting{"accounts.forget_waiting_play_links",
    "DELETE FROM accounts.play_links"
    " WHERE session_id = $1 AND course_id = $2 AND lesson_id = $3 AND used_at IS NULL"};

constexpr db::statement insert_link{"accounts.add_play_link",
    "INSERT INTO accounts.play_links (link_id, id_hash, session_id, user_id, course_id, lesson_id, part, "
    "expires_at)"
    " VALUES ($1, $2, $3, $4, $5, $6, $7, now() + make_interval(secs => $8))"};

constexpr db::statement select_waiting{"accounts.waiting_play_link",
    "SELECT " LINK_COLUMNS " FROM accounts.play_links WHERE session_id = $1 AND course_id = $2"
    "   AND lesson_id = $3 AND used_at IS NULL AND expires_at > now() ORDER BY created_at DESC LIMIT 1"};

constexpr db::statement use_link{"accounts.use_play_link",
    "UPDATE accounts.play_links SET used_at = now()"
    " WHERE session_id = $1 AND id_hash = $2 AND used_at IS NULL AND expires_at > now()"
    " RETURNING " LINK_COLUMNS};

constexpr db::statement select_link{"accounts.find_play_link",
    "SELECT " LINK_COLUMNS " FROM accounts.play_links WHERE session_id = $1 AND id_hash = $2"};

constexpr db::statement upsert_watched{"accounts.note_watched",
    "INSERT INTO accounts.watched AS w (course_id, lesson_id, user_id) VALUES ($1, $2, $3)"
    " ON CONFLICT (course_id, lesson_id, user_id) DO UPDATE SET last_at = now(), plays = w.plays + 1"};

constexpr db::statement purge_old{"accounts.purge_play_links",
    "DELETE FROM accounts.play_links WHERE link_id IN (SELECT link_id FROM accounts.play_links"
    " WHERE expires_at < now() - interval '1 hour' LIMIT $1)"};

#undef LINK_COLUMNS

std::optional<play_link> only(const pqxx::result& rows)
{
    if (rows.empty())
        return std::nullopt;
    const auto& r = rows[0];
    play_link out;
    out.link_id = db::get<base::uuid>(r, "link_id");
    out.session_id = db::get<base::uuid>(r, "session_id");
    out.user_id = db::get<base::uuid>(r, "user_id");
    out.course_id = db::get<std::int64_t>(r, "course_id");
    out.lesson_id = db::get<std::int64_t>(r, "lesson_id");
    out.part = db::get<int>(r, "part");
    return out;
}

} // namespace

void add_play_link(db::transaction& tx, const act& by, const play_link& link, const std::string& id_hash)
{
    tx.exec(delete_waiting, link.session_id, link.course_id, link.lesson_id);
    tx.exec(insert_link, link.link_id, db::bytes(id_hash), link.session_id, link.user_id, link.course_id,
        link.lesson_id, link.part, play_link_lasts.count());
    write_audit(tx, by, "video.watch",
        "user/" + base::to_string(link.user_id) + "/course/" + std::to_string(link.course_id) + "/lesson/" +
            std::to_string(link.lesson_id),
        nullptr, {{"part", link.part}});
}

std::optional<play_link> waiting_play_link(
    db::transaction& tx, const base::uuid& session_id, std::int64_t course_id, std::int64_t lesson_id)
{
    return only(tx.exec(select_waiting, session_id, course_id, lesson_id));
}

std::optional<play_link> use_play_link(
    db::transaction& tx, const base::uuid& session_id, const std::string& id_hash)
{
    return only(tx.exec(use_link, session_id, db::bytes(id_hash)));
}

std::optional<play_link> find_play_link(
    db::transaction& tx, const base::uuid& session_id, const std::string& id_hash)
{
    return only(tx.exec(select_link, session_id, db::bytes(id_hash)));
}

void note_watched(db::transaction& tx, const play_link& link)
{
    tx.exec(upsert_watched, link.course_id, link.lesson_id, link.user_id);
}

int purge_play_links(db::transaction& tx, int most)
{
    return static_cast<int>(tx.exec(purge_old, most).affected_rows());
}

} // namespace coursegate::web_gateway
