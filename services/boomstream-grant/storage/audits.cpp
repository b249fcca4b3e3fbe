#include "storage/audits.hpp"

#include "coursegate/db/transaction.hpp"
#include "coursegate/events/audit_completed.hpp"
#include "coursegate/log/log.hpp"
#include "coursegate/outbox/outbox.hpp"
#include "storage/calls.hpp"
#include "storage/issued.hpp"
#include "storage/marks.hpp"

#include <algorithm>

namespace coursegate::boomstream_grant {

namespace {

using db::get;
using db::get_optional;

constexpr db::statement insert_audit{"access.insert_audit",
    "insert into audits (request_id, course_id, dry_run, budget, actor) values ($1, "
    "$2, $3, $4, $5) on conflict do nothing"};

constexpr db::statement insert_daily{"access.insert_daily_audits",
    "insert into audits (request_id, course_id, dry_run, budget, actor, daily_on)"
    " select gen_random_uuid(), c.course_id, true, 0, 'daily audit', current_date from catalog.v_courses c"
    " where c.state = 'connected' and c.boomstream_api_key_box is not null and c.connected_at < now() - "
    "interval '1 day'"
    "  and not exists (select from audits a where a.course_id = c.course_id and a.daily_on is not null and "
    "a.dry_run"
    "   and case when a.state = 'failed' then a.asked_at > now() - interval '1 hour'"
    "    else a.asked_at > now() - interval '23 hours' or a.daily_on = current_date end)"
    " on conflict do nothing"};

constexpr db::statement claim_audit{"access.claim_audit",
    "with next as (select request_id from audits where state = 'waiting' or (state = 'running' and "
    "claimed_until < now())"
    " order by asked_at limit 1 for update skip locked)"
    " update audits a set state = 'running', started_at = coalesce(a.started_at, now()),"
    " claimed_until = now() + $1::bigint * interval '1 second', claims = a.claims + 1"
    " from next where a.request_id = next.request_id"
    " returning a.request_id, a.course_id, a.dry_run, a.budget, a.actor, a.daily_on is not null as daily, "
    "a.claims, a.repaired"};

constexpr db::statement renew{"access.renew_audit",
    "update audits set claimed_until = now() + $2::bigint * interval '1 second' where "
    "request_id = $1 and state = 'running' and claims = $3"};

constexpr db::statement add_repairs{"access.add_audit_repairs",
    "update audits set repaired = repaired + $2 where request_id = $1 and state = 'running' and claims = $3"};

constexpr db::statement lock_repaired{"access.lock_students_of_repairs",
    "select user_id from students where user_id = any($1::uuid[]) order by user_id for update"};

constexpr db::statement select_subscriptions{"access.select_audit_subscriptions",
    "select distinct code from (select subscription_code as code from buyers where course_id = $1"
    " union select coalesce(m.subscription_code, c.default_subscription) from catalog.v_lesson_media m"
    "  join catalog.v_courses c using (course_id) where m.course_id = $1"
    " union select subscription_code from catalog.v_subscriptions where course_id = $1) s where code is not "
    "null order by code"};

constexpr db::statement read_clock{"access.audit_clock", "select clock_timestamp() as at"};

constexpr db::statement select_ours{"access.select_our_buyers",
    "select buyer_id, user_id, state, hash_box, asked_until is null and settled_at < $2 as settled,"
    // Another course may use the same subscription; its buyers' ends are its own audit's business.
    " case when course_id = $3 then $4::timestamptz else '-infinity' end as ends_at"
    " from buyers where subscription_code = $1 and hash_box is not null"};

// Not there any more: asked for again, with the code the student has now. Its grants stay confirmed and are
// handed over.
constexpr db::statement bury_missing{"access.bury_missing_buyers",
    "update buyers set state = 'gone', settled_at = now(), reason = 'not in Boomstream''s list'"
    " where buyer_id = any($1::uuid[]) and state = 'live' and asked_until is null returning user_id"};

constexpr db::statement extend_buyers{"access.extend_buyers",
    "update buyers set extend = true, ends_at = $2, due_at = now(), lane = 'backfill', settled_at = now()"
    " where buyer_id = any($1::uuid[]) and state = 'live' and asked_until is null"};

// Deleted once, and there again (or still): told once more, unless the same student has become a buyer with
// that code again.
constexpr db::statement close_again{"access.close_buyers_again",
    "update buyers b set state = 'closing', due_at = now(), lane = 'backfill', settled_at = now()"
    " where buyer_id = any($1::uuid[]) and state = 'gone' and hash_box is not null and not exists"
    " (select from buyers o where o.user_id = b.user_id and o.subscription_code = b.subscription_code"
    // One that is wanted has no code yet: it may become this one.
    "  and o.state <> 'gone' and (o.code_version = b.code_version or o.state = 'wanted'))"};

constexpr db::statement finish{"access.finish_audit",
    "update audits set state = case when $7::text is null then 'done' else 'failed' end, missing = $2, extra "
    "= $3, wrong_end = $4,"
    " repaired = $5, findings = $6::jsonb, detail = $7, claimed_until = null, finished_at = now()"
    " where request_id = $1 and state = 'running' and claims = $8 returning finished_at"};

constexpr db::statement insert_daily_repair{"access.insert_daily_repair",
    "insert into audits (request_id, course_id, dry_run, budget, actor, daily_on)"
    " select $1, course_id, false, $3, actor, daily_on from audits where request_id = $2 on conflict do "
    "nothing"};

std::vector<base::uuid> of_kind(const std::vector<finding>& findings, finding_kind kind)
{
    std::vector<base::uuid> out;
    for (const auto& f : findings)
        if (f.kind == kind && f.can_repair && f.buyer_id)
            out.push_back(*f.buyer_id);
    return out;
}

} // namespace

void add_audit(db::transaction& tx, const audit_order& a)
{
    tx.exec(insert_audit, a.request_id, a.course_id, a.dry_run, std::max(0, a.budget), a.actor);
    tx.wake_after_commit(audits_topic);
}

void add_daily_audits(db::transaction& tx)
{
    if (tx.exec(insert_daily).affected_rows() > 0)
        tx.wake_after_commit(audits_topic);
}

std::optional<audit_start> take_audit(
    db::transaction& tx, const base::keyring& keys, std::chrono::seconds claim)
{
    for (;;) {
        const auto rows = tx.exec(claim_audit, static_cast<std::int64_t>(claim.count()));
        if (rows.empty())
            return std::nullopt;
        audit_start out;
        out.order.request_id = get<base::uuid>(rows[0], "request_id");
        out.order.course_id = get<std::int64_t>(rows[0], "course_id");
        out.order.dry_run = get<bool>(rows[0], "dry_run");
        out.order.budget = get<int>(rows[0], "budget");
        out.order.actor = get<std::string>(rows[0], "actor");
        out.order.daily = get<bool>(rows[0], "daily");
        out.order.claim = get<int>(rows[0], "claims");
        out.order.repaired = get<int>(rows[0], "repaired");

        const auto courses = read_courses(tx);
        const auto course = std::find_if(courses.begin(), courses.end(),
            [&](const course_row& c) { return c.course_id == out.order.course_id; });
        std::string problem;
        if (course == courses.end())
            problem = "The course is not connected here.";
        else
            (void)open_key(keys, *course, problem);
        if (!problem.empty()) {
            audit_end e;
            e.findings = "[]";
            e.repaired = out.order.repaired;
            e.failed = problem;
            end_audit(tx, out.order, e, 0);
            continue;
        }
        out.course = *course;
        for (const auto& row : tx.exec(select_subscriptions, out.order.course_id))
            out.subscriptions.push_back(get<std::string>(row, "code"));
        return out;
    }
}

bool renew_audit(db::transaction& tx, const audit_order& a, std::chrono::seconds claim)
{
    const auto seconds = static_cast<std::int64_t>(claim.count());
    return tx.exec(renew, a.request_id, seconds, a.claim).affected_rows() == 1;
}

bool count_repairs(db::transaction& tx, const audit_order& a, int repairs)
{
    return tx.exec(add_repairs, a.request_id, repairs, a.claim).affected_rows() == 1;
}

base::time_point audit_clock(db::transaction& tx)
{
    return get<base::time_point>(tx.exec(read_clock)[0], "at");
}

std::vector<our_buyer> read_our_buyers(db::transaction& tx, const base::keyring& keys,
    const std::string& subscription, const course_row& course, base::time_point asked_at)
{
    std::vector<our_buyer> out;
    int unreadable = 0;
    for (const auto& row : tx.exec(select_ours, subscription, asked_at, course.course_id, course.ends_at)) {
        our_buyer b;
        b.buyer_id = get<base::uuid>(row, "buyer_id");
        b.user_id = get<base::uuid>(row, "user_id");
        b.state = parse_buyer_state(get<std::string>(row, "state"));
        b.settled = get<bool>(row, "settled");
        b.ends_at = get<base::time_point>(row, "ends_at");
        const auto id = base::to_string(b.buyer_id);
        auto hash = keys.open({"access.buyers", "hash_box", id}, db::get_bytes(row, "hash_box"));
        if (!hash.has_value()) {
            ++unreadable;
            continue;
        }
        b.hash = std::move(*hash);
        out.push_back(std::move(b));
    }
    if (unreadable > 0)
        log::error("codes of buyers can't be read", {{"subscription", subscription}, {"buyers", unreadable}});
    return out;
}

int repair(db::transaction& tx, const std::vector<finding>& findings, const course_row& course)
{
    std::vector<base::uuid> students;
    for (const auto& f : findings)
        if (f.can_repair && f.user_id)
            students.push_back(*f.user_id);
    tx.exec(lock_repaired, students);

    int done = 0;
    if (const auto ids = of_kind(findings, finding_kind::missing); !ids.empty()) {
        const auto rows = tx.exec(bury_missing, ids);
        done += static_cast<int>(rows.size());
        std::vector<base::uuid> without_buyer;
        for (const auto& row : rows)
            without_buyer.push_back(get<base::uuid>(row, "user_id"));
        mark_users(tx, without_buyer, lane::backfill); // finds open grants without a buyer
    }
    if (const auto ids = of_kind(findings, finding_kind::wrong_end); !ids.empty())
        done += static_cast<int>(tx.exec(extend_buyers, ids, course.ends_at).affected_rows());
    if (const auto ids = of_kind(findings, finding_kind::extra); !ids.empty())
        done += static_cast<int>(tx.exec(close_again, ids).affected_rows());
    if (done > 0)
        tx.wake_after_commit(backfill_topic);
    return done;
}

void end_audit(db::transaction& tx, const audit_order& a, const audit_end& e, int daily_budget)
{
    const auto rows = tx.exec(
        finish, a.request_id, e.missing, e.extra, e.wrong_end, e.repaired, e.findings, e.failed, a.claim);
    if (rows.empty())
        return; // its claim ran out and somebody else finished it
    events::audit_completed done;
    done.request_id = a.request_id;
    done.course_id = a.course_id;
    done.dry_run = a.dry_run;
    done.missing = e.missing;
    done.extra = e.extra;
    done.wrong_end = e.wrong_end;
    done.repaired = e.repaired;
    done.finished_at = get<base::time_point>(rows[0], "finished_at");
    outbox::add(tx, service_name, done);
    if (a.daily && a.dry_run && !e.failed && daily_budget > 0 && e.missing + e.extra + e.wrong_end > 0) {
        tx.exec(insert_daily_repair, base::new_uuid(), a.request_id, daily_budget);
        tx.wake_after_commit(audits_topic);
    }
}

} // namespace coursegate::boomstream_grant
