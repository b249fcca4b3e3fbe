#include "coursegate/outbox/outbox.hpp"

#include "handover.hpp"

#include <unordered_map>

namespace coursegate::outbox {

namespace {

// Ids in the order of the list: unnest keeps it, the sort makes it certain. $7: who has claimed them from the
// start, NULL for nobody.
constexpr db::statement add_rows{"outbox.add",
    "insert into outbox (message_id, type, routing_key, correlation_id, traceparent, body, claimed_by,"
    "  claimed_until)"
    " select message_id, type, routing_key, correlation_id, traceparent, body, $7::text,"
    "  case when $7::text is not null then clock_timestamp() + $8::bigint * interval '1 millisecond' end"
    " from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[]) with ordinality"
    "  as t (message_id, type, routing_key, correlation_id, traceparent, body, position)"
    " order by position returning id, message_id"};

constexpr db::statement remember{
    "inbox.first_time", "insert into inbox (handler, message_id) values ($1, $2) on conflict do nothing"};

// A slice at a time, so that no transaction lasts; the index is by arrival.
constexpr db::statement purge{"inbox.purge", "delete from inbox where ctid = any (array("
                                             "  select ctid from inbox where received_at < now() - interval "
                                             "'30 days' limit 5000 for update skip locked))"};

} // namespace

void add_envelope(db::transaction& tx, const events::envelope& e)
{
    add_envelopes(tx, {e});
}

void add_envelopes(db::transaction& tx, const std::vector<events::envelope>& all)
{
    if (all.empty())
        return;
    std::vector<base::uuid> ids;
    std::vector<std::string> types, keys, correlations, traces, bodies;
    for (const auto& e : all) {
        ids.push_back(e.id);
        types.push_back(e.type);
        keys.push_back(e.routing_key());
        correlations.push_back(e.correlation_id);
        traces.push_back(e.traceparent);
        bodies.push_back(e.to_body());
    }
    const auto relay = tx.attached<handover>();
    const auto claim = relay ? relay->offer(all.size()) : std::nullopt;
    const auto rows = tx.exec(add_rows, ids, types, keys, correlations, traces, bodies,
        claim ? std::optional(claim->name) : std::nullopt, claim ? claim->lasts.count() : 0);
    if (!claim) {
        tx.wake_after_commit("outbox");
        return;
    }
    std::unordered_map<base::uuid, std::int64_t> row_of;
    for (const auto& row : rows)
        row_of.emplace(db::get<base::uuid>(row, "message_id"), db::get<std::int64_t>(row, "id"));
    std::vector<handed_row> handed;
    for (std::size_t i = 0; i < all.size(); ++i) {
        handed_row row;
        row.id = row_of.at(ids[i]);
        row.message = {base::to_string(ids[i]), std::move(types[i]), std::move(keys[i]),
            std::move(correlations[i]), std::move(traces[i]), std::move(bodies[i])};
        row.since = std::chrono::steady_clock::now();
        handed.push_back(std::move(row));
    }
    tx.after_commit([relay, handed = std::move(handed)] { relay->put(handed); });
}

bool first_time(db::transaction& tx, std::string_view handler, std::string_view message_id)
{
    return tx.exec(remember, handler, message_id).affected_rows() == 1;
}

std::size_t purge_inbox(db::transaction& tx)
{
    return tx.exec(purge).affected_rows();
}

} // namespace coursegate::outbox
