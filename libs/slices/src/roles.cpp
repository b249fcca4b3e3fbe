#include "coursegate/base/backoff.hpp"
#include "coursegate/base/encoding.hpp"
#include "coursegate/db/transaction.hpp"
#include "coursegate/log/log.hpp"
#include "coursegate/slices/slices.hpp"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <algorithm>
#include <stdexcept>
#include <thread>

namespace coursegate::slices {

namespace {

using db::transaction;

// Roles and rights are catalogue rows: two runs at once would fail with "tuple concurrently updated". The
// lock is the database's own, roles are the cluster's: runs in two databases still meet, see
// is_of_another_run().
constexpr db::statement take_turn{
    "slices.roles_lock", "select pg_advisory_xact_lock(7162819555241587456)"}; // "cgroles" as a number
constexpr db::statement find_role{"slices.find_role",
    "select rolsuper or rolcreaterole or rolcreatedb or rolreplication or rolbypassrls as powerful, "
    "rolcanlogin, rolname = current_user as self"
    " from pg_roles where rolname = $1"};
constexpr db::statement who_am_i{"slices.who_am_i",
    "select rolsuper, current_database() as database from pg_roles where rolname = current_user"};
constexpr db::statement find_memberships{"slices.find_memberships",
    "select g.rolname from pg_auth_members m join pg_roles g on g.oid = m.roleid join pg_roles u on u.oid = "
    "m.member"
    " where u.rolname = $1"};
constexpr db::statement find_schemas{"slices.find_schemas",
    "select nspname from pg_namespace where nspname !~ '^pg_' and nspname <> "
    "'information_schema' order by 1"};
constexpr db::statement find_relations{"slices.find_relations",
    "select c.relname, c.relkind from pg_class c join pg_namespace n on n.oid = c.relnamespace"
    " where n.nspname = $1 and c.relkind in ('r', 'p', 'v', 'm', 'S') order by 1"};
constexpr db::statement find_view{"slices.find_view",
    "select exists (select from pg_class c join pg_namespace n on n.oid = c.relnamespace"
    " where n.nspname = $1 and c.relname = $2 and c.relkind in ('v', 'm')) as there"};

std::string name(std::string_view identifier)
{
    std::string out = "\"";
    for (const char c : identifier) {
        if (c == '"')
            out += '"';
        out += c;
    }
    return out + "\"";
}

// A string literal that means the same whatever standard_conforming_strings says.
std::string literal(std::string_view text)
{
    std::string out = " E'";
    for (const char c : text) {
        if (c == '\'' || c == '\\')
            out += c;
        out += c;
    }
    return out + "'";
}

// What PostgreSQL stores for a password (RFC 5803, SCRAM-SHA-256): sent instead of the password itself, which
// would otherwise stand in the server's log as soon as anybody turns statement logging on. Other than plain
// ASCII would need SASLprep: such a password is sent as it is.
std::string stored_form(const std::string& password)
{
    if (std::any_of(password.begin(), password.end(), [](unsigned char c) { return c < 0x20 || c > 0x7e; }))
        return password;
    constexpr int iterations = 4096;
    const std::string salt = base::random_bytes(16);
    std::string salted(32, '\0');
    if (PKCS5_PBKDF2_HMAC(password.data(), static_cast<int>(password.size()),
            reinterpret_cast<const unsigned char*>(salt.data()), static_cast<int>(salt.size()), iterations,
            EVP_sha256(), static_cast<int>(salted.size()),
            reinterpret_cast<unsigned char*>(salted.data())) != 1)
        throw std::runtime_error("PBKDF2 failed");
    const auto stored_key = base::sha256(base::hmac_sha256(salted, "Client Key"));
    const auto server_key = base::hmac_sha256(salted, "Server Key");
    return fmt::format("SCRAM-SHA-256${}:{}${}:{}", iterations, base::to_base64(salt),
        base::to_base64(stored_key), base::to_base64(server_key));
}

void create_or_alter(transaction& tx, const role_setting& r, const slice& s, bool superuser)
{
    const auto known = tx.exec(find_role, r.role);
    if (!known.empty() && (db::get<bool>(known[0], "powerful") || db::get<bool>(known[0], "self")))
        throw std::runtime_error(fmt::format("role {} of {} may do more than a daemon's role may (superuser, "
                                             "createrole, createdb, the owner itself): use another",
            r.role, r.service));
    if (known.empty())
        tx.exec_script(fmt::format("create role {} login", name(r.role)));
    else if (!db::get<bool>(known[0], "rolcanlogin"))
        tx.exec_script(fmt::format("alter role {} login", name(r.role)));
    if (!r.password.empty())
        tx.exec_script(
            fmt::format("alter role {} password {}", name(r.role), literal(stored_form(r.password))));

    // A snapshot that stays open stops vacuum, and a relay that reads past dead rows slows down by half: no
    // transaction of a daemon lasts, whatever its own settings say.
    tx.exec_script(fmt::format("alter role {0} set statement_timeout = '60s';"
                               "alter role {0} set idle_in_transaction_session_timeout = '60s';"
                               "alter role {0} set search_path = {1}",
        name(r.role), s.search_path()));
    if (superuser)
        tx.exec_script(fmt::format("alter role {} set lc_messages = 'C'", name(r.role)));

    for (const auto& row : tx.exec(find_memberships, r.role))
        tx.exec_script(
            fmt::format("revoke {} from {}", name(db::get<std::string>(row, "rolname")), name(r.role)));
}

// Everything it ever got, in every schema. In the same transaction as the grants below, so no statement of a
// running daemon sees the time in between.
void revoke_all(transaction& tx, const std::string& role, const std::string& database)
{
    for (const auto& row : tx.exec(find_schemas)) {
        const auto schema = name(db::get<std::string>(row, "nspname"));
        tx.exec_script(fmt::format("revoke all on all tables in schema {0} from {1};"
                                   "revoke all on all sequences in schema {0} from {1};"
                                   "revoke all on all routines in schema {0} from {1};"
                                   "revoke all on schema {0} from {1}",
            schema, name(role)));
    }
    tx.exec_script(fmt::format("revoke all on database {} from {}", name(database), name(role)));
}

void grant_own(transaction& tx, const std::string& role, const slice& s)
{
    for (const auto& schema : s.schemas) {
        const auto relations = tx.exec(find_relations, schema);
        if (relations.empty())
            continue; // not migrated: nothing to grant, and perhaps no such schema
        tx.exec_script(fmt::format("grant usage on schema {} to {}", name(schema), name(role)));
        for (const auto& row : relations) {
            const auto relation = db::get<std::string>(row, "relname");
            const auto kind = db::get<std::string>(row, "relkind");
            const char* rights = "select, insert, update, delete";
            if (kind == "S")
                rights = "usage, select";
            else if (kind == "v" || kind == "m" || relation == "schema_migrations")
                rights = "select";
            tx.exec_script(fmt::format("grant {} on {}{}.{} to {}", rights, kind == "S" ? "sequence " : "",
                name(schema), name(relation), name(role)));
        }
    }
}

void grant_reads(transaction& tx, const std::string& role, const slice& s)
{
    for (const auto& view : s.reads) {
        const auto dot = view.find('.');
        const auto schema = view.substr(0, dot), relation = view.substr(dot + 1);
        if (!db::get<bool>(tx.exec(find_view, schema, relation)[0], "there")) {
            // The owner's part of the system may be installed later; libs/slices' own tests insist on all of
            // them.
            log::warning("a declared view does not exist", {{"service", s.service}, {"view", view}});
            continue;
        }
        tx.exec_script(fmt::format("grant usage on schema {0} to {2}; grant select on {0}.{1} to {2}",
            name(schema), name(relation), name(role)));
    }
}

void apply_once(db::session& owner, const std::vector<role_setting>& roles)
{
    owner.transact([&](transaction& tx) {
        tx.exec(take_turn);
        const auto me = tx.exec(who_am_i)[0];
        const bool superuser = db::get<bool>(me, "rolsuper");
        const auto database = db::get<std::string>(me, "database");

        tx.exec_script(
            fmt::format("revoke all on schema public from public; revoke all on database {} from public",
                name(database)));
        for (const auto& r : roles) {
            const auto& s = find(r.service);
            create_or_alter(tx, r, s, superuser);
            revoke_all(tx, r.role, database);
            tx.exec_script(fmt::format("grant connect on database {} to {}", name(database), name(r.role)));
            grant_own(tx, r.role, s);
            grant_reads(tx, r.role, s);
        }
    });
}

// True when a run in another database of the server touched the same role in the meantime: PostgreSQL has no
// lock for that and ends the later one with an internal error ("tuple concurrently updated") or, when both
// created the role, with a violated index of its catalogue.
bool is_of_another_run(const std::exception& e)
{
    if (const auto* const violated = dynamic_cast<const db::constraint_violation*>(&e))
        return violated->constraint == "pg_authid_rolname_index";
    const auto* const sql = dynamic_cast<const pqxx::sql_error*>(&e);
    return sql != nullptr && sql->sqlstate() == "XX000";
}

} // namespace

// One transaction that may be repeated: a crash before its commit changes nothing.
void apply_roles(db::session& owner, const std::vector<role_setting>& roles)
{
    constexpr int tries = 20;
    base::backoff backoff({std::chrono::milliseconds(20), std::chrono::milliseconds(500)});
    for (int i = 1;; ++i) {
        try {
            apply_once(owner, roles);
            return;
        }
        catch (const std::exception& e) {
            if (i == tries || !is_of_another_run(e))
                throw;
        }
        std::this_thread::sleep_for(backoff.next());
    }
}

} // namespace coursegate::slices
