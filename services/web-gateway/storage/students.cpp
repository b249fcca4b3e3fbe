#include "storage/students.hpp"

#include "coursegate/db/transaction.hpp"

#include <algorithm>

namespace coursegate::web_gateway {
namespace {

// $1 everybody, $2 courses, $3 creator
#define IN_SCOPE                                                                                             \
    " ($1::boolean OR u.created_by = $3 OR EXISTS (SELECT 1 FROM learning.v_enrolments e"                    \
    "    WHERE e.stepik_user_id = u.stepik_user_id AND e.course_id = ANY ($2::bigint[]))"                    \
    "  OR EXISTS (SELECT 1 FROM access.v_grants g WHERE g.user_id = u.id AND g.course_id = ANY "             \
    "($2::bigint[])))"

#define STUDENT_COLUMNS                                                                                      \
    "u.id, u.email, u.first_name, u.last_name, u.stepik_user_id, u.telegram_id, u.locale,"                   \
    " u.boom_code_box IS NOT NULL AS has_code, u.code_version, u.created_at, u.telegram_username,"           \
    " coalesce(u.created_by, '') AS created_by,"                                                             \
    " EXISTS (SELECT 1 FROM accounts.user_roles r WHERE r.user_id = u.id) AS is_staff,"                      \
    " ARRAY(SELECT e.course_id FROM learning.v_enrolments e WHERE e.stepik_user_id = u.stepik_user_id"       \
    "   AND ($1::boolean OR e.course_id = ANY ($2::bigint[])) ORDER BY 1) AS courses"

constexpr db::statement select_matching{"accounts.search_students",
    "SELECT " STUDENT_COLUMNS " FROM accounts.users u WHERE u.deleted_at IS NULL AND" IN_SCOPE
    " AND ($4::text IS NULL OR u.email ILIKE $4 OR u.first_name || ' ' || u.last_name ILIKE $4"
    "   OR u.last_name || ' ' || u.first_name ILIKE $4 OR u.telegram_username ILIKE $4 OR u.stepik_user_id = "
    "$5)"
    " AND ($6::uuid IS NULL OR u.id < $6) ORDER BY u.id DESC LIMIT $7"};

constexpr db::statement select_one{"accounts.student_in_scope",
    "SELECT " STUDENT_COLUMNS " FROM accounts.users u WHERE u.deleted_at IS NULL AND" IN_SCOPE
    " AND u.id = $4"};

// '0' is the character after '/'. A session's rows are of the person himself.
constexpr db::statement select_timeline{"accounts.timeline_of",
    "(SELECT recorded_at AS at, type AS what, false AS by_somebody, '' AS who,"
    "   coalesce(event->'data'->>'reason', '') AS why, f.course_id, f.lesson_id,"
    "   coalesce(s.lesson_title, '') AS lesson_title"
    " FROM accounts.feed f LEFT JOIN learning.v_structure s ON s.course_id = f.course_id AND s.lesson_id = "
    "f.lesson_id"
    " WHERE (f.user_id = $3 OR f.stepik_user_id = $4::bigint)"
    "   AND ($1::boolean OR f.course_id IS NULL OR f.course_id = ANY ($2::bigint[]))"
    " ORDER BY f.seq DESC LIMIT $5)"
    " UNION ALL"
    " (SELECT at, what, true, coalesce(on_behalf_of, CASE WHEN who ~ '^user/[0-9a-f-]{36}$' THEN"
    "     (SELECT w.email FROM accounts.users w WHERE w.id = substr(who, 6)::uuid) END, who),"
    "   coalesce(why, ''), NULL, NULL, ''"
    " FROM accounts.audit_log"
    " WHERE ($1::boolean OR course_id IS NULL OR course_id = ANY ($2::bigint[]))"
    "   AND (target = 'user/' || $3::text OR (target ~>=~ ('user/' || $3::text || '/') AND"
    "   target ~<~ ('user/' || $3::text || '0')))"
    " ORDER BY id DESC LIMIT $5)"
    " ORDER BY at DESC LIMIT $5"};

found_student read_student(const pqxx::row& r)
{
    found_student out;
    out.user.id = db::get<base::uuid>(r, "id");
    out.user.email = db::get<std::string>(r, "email");
    out.user.first_name = db::get<std::string>(r, "first_name");
    out.user.last_name = db::get<std::string>(r, "last_name");
    out.user.stepik_user_id = db::get_optional<std::int64_t>(r, "stepik_user_id");
    out.user.telegram_id = db::get_optional<std::int64_t>(r, "telegram_id");
    out.user.locale = db::get<std::string>(r, "locale");
    out.user.has_code = db::get<bool>(r, "has_code");
    out.user.code_version = db::get<int>(r, "code_version");
    out.user.created_at = db::get<base::time_point>(r, "created_at");
    out.telegram_username = db::get<std::string>(r, "telegram_username");
    out.created_by = db::get<std::string>(r, "created_by");
    out.is_staff = db::get<bool>(r, "is_staff");
    out.courses = db::get<std::vector<std::int64_t>>(r, "courses");
    return out;
}

std::optional<std::string> pattern_of(const std::string& words)
{
    if (words.empty())
        return std::nullopt;
    std::string out = "%";
    for (const char c : words) {
        if (c == '%' || c == '_' || c == '\\')
            out += '\\';
        out += c;
    }
    return out + "%";
}

std::optional<std::int64_t> number_in(const std::string& words)
{
    constexpr std::size_t most_digits = 18;
    const bool is_number = !words.empty() && words.size() <= most_digits &&
                           words.find_first_not_of("0123456789") == std::string::npos;
    return is_number ? std::optional(std::stoll(words)) : std::nullopt;
}

} // namespace

std::vector<found_student> search_students(db::transaction& tx, const student_scope& scope,
    const std::string& words, const std::optional<base::uuid>& before, int limit)
{
    std::vector<found_student> out;
    for (const auto& r : tx.exec(select_matching, scope.everybody, scope.courses, scope.creator,
             pattern_of(words), number_in(words), before, limit))
        out.push_back(read_student(r));
    return out;
}

std::optional<found_student> student_in(db::transaction& tx, const student_scope& scope, const base::uuid& id)
{
    const auto rows = tx.exec(select_one, scope.everybody, scope.courses, scope.creator, id);
    return rows.empty() ? std::nullopt : std::optional(read_student(rows[0]));
}

std::vector<timeline_item> timeline_of(
    db::transaction& tx, const student_scope& scope, const user& who, int limit)
{
    std::vector<timeline_item> out;
    for (const auto& r :
        tx.exec(select_timeline, scope.everybody, scope.courses, who.id, who.stepik_user_id, limit))
    {
        timeline_item i;
        i.at = db::get<base::time_point>(r, "at");
        i.what = db::get<std::string>(r, "what");
        i.by_somebody = db::get<bool>(r, "by_somebody");
        i.who = db::get<std::string>(r, "who");
        i.why = db::get<std::string>(r, "why");
        i.course_id = db::get_optional<std::int64_t>(r, "course_id");
        i.lesson_id = db::get_optional<std::int64_t>(r, "lesson_id");
        i.lesson_title = db::get<std::string>(r, "lesson_title");
        out.push_back(std::move(i));
    }
    return out;
}

#undef IN_SCOPE
#undef STUDENT_COLUMNS

} // namespace coursegate::web_gateway
