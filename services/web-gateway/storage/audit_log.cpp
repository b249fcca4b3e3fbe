#include "storage/audit_log.hpp"

#include "coursegate/db/transaction.hpp"

#include <nlohmann/json.hpp>

namespace coursegate::web_gateway {
namespace {

constexpr db::statement insert_audit{"accounts.insert_audit",
    "INSERT INTO accounts.audit_log (who, on_behalf_of, what, target, before, after, why, request_id, "
    "address)"
    " VALUES ($1, $2, $3, $4, $5::jsonb, $6::jsonb, $7, $8, nullif($9, ''))"};

std::optional<std::string> text_of(const nlohmann::json& j)
{
    if (j.is_null())
        return std::nullopt;
    return j.dump();
}

} // namespace

void write_audit(db::transaction& tx, const act& by, std::string_view what, const std::string& target,
    const nlohmann::json& before, const nlohmann::json& after)
{
    tx.exec(insert_audit, by.who, by.on_behalf_of, what, target, text_of(before), text_of(after), by.why,
        by.request_id, by.address);
}

events::cause cause_of(const act& by)
{
    events::cause out;
    out.correlation_id = by.request_id;
    out.traceparent = by.traceparent;
    return out;
}

} // namespace coursegate::web_gateway
