#include "storage/health.hpp"

#include "coursegate/db/transaction.hpp"
#include "coursegate/log/log.hpp"
#include "storage/calls.hpp"

#include <algorithm>

namespace coursegate::boomstream_grant {

namespace {

using db::get;
using db::get_optional;

constexpr db::statement note_good{"access.note_good_courses",
    "insert into provider_health as h (course_id, last_ok_at) select id, now() from unnest($1::bigint[]) as "
    "id order by id"
    " on conflict (course_id) do update set ok = true, problem = null, last_ok_at = now(),"
    " changed_at = case when h.ok then h.changed_at else now() end"};

constexpr db::statement note_bad{"access.note_bad_courses",
    "insert into provider_health as h (course_id, ok, problem, next_probe_at)"
    " select id, false, problem, now() + interval '1 second' from unnest($1::bigint[], $2::text[]) as t (id, "
    "problem) order by id"
    " on conflict (course_id) do update set ok = false, problem = excluded.problem,"
    " next_probe_at = case when h.ok then excluded.next_probe_at else h.next_probe_at end,"
    " probes = case when h.ok then 0 else h.probes end,"
    " changed_at = case when h.ok then now() else h.changed_at end"
    " where (h.ok, h.problem) is distinct from (false, excluded.problem)"};

constexpr db::statement make_rows{"access.make_health_rows",
    "insert into provider_health (course_id) select id from unnest($1::bigint[]) "
    "as id order by id on conflict do nothing"};

constexpr db::statement set_probe{"access.probe_at_once",
    "update provider_health set next_probe_at = now(), probes = 0 where course_id = $1 and not ok"};

constexpr db::statement take_due_probes{"access.take_probes",
    "update provider_health h set probes = h.probes + 1,"
    " next_probe_at = now() + least(30, 2 ^ least(h.probes + 1, 10)) * interval '1 second'"
    " where not ok and next_probe_at <= now()"
    " returning course_id, coalesce((select subscription_code from buyers b where b.course_id = h.course_id"
    "  and b.due_at is not null limit 1), (select subscription_code from catalog.v_lesson_media m"
    "  where m.course_id = h.course_id and subscription_code is not null limit 1)) as subscription_code"};

constexpr db::statement take_rate{
    "access.take_calls", "select calls, wait_us from take_calls($1, $2, $3, $4)"};

constexpr db::statement pause_rate{"access.pause_calls",
    "update provider_budget set next_at = greatest(next_at, clock_timestamp() + $1::bigint * interval '1 "
    "millisecond')"
    " where provider = 'boomstream'"};

constexpr db::statement report{"access.report_provider",
    "update provider_budget set circuit = $1, rate_per_second = $2"
    " where provider = 'boomstream' and (circuit, rate_per_second) is distinct from ($1, $2::double "
    "precision)"};

constexpr db::statement count_unfinished{"access.count_unfinished",
    "select count(*) filter (where lane = 'fresh') as fresh, count(*) filter (where lane = 'backfill') as "
    "backfill,"
    " (select count(*) from provider_health where not ok) as bad from grants where state in ('wanted', "
    "'asked', 'failed')"};

} // namespace

void note_health(
    db::transaction& tx, const std::set<std::int64_t>& good, const std::map<std::int64_t, std::string>& bad)
{
    std::set<std::int64_t> fine = good;
    if (!bad.empty()) {
        std::vector<std::int64_t> ids;
        std::vector<std::string> problems;
        for (const auto& [id, words] : bad) {
            fine.erase(id);
            ids.push_back(id);
            problems.push_back("Boomstream refuses the course's key (" + words +
                               "). Videos wait until it works; it is tried again by itself.");
            log::warning("Boomstream refuses a course's key", {{"course_id", id}, {"answer", words}});
        }
        tx.exec(note_bad, ids, problems);
    }
    if (!fine.empty()) {
        const std::vector<std::int64_t> ids(fine.begin(), fine.end());
        tx.exec(note_good, ids);
    }
}

void check_keys(db::transaction& tx, const base::keyring& keys, const std::vector<course_row>& courses)
{
    std::vector<std::int64_t> all, bad;
    std::vector<std::string> problems;
    for (const auto& c : courses) {
        all.push_back(c.course_id);
        std::string problem;
        if (c.connected && open_key(keys, c, problem).empty()) {
            bad.push_back(c.course_id);
            problems.push_back(std::move(problem));
        }
    }
    if (!all.empty())
        tx.exec(make_rows, all);
    if (!bad.empty())
        tx.exec(note_bad, bad, problems);
}

void probe_at_once(db::transaction& tx, std::int64_t course_id)
{
    tx.exec(set_probe, course_id);
}

std::vector<probe> take_probes(
    db::transaction& tx, const base::keyring& keys, const std::vector<course_row>& courses)
{
    std::vector<probe> out;
    for (const auto& row : tx.exec(take_due_probes)) {
        const auto id = get<std::int64_t>(row, "course_id");
        const auto course = std::find_if(
            courses.begin(), courses.end(), [&](const course_row& c) { return c.course_id == id; });
        if (course == courses.end() || !course->connected)
            continue; // nothing is asked for it anyway
        probe p;
        p.course_id = id;
        std::string problem;
        p.api_key = open_key(keys, *course, problem);
        if (p.api_key.empty())
            continue; // setting one tells course_connected, which probes at once
        p.subscription = get_optional<std::string>(row, "subscription_code")
                             .value_or(course->default_subscription.value_or(""));
        out.push_back(std::move(p));
    }
    return out;
}

taken take_calls(db::transaction& tx, int calls, double rate, std::chrono::microseconds burst, bool urgent)
{
    const auto r = tx.exec(take_rate, calls, rate, std::chrono::duration<double>(burst).count(), urgent);
    taken out;
    out.calls = get<int>(r[0], "calls");
    out.wait = std::chrono::microseconds(get<std::int64_t>(r[0], "wait_us"));
    return out;
}

void pause_calls(db::transaction& tx, std::chrono::milliseconds d)
{
    tx.exec(pause_rate, static_cast<std::int64_t>(d.count()));
}

void report_provider(db::transaction& tx, const std::string& circuit, double rate)
{
    tx.exec(report, circuit, rate);
}

waiting count_waiting(db::transaction& tx)
{
    const auto r = tx.exec(count_unfinished);
    return {get<int>(r[0], "fresh"), get<int>(r[0], "backfill"), get<int>(r[0], "bad")};
}

} // namespace coursegate::boomstream_grant
