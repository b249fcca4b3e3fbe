#include "coursegate/db/lease.hpp"

#include "coursegate/db/transaction.hpp"

namespace coursegate::db {

namespace {

// clock_timestamp(), not now(): the transaction may have begun, or waited for the row, long before. The term
// stays while the holder stays, also over a pause in which nobody else took it.
constexpr statement take{"db.take_lease",
    "insert into leases as l (name, holder, term, held_until)"
    " values ($1, $2, 1, clock_timestamp() + $3::bigint * interval '1 millisecond')"
    " on conflict (name) do update set"
    "  term = case when l.holder = excluded.holder then l.term else l.term + 1 end,"
    "  holder = excluded.holder,"
    "  held_until = clock_timestamp() + $3::bigint * interval '1 millisecond'"
    " where l.holder = excluded.holder or l.held_until <= clock_timestamp()"
    " returning term"};

// Share: transactions of the leader run beside each other; a new leader's update waits for all of them.
constexpr statement check{
    "db.check_lease", "select 1 from leases where name = $1 and holder = $2 and term = $3 for share"};

// The row stays, so that the next holder's term is higher.
constexpr statement give_back{"db.drop_lease",
    "update leases set holder = '', held_until = '-infinity' where name = $1 and holder = $2 and term = $3"};

} // namespace

std::optional<lease> take_lease(
    transaction& tx, const std::string& name, const std::string& holder, std::chrono::milliseconds ttl)
{
    if (holder.empty())
        throw std::invalid_argument("a lease needs a holder");
    const auto rows = tx.exec(take, name, holder, ttl.count());
    if (rows.empty())
        return std::nullopt;
    return lease{name, holder, get<std::int64_t>(rows[0], "term")};
}

bool still_leads(transaction& tx, const lease& l)
{
    return !tx.exec(check, l.name, l.holder, l.term).empty();
}

void drop_lease(transaction& tx, const lease& l)
{
    tx.exec(give_back, l.name, l.holder, l.term);
}

} // namespace coursegate::db
