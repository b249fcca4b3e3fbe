#include "storage/calls.hpp"

#include "coursegate/base/encoding.hpp"
#include "coursegate/db/transaction.hpp"
#include "coursegate/log/log.hpp"
#include "coursegate/outbox/outbox.hpp"
#include "domain/grants.hpp"
#include "storage/health.hpp"
#include "storage/issued.hpp"
#include "storage/marks.hpp"

#include <algorithm>
#include <mutex>
#include <stdexcept>

namespace coursegate::boomstream_grant {

namespace {

using db::get;
using db::get_optional;

// --- Claiming
// -------------------------------------------------------------------------------------------------------

// Course by course, so that the backlog of one whose key does not work is never read past. A paused course
// opens nothing new, but closing what a person closed goes on.
constexpr db::statement select_due{"access.select_due_calls",
    "select d.* from unnest($1::bigint[], $2::boolean[]) as c (course_id, connected) cross join lateral ("
    " select b.buyer_id, b.user_id, b.course_id, b.subscription_code, b.boom_media, b.state, b.extend, "
    "b.flight, b.due_at"
    " from buyers b where b.course_id = c.course_id and b.lane = $3 and b.due_at <= now()"
    "  and (c.connected or b.state = 'closing') and b.asked_until is null"
    "  and not exists (select from buyers o where o.user_id = b.user_id and o.subscription_code = "
    "b.subscription_code"
    "   and o.asked_until is not null)"
    // A buyer about to be deleted has the code that this one would be added with: first the one, then the
    // other.
    "  and not (b.state = 'wanted' and exists (select from buyers o where o.user_id = b.user_id"
    "   and o.subscription_code = b.subscription_code and o.state = 'closing' and o.code_version = case"
    "    when b.hash_box is not null then b.code_version"
    "    else (select u.code_version from accounts.v_users u where u.user_id = b.user_id) end))"
    " order by b.due_at limit $4 for update of b skip locked) d",
    false};

constexpr db::statement look_for_work{"access.look_for_work",
    "select exists (select from dirty where lane = $1) or exists (select from catalog.v_courses c"
    " left join provider_health h using (course_id) where coalesce(h.ok, true) and c.boomstream_api_key_box "
    "is not null"
    " and exists (select from buyers b where b.course_id = c.course_id and b.lane = $1 and b.due_at <= now()"
    "  and (c.state = 'connected' or b.state = 'closing'))) as any"};

constexpr db::statement retry_parked{"access.retry_waiting_calls",
    "update buyers set due_at = now(), failures = 0"
    " where course_id = $1 and state = 'wanted' and due_at is null and asked_until is null"};

constexpr db::statement lock_free_students{"access.lock_free_students",
    "select user_id from students where user_id = any($1::uuid[]) order by user_id for update skip locked"};

constexpr db::statement select_call_parts{"access.select_call_parts",
    "select b.buyer_id, b.hash_box, b.code_version, b.ends_at, u.email, u.boom_code_box, u.code_version as "
    "current_version,"
    " exists (select from grants g where g.user_id = b.user_id and g.subscription_code = b.subscription_code"
    "  and g.state = 'confirmed') as replaces"
    " from buyers b left join accounts.v_users u using (user_id) where b.buyer_id = any($1::uuid[])"};

// Looks once more for a call of the same student and subscription: the first look was before the student's
// row was locked.
constexpr db::statement start_flights{"access.start_flights",
    "update buyers b set state = case when b.state = 'wanted' then 'asked' else b.state end, hash_box = "
    "t.hash_box,"
    " code_version = t.code_version, due_at = null, flight = b.flight + 1, asked_at = clock_timestamp(),"
    " asked_until = now() + $5::bigint * interval '1 millisecond', read_from = null"
    " from unnest($1::uuid[], $2::bigint[], $3::bytea[], $4::bigint[]) as t (buyer_id, flight, hash_box, "
    "code_version)"
    " where b.buyer_id = t.buyer_id and b.flight = t.flight and b.asked_until is null"
    "  and not exists (select from buyers o where o.user_id = b.user_id and o.subscription_code = "
    "b.subscription_code"
    "   and o.asked_until is not null)"
    "  and not (b.state = 'wanted' and exists (select from buyers o where o.user_id = b.user_id"
    "   and o.subscription_code = b.subscription_code and o.state = 'closing' and o.code_version = "
    "t.code_version))"
    " returning b.buyer_id, b.flight"};

constexpr db::statement ask_waiting_grants{"access.ask_waiting_grants",
    "update grants g set state = 'asked', asked_at = clock_timestamp(), asked_until = now() + $3::bigint * "
    "interval '1 millisecond',"
    " next_try_at = null, changed_at = now() from unnest($1::uuid[], $2::text[]) as t (user_id, code)"
    " where g.user_id = t.user_id and g.subscription_code = t.code and g.state in ('wanted', 'failed')"};

// No call can be made with what is there; looked at again in a while.
constexpr db::statement put_off{"access.put_off_calls",
    "with b as (update buyers set due_at = now() + interval '10 minutes', reason = $2 where "
    "buyer_id = any($1::uuid[]) and asked_until is null returning user_id, subscription_code, state, due_at)"
    " update grants g set provider_reason = $2, next_try_at = b.due_at, changed_at = now() from b"
    " where g.user_id = b.user_id and g.subscription_code = b.subscription_code and b.state = 'wanted'"
    "  and g.state in ('wanted', 'failed')"};

// --- Settling
// -------------------------------------------------------------------------------------------------------

constexpr db::statement lock_students{"access.lock_students_of_answers",
    "select s.user_id, exists (select from requests r where r.user_id = s.user_id and r.state = 'pending')"
    // The code was rotated while the old one was on its way.
    " or exists (select from buyers b join accounts.v_users u using (user_id) where b.buyer_id = "
    "any($2::uuid[])"
    "  and b.user_id = s.user_id and b.state = 'asked' and b.code_version <> u.code_version) as look_again"
    " from students s where s.user_id = any($1::uuid[]) order by s.user_id for update of s"};

// A rotation: the buyer with the old code goes as soon as the one with the new code is there.
constexpr db::statement retire_replaced{"access.retire_replaced_buyers",
    "update buyers o set state = 'closing', lane = 'fresh', due_at = now(), extend = false, failures = 0, "
    "misses = 0, settled_at = now()"
    " from unnest($1::uuid[], $2::bigint[]) as t (buyer_id, flight) join buyers b on b.buyer_id = t.buyer_id"
    " where b.flight = t.flight and b.state = 'asked' and o.user_id = b.user_id and o.subscription_code = "
    "b.subscription_code"
    "  and o.state = 'live'"};

constexpr db::statement confirm_buyers{"access.confirm_buyers",
    "with b as (update buyers x set state = 'live', end_date = coalesce(t.ends_at, x.ends_at), asked_until = "
    "null, due_at = null,"
    " failures = 0, misses = 0, reason = null, settled_at = now()"
    " from unnest($1::uuid[], $2::bigint[], $3::timestamptz[]) as t (buyer_id, flight, ends_at)"
    " where x.buyer_id = t.buyer_id and x.flight = t.flight and x.state = 'asked'"
    " returning x.buyer_id, x.user_id, x.subscription_code, x.end_date)"
    " update grants g set state = 'confirmed', confirmed_at = clock_timestamp(), buyer_id = b.buyer_id, "
    "end_date = b.end_date,"
    " attempts = g.attempts + case when g.state = 'asked' then 1 else 0 end, next_try_at = null, "
    "provider_reason = null,"
    " asked_until = null, changed_at = now()"
    " from b where g.user_id = b.user_id and g.subscription_code = b.subscription_code and g.state in "
    "('wanted', 'asked', 'failed')"
    " returning " COURSEGATE_GRANT_COLUMNS};

// Grants confirmed earlier (a rotation, a repair) belong to the new buyer.
constexpr db::statement hand_over_grants{"access.hand_over_grants",
    "update grants g set buyer_id = b.buyer_id, end_date = b.end_date, changed_at = now() from buyers b"
    " where b.buyer_id = any($1::uuid[]) and b.state = 'live' and g.user_id = b.user_id"
    "  and g.subscription_code = b.subscription_code and g.state = 'confirmed' and g.buyer_id is distinct "
    "from b.buyer_id"};

constexpr db::statement end_extensions{"access.end_extensions",
    "update buyers b set end_date = coalesce(t.ends_at, b.ends_at), extend = false, asked_until = null, "
    "due_at = null, failures = 0,"
    " misses = 0, reason = t.reason, settled_at = now()"
    " from unnest($1::uuid[], $2::bigint[], $3::timestamptz[], $4::text[]) as t (buyer_id, flight, ends_at, "
    "reason)"
    " where b.buyer_id = t.buyer_id and b.flight = t.flight and b.state = 'live' and b.asked_until is not "
    "null"};

constexpr db::statement bury_buyers{"access.bury_buyers",
    "with b as (update buyers x set state = 'gone', asked_until = null, due_at = null, reason = null, "
    "settled_at = now()"
    " from unnest($1::uuid[], $2::bigint[]) as t (buyer_id, flight)"
    " where x.buyer_id = t.buyer_id and x.flight = t.flight and x.state = 'closing' and x.asked_until is not "
    "null"
    " returning x.user_id, x.subscription_code)"
    " update grants g set state = 'revoked', closing = false, revoked_at = clock_timestamp(), buyer_id = "
    "null, changed_at = now()"
    " from b where g.user_id = b.user_id and g.subscription_code = b.subscription_code and g.closing"
    // A rotation has another buyer, and the student may be about to lose that one too.
    "  and not exists (select from buyers o where o.user_id = b.user_id and o.subscription_code = "
    "b.subscription_code"
    "   and o.state in ('live', 'asked'))"
    " returning " COURSEGATE_GRANT_COLUMNS};

// The call is over and had no effect. A next try of null waits for a person.
constexpr db::statement end_flights{"access.end_flights",
    "update buyers b set state = case when b.state = 'asked' then 'wanted' else b.state end, asked_until = "
    "null, due_at = t.due_at,"
    // A box is kept only for asking again with the same code; refused calls remember which code it was.
    " hash_box = case when b.state = 'asked' then null else b.hash_box end,"
    " failures = b.failures + t.failed::int, misses = case when t.failed then 0 else b.misses + "
    "t.missed::int end,"
    " reason = nullif(t.reason, ''), settled_at = now()"
    " from unnest($1::uuid[], $2::bigint[], $3::timestamptz[], $4::boolean[], $5::boolean[], $6::text[])"
    "  as t (buyer_id, flight, due_at, failed, missed, reason)"
    " where b.buyer_id = t.buyer_id and b.flight = t.flight and b.asked_until is not null"
    " returning b.buyer_id, b.state"};

constexpr db::statement fail_grants{"access.fail_grants",
    "update grants g set state = 'failed', attempts = g.attempts + 1, provider_reason = t.reason, "
    "next_try_at = t.due_at,"
    " failed_at = clock_timestamp(), asked_until = null, changed_at = now()"
    " from unnest($1::uuid[], $2::text[], $3::timestamptz[]) as t (buyer_id, reason, due_at)"
    " join buyers b on b.buyer_id = t.buyer_id"
    " where g.user_id = b.user_id and g.subscription_code = b.subscription_code"
    // Nothing is tried again by itself: those that waited for the same call wait for the same person.
    "  and (g.state = 'asked' or (g.state = 'wanted' and t.due_at is null)) "
    "returning " COURSEGATE_GRANT_COLUMNS};

constexpr db::statement want_grants_again{"access.want_grants_again",
    "update grants g set state = 'wanted', next_try_at = t.due_at, provider_reason = nullif(t.reason, ''), "
    "asked_until = null,"
    " changed_at = now() from unnest($1::uuid[], $2::text[], $3::timestamptz[]) as t (buyer_id, reason, "
    "due_at)"
    " join buyers b on b.buyer_id = t.buyer_id"
    " where g.user_id = b.user_id and g.subscription_code = b.subscription_code and g.state = 'asked'"};

constexpr db::statement select_tries{"access.select_tries",
    "select buyer_id, failures, misses, now() as at from buyers where buyer_id = any($1::uuid[])"};

// The list may be read at once: should an addbuyer have had its effect, the student waits no longer. A
// deletebuyer is looked for when asked_until has passed.
constexpr db::statement mark_unknown{"access.mark_unknown",
    "update buyers b set read_from = clock_timestamp(), reason = t.reason"
    " from unnest($1::uuid[], $2::bigint[], $3::text[]) as t (buyer_id, flight, reason)"
    " where b.buyer_id = t.buyer_id and b.flight = t.flight and b.state = 'asked'"};

// --- Unknown outcomes
// -----------------------------------------------------------------------------------------------

constexpr db::statement look_for_unclear{"access.look_for_unclear",
    "select exists (select from buyers where asked_until <= now()) or"
    " exists (select from buyers where read_from <= now() and asked_until is not null) as calls,"
    " exists (select from provider_health where not ok and next_probe_at <= now()) as courses"};

constexpr db::statement select_unknown{"access.select_unknown",
    "select distinct course_id, subscription_code from ("
    "select course_id, subscription_code from buyers where asked_until <= now()"
    " union all select course_id, subscription_code from buyers where read_from <= now() and asked_until is "
    "not null) u"
    " where course_id = any($1::bigint[]) and not exists (select from subscription_lists l"
    "  where l.subscription_code = u.subscription_code and l.next_at > now())"};

constexpr db::statement take_slot{"access.take_list_slot",
    "insert into subscription_lists as l (subscription_code, next_at) values ($1, now() + interval '5 "
    "seconds')"
    " on conflict (subscription_code) do update set next_at = excluded.next_at where l.next_at <= now()"};

// `certain`: nothing can be under way any more, so what the list does not have is not there.
constexpr db::statement select_unknown_calls{"access.select_unknown_calls",
    "select buyer_id, flight, user_id, state, hash_box, ends_at, asked_until <= now() as certain from buyers"
    " where subscription_code = $1 and course_id = $2 and (asked_until <= now()"
    "  or (read_from <= now() and asked_until is not null))"};

// Not in an early list: that proves nothing, the next one is read when asked_until has passed.
constexpr db::statement read_later{"access.read_later",
    "update buyers b set read_from = null from unnest($1::uuid[], $2::bigint[]) as t (buyer_id, flight)"
    " where b.buyer_id = t.buyer_id and b.flight = t.flight and b.state = 'asked'"};

// The list shows that addbuyer had no effect: asked again at once, with the same code.
constexpr db::statement ask_again{"access.ask_again",
    "with b as (update buyers x set state = 'wanted', asked_until = null, due_at = now(), misses = x.misses "
    "+ 1, settled_at = now()"
    " from unnest($1::uuid[], $2::bigint[]) as t (buyer_id, flight)"
    " where x.buyer_id = t.buyer_id and x.flight = t.flight and x.state = 'asked' returning x.user_id, "
    "x.subscription_code)"
    " update grants g set state = 'wanted', attempts = g.attempts + 1, asked_until = null, changed_at = "
    "now() from b"
    " where g.user_id = b.user_id and g.subscription_code = b.subscription_code and g.state = 'asked'"};

constexpr db::statement repeat_calls{"access.repeat_calls",
    "update buyers b set asked_until = null, due_at = now(), settled_at = now()"
    " from unnest($1::uuid[], $2::bigint[]) as t (buyer_id, flight)"
    " where b.buyer_id = t.buyer_id and b.flight = t.flight and b.state in ('closing', 'live') and "
    "b.asked_until is not null"};

constexpr const char* unreadable_code =
    "The student's Boomstream code can't be read (it was sealed with another SECRET_KEY).";

double spread()
{
    return static_cast<double>(static_cast<unsigned char>(base::random_bytes(1)[0])) / 255.0;
}

base::box_owner hash_owner(const std::string& buyer_id)
{
    return {"access.buyers", "hash_box", buyer_id};
}

struct flights
{
    std::vector<base::uuid> ids;
    std::vector<std::int64_t> numbers;

    void add(const base::uuid& id, int flight)
    {
        ids.push_back(id);
        numbers.push_back(flight);
    }
    bool empty() const { return ids.empty(); }
};

// In the order of their ids, so that nobody waits in a circle. Returns those for whom the outcome of the call
// is not the end of the matter: they are to be looked at again.
std::vector<base::uuid> lock_called(
    db::transaction& tx, const std::vector<base::uuid>& users, const std::vector<base::uuid>& buyers)
{
    std::vector<base::uuid> look_again;
    for (const auto& row : tx.exec(lock_students, users, buyers))
        if (get<bool>(row, "look_again"))
            look_again.push_back(get<base::uuid>(row, "user_id"));
    return look_again;
}

void confirm(db::transaction& tx, const flights& f, const std::vector<std::optional<base::time_point>>& ends,
    bool replaces, std::vector<events::envelope>& envelopes, settling& out)
{
    if (replaces)
        tx.exec(retire_replaced, f.ids, f.numbers); // before the new one: there is one live buyer
    const auto rows = tx.exec(confirm_buyers, f.ids, f.numbers, db::times(ends));
    for (const auto& row : rows) {
        envelopes.push_back(issued(row));
        out.confirmed.push_back(confirmation_of(row));
    }
    if (replaces)
        tx.exec(hand_over_grants, f.ids);
}

void bury(db::transaction& tx, const flights& f, std::vector<events::envelope>& envelopes, settling& out)
{
    const auto rows = tx.exec(bury_buyers, f.ids, f.numbers);
    for (const auto& row : rows)
        envelopes.push_back(revoked(row));
    out.revoked += static_cast<int>(rows.size());
}

// Calls whose code can't be read any more: no list can tell of them, so they wait for a person.
void give_up(db::transaction& tx, const flights& f, std::vector<events::envelope>& envelopes, settling& out)
{
    const std::vector<std::optional<base::time_point>> never(f.ids.size());
    const std::vector<bool> failed_flags(f.ids.size(), true), missed_flags(f.ids.size(), false);
    const std::vector<std::string> reasons(f.ids.size(), unreadable_code);
    std::vector<base::uuid> failing;
    for (const auto& row :
        tx.exec(end_flights, f.ids, f.numbers, db::times(never), failed_flags, missed_flags, reasons))
        if (parse_buyer_state(get<std::string>(row, "state")) == buyer_state::wanted)
            failing.push_back(get<base::uuid>(row, "buyer_id"));
    if (failing.empty())
        return;
    const std::vector<std::string> why(failing.size(), unreadable_code);
    const std::vector<std::optional<base::time_point>> no_next(failing.size());
    for (const auto& row : tx.exec(fail_grants, failing, why, db::times(no_next))) {
        envelopes.push_back(failed(row));
        ++out.failed;
    }
}

// Once per box: registering copies what is registered.
void keep_out_of_logs(const std::string& box, const base::secret& key)
{
    static std::mutex mutex;
    static std::set<std::string> known;
    const std::lock_guard lock(mutex);
    if (known.insert(box).second)
        log::never_print(key);
}

} // namespace

std::string_view to_string(call_kind k)
{
    switch (k) {
    case call_kind::grant:
        return "grant";
    case call_kind::extend:
        return "extend";
    case call_kind::revoke:
        return "revoke";
    }
    throw std::logic_error("boomstream-grant: a kind of call without a word");
}

base::secret open_key(const base::keyring& keys, const course_row& course, std::string& problem)
{
    if (course.api_key_box.empty()) {
        problem = "No Boomstream key is set for this course.";
        return {};
    }
    const auto row = std::to_string(course.course_id);
    auto key = keys.open({"catalog.courses", "boomstream_api_key_box", row}, course.api_key_box);
    if (key.has_value() && !key->empty()) {
        keep_out_of_logs(course.api_key_box, *key);
        return std::move(*key);
    }
    problem =
        "The course's Boomstream key can't be read (it was sealed with another SECRET_KEY); set it again.";
    return {};
}

base::result<base::secret> open_code(
    const base::keyring& keys, const base::uuid& user_id, std::string_view box)
{
    const auto row = base::to_string(user_id);
    return keys.open({"accounts.users", "boom_code_box", row}, box);
}

std::string seal_hash(const base::keyring& keys, const base::uuid& buyer_id, const base::secret& hash)
{
    const auto row = base::to_string(buyer_id);
    return keys.seal(hash_owner(row), hash);
}

claimed claim_calls(db::transaction& tx, const base::keyring& keys, const std::vector<course_row>& courses,
    lane way, int limit, std::chrono::milliseconds asked_for)
{
    claimed out;
    if (limit <= 0)
        return out;
    std::map<std::int64_t, base::secret> key_of;
    std::vector<std::int64_t> ids;
    std::vector<bool> connected;
    for (const auto& c : courses) {
        if (!c.key_works)
            continue;
        std::string problem;
        auto key = open_key(keys, c, problem);
        if (key.empty())
            continue; // health.cpp says so to the author as soon as somebody waits
        key_of.emplace(c.course_id, std::move(key));
        ids.push_back(c.course_id);
        connected.push_back(c.connected);
    }
    if (ids.empty())
        return out;

    std::vector<call> all;
    std::vector<base::time_point> due;
    for (const auto& row : tx.exec(select_due, ids, connected, to_string(way), limit)) {
        call c;
        c.buyer_id = get<base::uuid>(row, "buyer_id");
        c.user_id = get<base::uuid>(row, "user_id");
        c.course_id = get<std::int64_t>(row, "course_id");
        c.flight = get<int>(row, "flight");
        c.way = way;
        c.what.subscription = get<std::string>(row, "subscription_code");
        c.what.media = get<std::string>(row, "boom_media");
        const auto state = parse_buyer_state(get<std::string>(row, "state"));
        c.kind = state == buyer_state::closing ? call_kind::revoke
                 : get<bool>(row, "extend")    ? call_kind::extend
                                               : call_kind::grant;
        all.push_back(std::move(c));
        due.push_back(get<base::time_point>(row, "due_at"));
    }
    if (all.empty())
        return out;
    out.more = static_cast<int>(all.size()) >= limit;

    // Longest waiting first over all courses, and one call per (student, subscription).
    std::vector<std::size_t> turn(all.size());
    for (std::size_t i = 0; i < turn.size(); ++i)
        turn[i] = i;
    std::stable_sort(turn.begin(), turn.end(), [&](auto a, auto b) { return due[a] < due[b]; });
    std::set<std::pair<base::uuid, std::string>> taken;
    std::vector<base::uuid> users, buyer_ids;
    std::map<base::uuid, call> chosen;
    for (const auto i : turn) {
        auto& c = all[i];
        if (static_cast<int>(chosen.size()) == limit || !taken.emplace(c.user_id, c.what.subscription).second)
            continue;
        users.push_back(c.user_id);
        buyer_ids.push_back(c.buyer_id);
        chosen.emplace(c.buyer_id, std::move(c));
    }
    std::set<base::uuid> locked;
    for (const auto& row : tx.exec(lock_free_students, users))
        locked.insert(get<base::uuid>(row, "user_id"));

    flights f;
    std::vector<std::string> boxes;
    std::vector<std::int64_t> versions;
    std::vector<base::uuid> impossible;
    for (const auto& row : tx.exec(select_call_parts, buyer_ids)) {
        auto& c = chosen.at(get<base::uuid>(row, "buyer_id"));
        if (!locked.contains(c.user_id))
            continue;
        c.replaces = get<bool>(row, "replaces");
        c.what.api_key = key_of.at(c.course_id);
        c.what.ends_at = get<base::time_point>(row, "ends_at");
        c.what.email = get_optional<std::string>(row, "email").value_or("");
        auto version = get<int>(row, "code_version");
        std::string box;
        base::result<base::secret> hash = base::secret();
        if (!row["hash_box"].is_null()) {
            box = db::get_bytes(row, "hash_box");
            const auto id = base::to_string(c.buyer_id);
            hash = keys.open(hash_owner(id), box);
        }
        else if (!row["boom_code_box"].is_null()) {
            hash = open_code(keys, c.user_id, db::get_bytes(row, "boom_code_box"));
            version = get<int>(row, "current_version");
            if (hash.has_value())
                box = seal_hash(keys, c.buyer_id, *hash);
        }
        if (!hash.has_value() || hash->empty()) {
            if (!hash.has_value())
                log::error("a student's code can't be read",
                    {{"buyer_id", c.buyer_id}, {"error", hash.error().code.message()}});
            impossible.push_back(c.buyer_id);
            continue;
        }
        c.what.hash = std::move(*hash);
        f.add(c.buyer_id, c.flight);
        boxes.push_back(std::move(box));
        versions.push_back(version);
    }
    if (!impossible.empty())
        tx.exec(put_off, impossible, unreadable_code);
    if (f.empty())
        return out;

    const std::int64_t claim_ms = asked_for.count();
    std::vector<std::string> codes;
    users.clear();
    for (const auto& row :
        tx.exec(start_flights, f.ids, f.numbers, db::byte_arrays(boxes), versions, claim_ms)) {
        auto& c = chosen.at(get<base::uuid>(row, "buyer_id"));
        c.flight = get<int>(row, "flight");
        if (c.kind == call_kind::grant) {
            users.push_back(c.user_id);
            codes.push_back(c.what.subscription);
        }
        out.calls.push_back(std::move(c));
    }
    if (!users.empty())
        tx.exec(ask_waiting_grants, users, codes, claim_ms);
    return out;
}

void retry_waiting(db::transaction& tx, std::int64_t course_id)
{
    if (tx.exec(retry_parked, course_id).affected_rows() > 0) {
        tx.wake_after_commit(fresh_topic);
        tx.wake_after_commit(backfill_topic);
    }
}

bool anything_waits(db::transaction& tx, lane way)
{
    return get<bool>(tx.exec(look_for_work, to_string(way))[0], "any");
}

settling settle_calls(
    db::transaction& tx, const std::vector<call_result>& results, const std::set<std::int64_t>& noted_lately)
{
    settling out;
    std::vector<base::uuid> users, called;
    for (const auto& r : results) {
        users.push_back(r.made.user_id);
        called.push_back(r.made.buyer_id);
    }
    const auto look_again = lock_called(tx, users, called);

    flights granted, extended, buried, ended, unknown;
    std::vector<std::optional<base::time_point>> granted_ends, extended_ends, due;
    std::vector<std::string> extended_reasons, reasons, unknown_reasons;
    std::vector<bool> failed_flags, missed_flags;
    std::vector<base::uuid> refused_ids;
    bool replaces = false;
    auto& good = out.good;
    std::map<std::int64_t, std::string> bad;
    std::vector<const call_result*> without_effect;
    for (const auto& r : results) {
        if (!r.refused) {
            good.insert(r.made.course_id);
            switch (r.made.kind) {
            case call_kind::grant:
                granted.add(r.made.buyer_id, r.made.flight);
                granted_ends.push_back(r.ends_at);
                replaces = replaces || r.made.replaces;
                break;
            case call_kind::extend:
                extended.add(r.made.buyer_id, r.made.flight);
                extended_ends.push_back(r.ends_at);
                extended_reasons.emplace_back();
                break;
            case call_kind::revoke:
                buried.add(r.made.buyer_id, r.made.flight);
                break;
            }
            continue;
        }
        switch (r.refused->code) {
        case outcome::unknown:
            out.unknown = true;
            unknown.add(r.made.buyer_id, r.made.flight);
            unknown_reasons.push_back(r.refused->message);
            break;
        case outcome::misconfigured:
            bad[r.made.course_id] = r.refused->message;
            without_effect.push_back(&r);
            break;
        case outcome::rejected:
            good.insert(r.made.course_id); // the key is fine
            if (r.made.kind == call_kind::extend) {
                // The end stays as it is; the next audit finds it again.
                extended.add(r.made.buyer_id, r.made.flight);
                extended_ends.emplace_back(std::nullopt);
                extended_reasons.push_back(r.refused->message);
                break;
            }
            without_effect.push_back(&r);
            break;
        case outcome::not_sent:
        case outcome::circuit_open:
        case outcome::busy:
            without_effect.push_back(&r);
            break;
        }
    }

    std::vector<events::envelope> envelopes;
    if (!granted.empty())
        confirm(tx, granted, granted_ends, replaces, envelopes, out);
    out.calls_wait = out.calls_wait || replaces; // the old buyer is to be deleted
    if (!extended.empty())
        tx.exec(end_extensions, extended.ids, extended.numbers, db::times(extended_ends), extended_reasons);
    if (!buried.empty())
        bury(tx, buried, envelopes, out);
    if (!unknown.empty())
        tx.exec(mark_unknown, unknown.ids, unknown.numbers, unknown_reasons);
    if (!without_effect.empty()) {
        std::vector<base::uuid> ids;
        for (const auto* r : without_effect)
            ids.push_back(r->made.buyer_id);
        struct tries
        {
            int failures = 0, misses = 0;
            base::time_point now{};
        };
        std::map<base::uuid, tries> before;
        for (const auto& row : tx.exec(select_tries, ids))
            before[get<base::uuid>(row, "buyer_id")] = {
                get<int>(row, "failures"), get<int>(row, "misses"), get<base::time_point>(row, "at")};
        std::map<base::uuid, const call_result*> of;
        std::map<base::uuid, std::optional<base::time_point>> due_of;
        for (const auto* r : without_effect) {
            const auto t = before[r->made.buyer_id];
            const bool rejected = r->refused->code == outcome::rejected;
            std::optional<base::time_point> next;
            if (r->refused->code == outcome::misconfigured)
                next = t.now; // held back by the course's health, not by a clock
            else if (!rejected)
                next = t.now + r->refused->wait.value_or(wait_after_not_sent(t.misses + 1, spread()));
            else if (r->made.kind != call_kind::grant || !r->refused->needs_person)
                next = t.now + wait_after_refusal(t.failures + 1, spread());
            ended.add(r->made.buyer_id, r->made.flight);
            due.push_back(next);
            failed_flags.push_back(rejected);
            missed_flags.push_back(!rejected);
            reasons.push_back(r->refused->message);
            of[r->made.buyer_id] = r;
            due_of[r->made.buyer_id] = next;
            out.calls_wait = true;
        }
        std::vector<base::uuid> failing, waiting;
        std::vector<std::string> failing_reasons, waiting_reasons;
        std::vector<std::optional<base::time_point>> failing_due, waiting_due;
        for (const auto& row : tx.exec(
                 end_flights, ended.ids, ended.numbers, db::times(due), failed_flags, missed_flags, reasons))
        {
            const auto id = get<base::uuid>(row, "buyer_id");
            const auto* r = of.at(id);
            if (r->made.kind != call_kind::grant)
                continue;
            const bool rejected = r->refused->code == outcome::rejected;
            (rejected ? failing : waiting).push_back(id);
            (rejected ? failing_reasons : waiting_reasons).push_back(r->refused->message);
            (rejected ? failing_due : waiting_due).push_back(due_of.at(id));
        }
        if (!failing.empty())
            for (const auto& row : tx.exec(fail_grants, failing, failing_reasons, db::times(failing_due))) {
                envelopes.push_back(failed(row));
                ++out.failed;
            }
        if (!waiting.empty())
            tx.exec(want_grants_again, waiting, waiting_reasons, db::times(waiting_due));
    }

    for (const auto& [id, words] : bad) {
        good.erase(id);
        out.bad.insert(id);
    }
    std::erase_if(good, [&](std::int64_t id) { return noted_lately.contains(id); });
    note_health(tx, good, bad);
    // A revoke may have waited for one of these calls, and an order wants its answer.
    mark_users(tx, look_again, lane::fresh);
    outbox::add_envelopes(tx, envelopes);
    return out;
}

bool take_list_slot(db::transaction& tx, const std::string& subscription)
{
    return tx.exec(take_slot, subscription).affected_rows() == 1;
}

unclear look(db::transaction& tx)
{
    const auto r = tx.exec(look_for_unclear);
    return {get<bool>(r[0], "calls"), get<bool>(r[0], "courses")};
}

std::vector<unclear_list> find_unknown(db::transaction& tx, const base::keyring& keys)
{
    std::vector<unclear_list> out;
    std::vector<std::int64_t> ids;
    std::map<std::int64_t, base::secret> key_of;
    for (const auto& c : read_courses(tx)) {
        std::string problem;
        auto key = c.key_works ? open_key(keys, c, problem) : base::secret();
        if (key.empty())
            continue; // nothing can be read with it either
        key_of.emplace(c.course_id, std::move(key));
        ids.push_back(c.course_id);
    }
    if (ids.empty())
        return out;
    for (const auto& row : tx.exec(select_unknown, ids)) {
        unclear_list l;
        l.course_id = get<std::int64_t>(row, "course_id");
        l.subscription = get<std::string>(row, "subscription_code");
        l.api_key = key_of.at(l.course_id);
        out.push_back(std::move(l));
    }
    return out;
}

std::vector<unknown_call> take_unknown(
    db::transaction& tx, const base::keyring& keys, const unclear_list& list)
{
    std::vector<unknown_call> out;
    const auto rows = tx.exec(select_unknown_calls, list.subscription, list.course_id);
    if (rows.empty() || !take_list_slot(tx, list.subscription))
        return out;
    for (const auto& row : rows) {
        unknown_call c;
        c.buyer_id = get<base::uuid>(row, "buyer_id");
        c.flight = get<int>(row, "flight");
        c.user_id = get<base::uuid>(row, "user_id");
        c.state = parse_buyer_state(get<std::string>(row, "state"));
        c.ends_at = get<base::time_point>(row, "ends_at");
        c.certain = get<bool>(row, "certain");
        const auto id = base::to_string(c.buyer_id);
        auto hash = keys.open(hash_owner(id), db::get_bytes(row, "hash_box"));
        if (hash.has_value())
            c.hash = std::move(*hash);
        else
            log::error("a buyer's code can't be read",
                {{"buyer_id", c.buyer_id}, {"error", hash.error().code.message()}});
        out.push_back(std::move(c));
    }
    return out;
}

settling settle_unknown(db::transaction& tx, const std::vector<read_back>& all)
{
    settling out;
    std::vector<base::uuid> users, called;
    for (const auto& r : all) {
        users.push_back(r.call.user_id);
        called.push_back(r.call.buyer_id);
    }
    const auto look_again = lock_called(tx, users, called);

    flights granted, absent, buried, repeated, extended, early, unreadable;
    std::vector<std::optional<base::time_point>> granted_ends, extended_ends;
    std::vector<std::string> no_reasons;
    for (const auto& r : all) {
        const auto& c = r.call;
        if (!c.certain && !r.there)
            early.add(c.buyer_id, c.flight);
        else if (c.hash.empty())
            unreadable.add(c.buyer_id, c.flight);
        else if (c.state == buyer_state::asked && r.there) {
            granted.add(c.buyer_id, c.flight);
            granted_ends.push_back(r.there->ends_at);
        }
        else if (c.state == buyer_state::asked)
            absent.add(c.buyer_id, c.flight);
        else if (c.state == buyer_state::closing && !r.there)
            buried.add(c.buyer_id, c.flight);
        else if (c.state == buyer_state::live && r.there &&
                 (!r.there->ends_at || *r.there->ends_at + std::chrono::minutes(1) >= c.ends_at))
        {
            extended.add(c.buyer_id, c.flight);
            extended_ends.push_back(r.there->ends_at);
            no_reasons.emplace_back();
        }
        else
            repeated.add(c.buyer_id, c.flight);
    }
    std::vector<events::envelope> envelopes;
    if (!granted.empty())
        confirm(tx, granted, granted_ends, true, envelopes, out);
    if (!absent.empty()) {
        tx.exec(ask_again, absent.ids, absent.numbers);
        out.calls_wait = true;
    }
    if (!early.empty())
        tx.exec(read_later, early.ids, early.numbers);
    if (!unreadable.empty())
        give_up(tx, unreadable, envelopes, out);
    if (!buried.empty())
        bury(tx, buried, envelopes, out);
    if (!extended.empty())
        tx.exec(end_extensions, extended.ids, extended.numbers, db::times(extended_ends), no_reasons);
    if (!repeated.empty()) {
        tx.exec(repeat_calls, repeated.ids, repeated.numbers);
        out.calls_wait = true;
    }
    mark_users(tx, look_again, lane::fresh);
    outbox::add_envelopes(tx, envelopes);
    return out;
}

} // namespace coursegate::boomstream_grant
