// Audits as rows: ordered by a person or due each day, claimed by one instance, finished with their findings.
//
// Crash while one runs: its claim runs out and some instance starts it again; repairs that were written are
// due calls by then, are counted, and are no longer found.
#pragma once

#include "coursegate/base/keyring.hpp"
#include "coursegate/db/pool.hpp"
#include "domain/audit.hpp"
#include "storage/books.hpp"

#include <optional>
#include <string>
#include <vector>

namespace coursegate::boomstream_grant {

struct audit_order
{
    base::uuid request_id{};
    std::int64_t course_id = 0;
    bool dry_run = true;
    int budget = 0;
    std::string actor;
    bool daily = false;
    int claim = 0;    // which one: whoever's claim ran out has another number
    int repaired = 0; // by those who had it before
};

// The same request twice is one audit.
void add_audit(db::transaction& tx, const audit_order& a);

// A dry run for each connected course that had none since yesterday; none on its first day.
void add_daily_audits(db::transaction& tx);

struct audit_start
{
    audit_order order;
    course_row course;
    std::vector<std::string> subscriptions; // of its buyers, its media and its default
};
// The oldest audit nobody works on. Claimed for `claim`; renew_audit moves that. An audit of a course that is
// not connected or has no usable key fails here, with its reason, and the next one is looked at.
std::optional<audit_start> take_audit(
    db::transaction& tx, const base::keyring& keys, std::chrono::seconds claim);
// False: the claim ran out and somebody else has it.
bool renew_audit(db::transaction& tx, const audit_order& a, std::chrono::seconds claim);

// The database's clock, to be read before Boomstream is asked for its list: only what was settled before
// counts.
base::time_point audit_clock(db::transaction& tx);

// Our buyers of a subscription, with their codes; `asked_at` is audit_clock() from before the list.
std::vector<our_buyer> read_our_buyers(db::transaction& tx, const base::keyring& keys,
    const std::string& subscription, const course_row& course, base::time_point asked_at);

// Makes calls due that remove the differences, as far as they are still there; returns how many. Locks the
// students first. Grants stay confirmed meanwhile: what is open stays open.
int repair(db::transaction& tx, const std::vector<finding>& findings, const course_row& course);

// In the transaction of the repairs, so that whoever takes the audit up after a crash has what is left of its
// budget. False: the claim ran out, and the repairs must not be committed.
bool count_repairs(db::transaction& tx, const audit_order& a, int repairs);

struct audit_end
{
    int missing = 0, extra = 0, wrong_end = 0, repaired = 0;
    std::string findings;              // JSON array
    std::optional<std::string> failed; // why, for people
};
// Writes it down with audit_completed. A daily dry run that found something orders its repairs.
void end_audit(db::transaction& tx, const audit_order& a, const audit_end& e, int daily_budget);

} // namespace coursegate::boomstream_grant
