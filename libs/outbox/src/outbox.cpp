#include "coursegate/outbox/outbox.hpp"

namespace coursegate::outbox {

namespace {

constexpr db::statement add_one{"outbox.add",
    "insert into outbox (message_id, type, routing_key, correlation_id, traceparent, body)"
    " values ($1, $2, $3, $4, $5, $6)"};

// Ids in the order of the list: unnest keeps it, the sort makes it certain.
constexpr db::statement add_many{"outbox.add_many",
    "insert into outbox (message_id, type, routing_key, correlation_id, traceparent, body)"
    " select message_id, type, routing_key, correlation_id, traceparent, body"
    " from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[]) with ordinality"
    "  as t (message_id, type, routing_key, correlation_id, traceparent, body, position)"
    " order by position"};

constexpr db::statement remember{
    "inbox.first_time", "insert into inbox (handler, message_id) values ($1, $2) on conflict do nothing"};

// A slice at a time, so that no transaction lasts; the index is by arrival.
constexpr db::statement purge{"inbox.purge", "delete from inbox where ctid = any (array("
                                             "  select ctid from inbox where received_at < now() - interval "
                                             "'30 days' limit 5000 for update skip locked))"};

} // namespace

void add_envelope(db::transaction& tx, const events::envelope& e)
{
    tx.exec(add_one, e.id, e.type, e.routing_key(), e.correlation_id, e.traceparent, e.to_body());
    tx.wake_after_commit("outbox");
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
    tx.exec(add_many, ids, types, keys, correlations, traces, bodies);
    tx.wake_after_commit("outbox");
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
