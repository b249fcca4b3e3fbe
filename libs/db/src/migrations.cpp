#include "coursegate/db/migrations.hpp"

#include "coursegate/base/encoding.hpp"
#include "coursegate/db/transaction.hpp"
#include "coursegate/log/log.hpp"
#include "faults.hpp"

#include <fmt/format.h>

namespace coursegate::db {

namespace {

// Any constant: the key under which all runs against one database take turns. "cgmigrat" as a number.
constexpr std::int64_t lock_key = 0x63676d6967726174;

constexpr statement take_turn{"db.migrations_lock", "select pg_advisory_xact_lock($1)"};
constexpr statement find_table{"db.migrations_table", "select to_regclass($1) is not null as there"};

// Statements here name a schema and are therefore no constants.
std::string quoted(const std::string& schema)
{
    std::string out = "\"";
    for (const char c : schema) {
        if (c == '"')
            out += '"';
        out += c;
    }
    return out + "\"";
}

bool apply(transaction& tx, const migration& m)
{
    const auto schema = quoted(m.schema);
    const auto hash = base::to_hex(base::sha256(m.sql));

    // Building an index takes its time; the lock below may have to wait for another run's.
    tx.exec_script("set local statement_timeout = 0; set local idle_in_transaction_session_timeout = 0");
    tx.exec(take_turn, lock_key);

    if (!get<bool>(tx.exec(find_table, schema + ".schema_migrations")[0], "there"))
        tx.exec_script(fmt::format(
            "create schema if not exists {0};"
            "create table {0}.schema_migrations ("
            " name text primary key, sha256 text not null, applied_at timestamptz not null default now())",
            schema));

    const auto select_hash = fmt::format("select sha256 from {}.schema_migrations where name = $1", schema);
    const auto known = tx.exec(statement{"db.migrations_find", select_hash, false}, m.name);
    if (!known.empty()) {
        if (get<std::string>(known[0], "sha256") != hash)
            throw std::runtime_error(
                fmt::format("migration {}/{} was changed after it had been applied: write a new one instead",
                    m.schema, m.name));
        return true;
    }

    tx.exec_script(fmt::format("set local search_path = {}, public", schema));
    tx.exec_script(m.sql);
    const auto insert =
        fmt::format("insert into {}.schema_migrations (name, sha256) values ($1, $2)", schema);
    tx.exec(statement{"db.migrations_remember", insert, false}, m.name, hash);
    return false;
}

} // namespace

std::vector<applied> migrate(session& owner, const std::vector<migration>& all)
{
    std::vector<applied> out;
    out.reserve(all.size());
    for (const auto& m : all) {
        bool was_there = false;
        try {
            was_there = owner.transact([&](transaction& tx) { return apply(tx, m); });
        }
        catch (const base::dependency_down&) {
            throw;
        }
        catch (const pqxx::failure& e) {
            throw std::runtime_error(fmt::format("migration {}/{} failed: {}", m.schema, m.name, e.what()));
        }
        catch (const constraint_violation& e) {
            throw std::runtime_error(fmt::format("migration {}/{} failed: {}", m.schema, m.name, e.what()));
        }
        if (!was_there)
            log::info("migration applied", {{"schema", m.schema}, {"migration", m.name}});
        out.push_back(applied{m.schema, m.name, was_there});
    }
    return out;
}

} // namespace coursegate::db
