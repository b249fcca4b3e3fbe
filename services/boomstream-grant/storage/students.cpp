#include "storage/students.hpp"

#include "coursegate/db/transaction.hpp"
#include "coursegate/outbox/outbox.hpp"
#include "storage/issued.hpp"
#include "storage/marks.hpp"

#include <algorithm>
#include <unordered_map>

namespace coursegate::boomstream_grant {

namespace {

using db::get;
using db::get_optional;

// --- Reading
// --------------------------------------------------------------------------------------------------------

// The deleted row is the claim: no worker of any instance takes the same student, and a handler that names
// him meanwhile waits for this transaction and names him anew. What is read about him is read by later
// statements, which see all that was committed before he was named.
constexpr db::statement take_named{"access.take_named",
    "delete from dirty where ctid = any (array ("
    "  select ctid from dirty where lane = $1 order by since limit $2 for update skip locked))"
    " returning user_id, since"};
constexpr db::statement leave_named{"access.leave_named",
    "insert into dirty (user_id, lane, since)"
    " select user_id, $3, since from unnest($1::uuid[], $2::timestamptz[]) as t (user_id, since)"};

// With the account as it is now; without one the account's columns are NULL.
constexpr db::statement lock_students{"access.lock_students",
    "select s.user_id, s.stepik_user_id as known_stepik_user_id, s.linked_at, s.look_again_at,"
    " s.reconciled_at < now() - interval '5 minutes' as looked_at_long_ago, now() as at,"
    " exists (select from requests r where r.user_id = s.user_id) as has_orders,"
    " u.email, u.stepik_user_id, u.boom_code_box, u.code_version"
    " from students s left join accounts.v_users u using (user_id)"
    " where s.user_id = any($1::uuid[]) order by s.user_id for update of s skip locked"};

constexpr db::statement select_known{
    "access.select_known_students", "select user_id from students where user_id = any($1::uuid[])"};

// One row per lesson passed; an enrolment without any has one row, without a lesson.
constexpr db::statement select_progress{"access.select_progress",
    "select e.course_id, e.stepik_user_id, coalesce(e.date_joined, e.first_seen_at) as joined_at,"
    " e.first_seen_at, e.in_first_sweep, p.lesson_id, p.passed_after, p.passed_before,"
    " coalesce(p.seen_at, p.passed_before, now()) as seen_at, p.backfill"
    " from learning.v_enrolments e left join learning.v_lesson_state p"
    "  on p.course_id = e.course_id and p.stepik_user_id = e.stepik_user_id and p.passed"
    " where e.course_id = any($1::bigint[]) and e.stepik_user_id = any($2::bigint[])"};

constexpr db::statement select_grants{"access.select_grants",
    "select grant_id, user_id, course_id, lesson_id, subscription_code, boom_media, state, closing, lane, "
    "next_try_at,"
    " failed_at, wanted_at, coalesce(provider_reason, '') as provider_reason, coalesce(revoked_by, '') as "
    "revoked_by,"
    " coalesce(revoke_reason, '') as revoke_reason, revoked_at"
    " from grants where user_id = any($1::uuid[])"};

constexpr db::statement select_buyers{"access.select_buyers",
    "select buyer_id, user_id, course_id, subscription_code, boom_media, state, lane, code_version,"
    " asked_until is not null as in_flight, state = 'wanted' and due_at is null as waits"
    " from buyers where user_id = any($1::uuid[]) and state <> 'gone'"};

constexpr db::statement select_orders{"access.select_orders",
    "select request_id, user_id, course_id, lesson_id, kind = 'grant' as is_grant, actor, reason, "
    "requested_at,"
    " state = 'pending' as pending from requests where user_id = any($1::uuid[])"};

constexpr db::statement select_decisions{"access.select_decisions",
    "select user_id, course_id, lesson_id, open, reason, detail from "
    "lesson_decisions where user_id = any($1::uuid[])"};

// --- Writing
// --------------------------------------------------------------------------------------------------------

constexpr db::statement insert_students{"access.insert_students",
    "insert into students (user_id, stepik_user_id, linked_at)"
    " select user_id, stepik_user_id, created_at from accounts.v_users where user_id = any($1::uuid[])"
    " order by user_id on conflict do nothing"};

constexpr db::statement update_students{"access.update_students",
    "update students s set stepik_user_id = nullif(t.stepik_user_id, 0), linked_at = t.linked_at, "
    "look_again_at = t.look_again_at,"
    " reconciled_at = now()"
    " from unnest($1::uuid[], $2::bigint[], $3::timestamptz[], $4::timestamptz[])"
    "  as t (user_id, stepik_user_id, linked_at, look_again_at) where s.user_id = t.user_id"};

constexpr db::statement refuse_strangers{"access.refuse_orders_of_strangers",
    "update requests set state = 'refused', detail = 'There is no such student here.', at = now()"
    " where user_id = any($1::uuid[]) and state = 'pending'"};

constexpr db::statement upsert_decisions{"access.upsert_decisions",
    "insert into lesson_decisions (user_id, course_id, lesson_id, open, reason, detail)"
    " select * from unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::boolean[], $5::text[], $6::text[])"
    " on conflict (user_id, course_id, lesson_id) do update"
    " set open = excluded.open, reason = excluded.reason, detail = excluded.detail, decided_at = "
    "excluded.decided_at"};

// The nil uuid stands for none. Only the confirmed ones come back, for their events.
constexpr db::statement insert_grants{"access.insert_grants",
    "with i as (insert into grants as g (grant_id, user_id, course_id, lesson_id, subscription_code, "
    "boom_media,"
    " stepik_user_id, state, cause, lane, passed_after, passed_before, seen_at, wanted_at, asked_at, "
    "asked_until,"
    " confirmed_at, buyer_id, end_date)"
    " select t.grant_id, t.user_id, t.course_id, t.lesson_id, t.code, t.media, nullif(t.stepik_user_id, 0), "
    "t.state, t.cause,"
    " t.lane, t.passed_after, t.passed_before, t.seen_at, clock_timestamp(),"
    " case when t.state = 'asked' then clock_timestamp() end,"
    " case when t.state = 'asked' then now() + $15::bigint * interval '1 millisecond' end,"
    " case when t.state = 'confirmed' then clock_timestamp() end, b.buyer_id, b.end_date"
    " from unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::bigint[], $5::text[], $6::text[], $7::bigint[], "
    "$8::text[],"
    " $9::text[], $10::text[], $11::timestamptz[], $12::timestamptz[], $13::timestamptz[], $14::uuid[]) as t "
    "(grant_id, user_id,"
    " course_id, lesson_id, code, media, stepik_user_id, state, cause, lane, passed_after, passed_before, "
    "seen_at, buyer_id)"
    " left join buyers b on b.buyer_id = t.buyer_id"
    " returning " COURSEGATE_GRANT_COLUMNS ", g.state) select * from i where state = 'confirmed'"};

constexpr db::statement confirm_grants{"access.confirm_grants_without_call",
    "update grants g set state = 'confirmed', confirmed_at = clock_timestamp(), buyer_id = b.buyer_id, "
    "end_date = b.end_date,"
    " next_try_at = null, provider_reason = null, asked_until = null, changed_at = now()"
    " from unnest($1::uuid[], $2::uuid[]) as t (grant_id, buyer_id) join buyers b on b.buyer_id = t.buyer_id"
    " where g.grant_id = t.grant_id and g.state in ('wanted', 'failed') returning " COURSEGATE_GRANT_COLUMNS};

constexpr db::statement try_grants_again{"access.try_grants_again",
    "update grants set state = 'wanted', next_try_at = null, changed_at = now()"
    " where grant_id = any($1::uuid[]) and state = 'failed'"};

constexpr db::statement raise_grants{"access.raise_grants",
    "update grants set lane = 'fresh', changed_at = now()"
    " where grant_id = any($1::uuid[]) and lane = 'backfill' and state in ('wanted', 'failed')"};

constexpr db::statement grant_again{"access.grant_again",
    "update grants set state = 'wanted', cause = 'manual', lane = 'fresh', wanted_at = clock_timestamp(), "
    "attempts = 0,"
    " provider_reason = null, next_try_at = null, asked_at = null, asked_until = null, confirmed_at = null, "
    "failed_at = null,"
    " revoked_at = null, revoked_by = null, revoke_reason = null, buyer_id = null, end_date = null, "
    "changed_at = now()"
    " where grant_id = any($1::uuid[]) and state = 'revoked'"};

constexpr db::statement change_media{"access.change_grant_media",
    "update grants g set boom_media = t.media, changed_at = now() from unnest($1::uuid[], $2::text[]) as t "
    "(grant_id, media)"
    " where g.grant_id = t.grant_id"};

constexpr db::statement ask_grants{"access.ask_grants",
    "update grants g set state = 'asked', asked_at = clock_timestamp(), asked_until = now() + $3::bigint * "
    "interval '1 millisecond',"
    " next_try_at = null, changed_at = now() from unnest($1::uuid[], $2::text[]) as t (user_id, code)"
    " where g.user_id = t.user_id and g.subscription_code = t.code and g.state in ('wanted', 'failed')"};

constexpr db::statement delete_grants{"access.withdraw_grants",
    "delete from grants where grant_id = any($1::uuid[]) and state in ('wanted', 'failed')"};

constexpr db::statement revoke_grants{"access.revoke_grants",
    "update grants g set state = 'revoked', closing = false, revoked_at = clock_timestamp(), revoked_by = "
    "t.actor,"
    " revoke_reason = t.reason, next_try_at = null, buyer_id = null, changed_at = now()"
    " from unnest($1::uuid[], $2::text[], $3::text[]) as t (grant_id, actor, reason)"
    " where g.grant_id = t.grant_id and g.state in ('wanted', 'failed', 'confirmed') "
    "returning " COURSEGATE_GRANT_COLUMNS};

constexpr db::statement close_grants{"access.close_grants",
    "update grants g set closing = true, revoked_by = t.actor, revoke_reason = t.reason, changed_at = now()"
    " from unnest($1::uuid[], $2::text[], $3::text[]) as t (grant_id, actor, reason)"
    " where g.grant_id = t.grant_id and g.state = 'confirmed'"};

constexpr db::statement reopen_grants{"access.reopen_grants",
    "update grants set closing = false, revoked_by = null, revoke_reason = null, changed_at = now()"
    " where grant_id = any($1::uuid[]) and closing"};

constexpr db::statement insert_buyers{"access.insert_buyers",
    "insert into buyers (buyer_id, user_id, course_id, subscription_code, boom_media, state, lane, "
    "code_version, hash_box, ends_at,"
    " due_at, flight, asked_at, asked_until)"
    " select t.buyer_id, t.user_id, t.course_id, t.code, t.media, case when t.asked then 'asked' else "
    "'wanted' end, t.lane,"
    " t.code_version, case when t.asked then t.hash_box end, t.ends_at, case when not t.asked then now() end,"
    " case when t.asked then 1 else 0 end, case when t.asked then clock_timestamp() end,"
    " case when t.asked then now() + $11::bigint * interval '1 millisecond' end"
    " from unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::bigint[], "
    "$8::bytea[],"
    " $9::timestamptz[], $10::boolean[]) as t (buyer_id, user_id, course_id, code, media, lane, "
    "code_version, hash_box, ends_at, asked)"};

constexpr db::statement close_buyers{"access.close_buyers",
    "update buyers set state = 'closing', lane = 'fresh', due_at = now(), extend = false, failures = 0, "
    "misses = 0, settled_at = now()"
    " where buyer_id = any($1::uuid[]) and state = 'live'"};

// One that Boomstream was about to be told to delete, and was not told yet.
constexpr db::statement reopen_buyers{"access.reopen_buyers",
    "update buyers set state = 'live', due_at = null, failures = 0, misses = 0, settled_at = now()"
    " where buyer_id = any($1::uuid[]) and state = 'closing' and asked_until is null"};

// Never asked for, or Boomstream's list shows that asking had no effect.
constexpr db::statement drop_buyers{"access.drop_buyers",
    "delete from buyers where buyer_id = any($1::uuid[]) and state = 'wanted' and asked_until is null"};

constexpr db::statement hurry_buyers{"access.hurry_buyers",
    "update buyers b set lane = t.lane, boom_media = t.media, due_at = case when t.now then now() else "
    "b.due_at end,"
    " failures = case when t.now then 0 else b.failures end, misses = case when t.now then 0 else b.misses "
    "end"
    " from unnest($1::uuid[], $2::text[], $3::text[], $4::boolean[]) as t (buyer_id, lane, media, now)"
    " where b.buyer_id = t.buyer_id and b.state = 'wanted'"};

constexpr db::statement answer_orders{"access.answer_orders",
    "update requests r set state = t.state, detail = t.detail, at = case when t.state = 'pending' then r.at "
    "else now() end"
    " from unnest($1::uuid[], $2::text[], $3::text[]) as t (request_id, state, detail)"
    " where r.request_id = t.request_id and (r.state, r.detail) is distinct from (t.state, t.detail)"};

std::optional<base::time_point> maybe_time(const pqxx::row& row, const char* column)
{
    return get_optional<base::time_point>(row, column);
}

} // namespace

batch take_students(db::transaction& tx, course_books& books, lane way, int limit)
{
    batch out;
    std::unordered_map<base::uuid, base::time_point> since;
    for (const auto& row : tx.exec(take_named, to_string(way), limit)) {
        out.named.push_back(get<base::uuid>(row, "user_id"));
        since.emplace(out.named.back(), get<base::time_point>(row, "since"));
    }
    out.full = static_cast<int>(out.named.size()) == limit;
    if (out.named.empty())
        return out;

    auto locked = tx.exec(lock_students, out.named);
    if (static_cast<std::size_t>(locked.size()) < out.named.size()) {
        // New to us, held by somebody else, or nobody's. Only whoever took the name inserts the row.
        tx.exec(insert_students, out.named);
        locked = tx.exec(lock_students, out.named);
        std::set<base::uuid> mine;
        for (const auto& row : locked)
            mine.insert(get<base::uuid>(row, "user_id"));
        std::vector<base::uuid> busy;
        std::vector<std::optional<base::time_point>> busy_since;
        for (const auto& row : tx.exec(select_known, out.named)) {
            const auto id = get<base::uuid>(row, "user_id");
            if (mine.contains(id))
                continue;
            busy.push_back(id);
            busy_since.emplace_back(since.at(id));
            std::erase(out.named, id);
        }
        out.some_busy = !busy.empty();
        if (out.some_busy)
            tx.exec(leave_named, busy, db::times(busy_since), to_string(way));
        if (out.named.empty())
            return out;
    }

    bool orders_there = false;
    std::unordered_map<base::uuid, std::size_t> at;
    std::unordered_map<std::int64_t, std::vector<std::size_t>> by_stepik;
    std::vector<std::int64_t> stepik_ids;
    std::vector<base::uuid> moved;
    std::vector<std::int64_t> moved_to;
    std::vector<std::optional<base::time_point>> moved_since, moved_look;
    for (const auto& row : locked) {
        if (row["email"].is_null())
            continue; // no account
        orders_there = orders_there || get<bool>(row, "has_orders");
        student s;
        s.who.user_id = get<base::uuid>(row, "user_id");
        s.who.stepik_user_id = get_optional<std::int64_t>(row, "stepik_user_id");
        s.who.has_code = !row["boom_code_box"].is_null();
        s.who.code_version = get<int>(row, "code_version");
        s.way = way;
        out.now = get<base::time_point>(row, "at");
        out.emails.emplace(s.who.user_id, get<std::string>(row, "email"));
        if (s.who.has_code)
            out.code_boxes.emplace(s.who.user_id, db::get_bytes(row, "boom_code_box"));
        // Linked, or linked otherwise, after we had looked at the account?
        const bool relinked = get_optional<std::int64_t>(row, "known_stepik_user_id") != s.who.stepik_user_id;
        s.who.since = relinked ? out.now : get<base::time_point>(row, "linked_at");
        s.look_again_at = maybe_time(row, "look_again_at");
        if (relinked || get<bool>(row, "looked_at_long_ago")) {
            moved.push_back(s.who.user_id);
            moved_to.push_back(s.who.stepik_user_id.value_or(0));
            moved_since.emplace_back(s.who.since);
            moved_look.push_back(s.look_again_at);
        }
        at.emplace(s.who.user_id, out.students.size());
        if (s.who.stepik_user_id) {
            by_stepik[*s.who.stepik_user_id].push_back(out.students.size());
            stepik_ids.push_back(*s.who.stepik_user_id);
        }
        out.students.push_back(std::move(s));
    }
    if (!moved.empty())
        tx.exec(update_students, moved, moved_to, db::times(moved_since), db::times(moved_look));

    out.courses = read_courses(tx);
    std::vector<std::int64_t> course_ids;
    std::set<std::int64_t> wanted;
    for (const auto& c : out.courses) {
        course_ids.push_back(c.course_id);
        if (c.opens_to_all)
            wanted.insert(c.course_id);
    }

    if (!stepik_ids.empty()) {
        for (const auto& row : tx.exec(select_progress, course_ids, stepik_ids)) {
            const auto course_id = get<std::int64_t>(row, "course_id");
            const auto lesson = get_optional<std::int64_t>(row, "lesson_id");
            wanted.insert(course_id);
            enrolment e;
            e.joined_at = get<base::time_point>(row, "joined_at");
            e.seen_at = get<base::time_point>(row, "first_seen_at");
            e.first_sweep = get<bool>(row, "in_first_sweep");
            pass p;
            if (lesson) {
                p.after = maybe_time(row, "passed_after");
                p.before = maybe_time(row, "passed_before");
                p.seen_at = get<base::time_point>(row, "seen_at");
                p.backfill = get<bool>(row, "backfill");
            }
            for (const auto i : by_stepik[get<std::int64_t>(row, "stepik_user_id")]) {
                auto& done = out.students[i].done[course_id];
                done.enrolled = e;
                if (lesson)
                    done.passed.emplace(*lesson, p);
            }
        }
    }
    const auto owner = [&](const pqxx::row& row) -> student* {
        const auto it = at.find(get<base::uuid>(row, "user_id"));
        return it == at.end() ? nullptr : &out.students[it->second];
    };
    for (const auto& row : tx.exec(select_grants, out.named)) {
        auto* s = owner(row);
        if (!s)
            continue;
        grant g;
        g.id = get<base::uuid>(row, "grant_id");
        g.course_id = get<std::int64_t>(row, "course_id");
        g.lesson_id = get<std::int64_t>(row, "lesson_id");
        g.subscription = get<std::string>(row, "subscription_code");
        g.boom_media = get<std::string>(row, "boom_media");
        g.state = parse_grant_state(get<std::string>(row, "state"));
        g.closing = get<bool>(row, "closing");
        g.way = parse_lane(get<std::string>(row, "lane"));
        g.next_try_at = maybe_time(row, "next_try_at");
        g.failed_at = maybe_time(row, "failed_at");
        g.wanted_at = get<base::time_point>(row, "wanted_at");
        g.provider_reason = get<std::string>(row, "provider_reason");
        g.revoked_by = get<std::string>(row, "revoked_by");
        g.revoke_reason = get<std::string>(row, "revoke_reason");
        g.revoked_at = maybe_time(row, "revoked_at");
        wanted.insert(g.course_id);
        s->grants.push_back(std::move(g));
    }
    for (const auto& row : tx.exec(select_buyers, out.named)) {
        auto* s = owner(row);
        if (!s)
            continue;
        buyer b;
        b.id = get<base::uuid>(row, "buyer_id");
        b.course_id = get<std::int64_t>(row, "course_id");
        b.subscription = get<std::string>(row, "subscription_code");
        b.boom_media = get<std::string>(row, "boom_media");
        b.state = parse_buyer_state(get<std::string>(row, "state"));
        b.way = parse_lane(get<std::string>(row, "lane"));
        b.code_version = get<int>(row, "code_version");
        b.in_flight = get<bool>(row, "in_flight");
        b.waits = get<bool>(row, "waits");
        s->buyers.push_back(std::move(b));
    }
    const auto orders = orders_there ? tx.exec(select_orders, out.named) : pqxx::result();
    for (const auto& row : orders) {
        auto* s = owner(row);
        if (!s)
            continue;
        order o;
        o.request_id = get<base::uuid>(row, "request_id");
        o.course_id = get<std::int64_t>(row, "course_id");
        o.lesson_id = get<std::int64_t>(row, "lesson_id");
        o.grant = get<bool>(row, "is_grant");
        o.actor = get<std::string>(row, "actor");
        o.reason = get<std::string>(row, "reason");
        o.at = get<base::time_point>(row, "requested_at");
        o.pending = get<bool>(row, "pending");
        wanted.insert(o.course_id);
        s->orders.push_back(std::move(o));
    }
    for (const auto& row : tx.exec(select_decisions, out.named))
        if (auto* s = owner(row))
            s->decisions.emplace(
                std::pair{get<std::int64_t>(row, "course_id"), get<std::int64_t>(row, "lesson_id")},
                said{get<bool>(row, "open"), get<std::string>(row, "reason"),
                    get<std::string>(row, "detail")});

    out.books = books.get(tx, out.courses, wanted);
    return out;
}

namespace {

// Columns of one statement, filled row by row.
struct grant_columns
{
    std::vector<base::uuid> ids, users, buyers;
    std::vector<std::int64_t> courses, lessons, stepik_ids;
    std::vector<std::string> codes, media, states, causes, lanes;
    std::vector<std::optional<base::time_point>> after, before, seen;
};

struct buyer_columns
{
    std::vector<base::uuid> ids, users;
    std::vector<std::int64_t> courses, versions;
    std::vector<std::string> codes, media, lanes, boxes;
    std::vector<std::optional<base::time_point>> ends;
    std::vector<bool> asked;
};

struct decision_columns
{
    std::vector<base::uuid> users;
    std::vector<std::int64_t> courses, lessons;
    std::vector<bool> open;
    std::vector<std::string> reasons, details;
};

struct closing_columns
{
    std::vector<base::uuid> ids;
    std::vector<std::string> actors, reasons;

    void add(const plan::closing& c)
    {
        ids.push_back(c.grant_id);
        actors.push_back(c.actor);
        reasons.push_back(c.reason);
    }
};

template <class T>
void append(std::vector<T>& to, const std::vector<T>& from)
{
    to.insert(to.end(), from.begin(), from.end());
}

} // namespace

written write_plans(db::transaction& tx, const batch& b, const std::vector<plan>& plans,
    const std::map<base::uuid, first_call>& asked, std::chrono::milliseconds asked_for)
{
    written out;
    const std::int64_t claim_ms = asked_for.count();
    decision_columns says;
    grant_columns fresh;
    buyer_columns coming;
    closing_columns revoke, close;
    std::vector<base::uuid> again, raised, regranted, withdrawn, reopened, confirm, confirm_with, media_of,
        buyers_closed, buyers_reopened, buyers_dropped, hurried, answered, asking_users, looking;
    std::vector<std::string> new_media, hurried_lanes, hurried_media, answers, answer_details, asking_codes;
    std::vector<bool> hurried_now;
    std::vector<std::int64_t> looking_stepik;
    std::vector<std::optional<base::time_point>> looking_since, looking_at;

    for (std::size_t i = 0; i < plans.size(); ++i) {
        const auto& s = b.students[i];
        const auto& p = plans[i];
        const auto user = s.who.user_id;
        for (const auto& d : p.decisions) {
            says.users.push_back(user);
            says.courses.push_back(d.course_id);
            says.lessons.push_back(d.lesson_id);
            says.open.push_back(d.says.open);
            says.reasons.push_back(d.says.why);
            says.details.push_back(d.says.detail);
        }
        std::unordered_map<base::uuid, base::uuid> confirmed;
        for (const auto& c : p.confirmed)
            confirmed.emplace(c.grant_id, c.buyer_id);
        std::set<std::string> codes_asked;
        for (const auto& n : p.buyers) {
            const auto call = asked.find(n.id);
            const bool now = call != asked.end();
            coming.ids.push_back(n.id);
            coming.users.push_back(user);
            coming.courses.push_back(n.course_id);
            coming.codes.push_back(n.subscription);
            coming.media.push_back(n.boom_media);
            coming.lanes.emplace_back(to_string(n.way));
            coming.versions.push_back(now ? call->second.code_version : 0);
            coming.boxes.push_back(now ? call->second.hash_box : std::string());
            coming.ends.emplace_back(n.ends_at);
            coming.asked.push_back(now);
            if (now)
                codes_asked.insert(n.subscription);
            else {
                out.calls_wait = true;
                out.fresh_calls_wait = out.fresh_calls_wait || n.way == lane::fresh;
            }
        }
        for (const auto& n : p.grants) {
            const auto c = confirmed.find(n.id);
            const auto state = c != confirmed.end()                   ? grant_state::confirmed
                               : codes_asked.contains(n.subscription) ? grant_state::asked
                                                                      : grant_state::wanted;
            fresh.ids.push_back(n.id);
            fresh.users.push_back(user);
            fresh.courses.push_back(n.course_id);
            fresh.lessons.push_back(n.lesson_id);
            fresh.codes.push_back(n.subscription);
            fresh.media.push_back(n.boom_media);
            fresh.stepik_ids.push_back(s.who.stepik_user_id.value_or(0));
            fresh.states.emplace_back(to_string(state));
            fresh.causes.emplace_back(to_string(n.because));
            fresh.lanes.emplace_back(to_string(n.way));
            fresh.after.push_back(n.clocks ? n.clocks->after : std::nullopt);
            fresh.before.push_back(n.clocks ? n.clocks->before : std::nullopt);
            fresh.seen.push_back(n.clocks ? std::optional(n.clocks->seen_at) : std::nullopt);
            fresh.buyers.push_back(c != confirmed.end() ? c->second : base::uuid{});
            if (c != confirmed.end())
                confirmed.erase(c);
        }
        for (const auto& [grant_id, buyer_id] : confirmed) {
            confirm.push_back(grant_id);
            confirm_with.push_back(buyer_id);
        }
        // Grants that were there before share the call of their subscription.
        for (const auto& code : codes_asked) {
            const bool old = std::any_of(s.grants.begin(), s.grants.end(),
                [&](const grant& g) { return g.subscription == code && g.state != grant_state::confirmed; });
            if (old) {
                asking_users.push_back(user);
                asking_codes.push_back(code);
            }
        }
        append(again, p.tried_again);
        append(raised, p.raised);
        append(regranted, p.granted_again);
        append(withdrawn, p.withdrawn);
        append(reopened, p.reopened);
        for (const auto& r : p.remedies) {
            media_of.push_back(r.grant_id);
            new_media.push_back(r.boom_media);
        }
        for (const auto& c : p.revoked)
            revoke.add(c);
        for (const auto& c : p.closings)
            close.add(c);
        append(buyers_closed, p.buyers_to_close);
        append(buyers_reopened, p.buyers_to_reopen);
        append(buyers_dropped, p.buyers_to_drop);
        for (const auto& u : p.hurried) {
            hurried.push_back(u.buyer_id);
            hurried_lanes.emplace_back(to_string(u.way));
            hurried_media.push_back(u.boom_media);
            hurried_now.push_back(u.now);
            out.fresh_calls_wait = out.fresh_calls_wait || u.way == lane::fresh;
        }
        for (const auto& a : p.answers) {
            answered.push_back(a.request_id);
            answers.push_back(a.state);
            answer_details.push_back(a.detail);
        }
        if (p.look_again_at != s.look_again_at) {
            looking.push_back(user);
            looking_stepik.push_back(s.who.stepik_user_id.value_or(0));
            looking_since.emplace_back(s.who.since);
            looking_at.push_back(p.look_again_at);
        }
    }
    out.calls_wait = out.calls_wait || !buyers_closed.empty() || !hurried.empty();
    out.fresh_calls_wait = out.fresh_calls_wait || !buyers_closed.empty();

    std::vector<events::envelope> envelopes;
    // Buyers first: grants are confirmed with rows that must be there. A dropped one makes room for a new
    // one.
    if (!buyers_dropped.empty())
        tx.exec(drop_buyers, buyers_dropped);
    if (!buyers_reopened.empty())
        tx.exec(reopen_buyers, buyers_reopened);
    if (!buyers_closed.empty())
        tx.exec(close_buyers, buyers_closed);
    if (!hurried.empty())
        tx.exec(hurry_buyers, hurried, hurried_lanes, hurried_media, hurried_now);
    if (!coming.ids.empty())
        tx.exec(insert_buyers, coming.ids, coming.users, coming.courses, coming.codes, coming.media,
            coming.lanes, coming.versions, db::byte_arrays(coming.boxes), db::times(coming.ends),
            coming.asked, claim_ms);

    if (!withdrawn.empty())
        tx.exec(delete_grants, withdrawn);
    if (!again.empty())
        tx.exec(try_grants_again, again);
    if (!raised.empty())
        tx.exec(raise_grants, raised);
    if (!regranted.empty())
        tx.exec(grant_again, regranted);
    if (!media_of.empty())
        tx.exec(change_media, media_of, new_media);
    if (!reopened.empty())
        tx.exec(reopen_grants, reopened);
    if (!asking_users.empty())
        tx.exec(ask_grants, asking_users, asking_codes, claim_ms);
    const auto issue = [&](const pqxx::result& rows) {
        for (const auto& row : rows) {
            envelopes.push_back(issued(row));
            out.confirmed.push_back(confirmation_of(row));
        }
    };
    if (!fresh.ids.empty())
        issue(tx.exec(insert_grants, fresh.ids, fresh.users, fresh.courses, fresh.lessons, fresh.codes,
            fresh.media, fresh.stepik_ids, fresh.states, fresh.causes, fresh.lanes, db::times(fresh.after),
            db::times(fresh.before), db::times(fresh.seen), fresh.buyers, claim_ms));
    if (!confirm.empty())
        issue(tx.exec(confirm_grants, confirm, confirm_with));
    if (!close.ids.empty())
        tx.exec(close_grants, close.ids, close.actors, close.reasons);
    if (!revoke.ids.empty())
        for (const auto& row : tx.exec(revoke_grants, revoke.ids, revoke.actors, revoke.reasons)) {
            envelopes.push_back(revoked(row));
            ++out.revoked;
        }

    if (!says.users.empty())
        tx.exec(
            upsert_decisions, says.users, says.courses, says.lessons, says.open, says.reasons, says.details);
    if (!answered.empty())
        tx.exec(answer_orders, answered, answers, answer_details);
    if (!looking.empty())
        tx.exec(update_students, looking, looking_stepik, db::times(looking_since), db::times(looking_at));
    if (b.students.size() < b.named.size()) {
        std::set<base::uuid> known;
        for (const auto& s : b.students)
            known.insert(s.who.user_id);
        std::vector<base::uuid> strangers;
        for (const auto& id : b.named)
            if (!known.contains(id))
                strangers.push_back(id);
        tx.exec(refuse_strangers, strangers);
    }
    outbox::add_envelopes(tx, envelopes);
    return out;
}

} // namespace coursegate::boomstream_grant
