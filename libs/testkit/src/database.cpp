#include "coursegate/testkit/database.hpp"

#include "coursegate/base/encoding.hpp"
#include "coursegate/db/migrations.hpp"
#include "coursegate/db/transaction.hpp"
#include "coursegate/slices/slices.hpp"
#include "servers.hpp"

#include <fmt/format.h>

#include <cstdio>
#include <mutex>

namespace coursegate::testkit {

namespace {

constexpr const char* template_prefix = "coursegate_template_";
constexpr std::size_t templates_kept = 6;

// "cgtestkt" as a number: one program at a time makes templates on a server.
constexpr db::statement take_turn{"testkit.lock", "select pg_advisory_lock(7162821711433591668)"};
constexpr db::statement give_turn{"testkit.unlock", "select pg_advisory_unlock(7162821711433591668)"};
constexpr db::statement find_database{
    "testkit.find_database", "select exists (select from pg_database where datname = $1) as there"};
constexpr db::statement list_templates{"testkit.templates",
    "select datname from pg_database where datname like 'coursegate\\_template\\_%' order by oid desc"};

// The same server and user, another database.
std::string with_database(const std::string& url, const std::string& database, const std::string& user = {})
{
    const auto scheme = url.find("://");
    if (scheme == std::string::npos)
        throw std::runtime_error(
            "TEST_DATABASE_URL must have the form postgresql://user:password@host:port/database");
    const auto query = url.find('?', scheme);
    const std::string parameters = query == std::string::npos ? "" : url.substr(query);
    std::string rest =
        url.substr(scheme + 3, query == std::string::npos ? std::string::npos : query - scheme - 3);
    rest = rest.substr(0, rest.find('/'));
    if (!user.empty()) {
        const auto at = rest.rfind('@');
        rest = user + "@" + (at == std::string::npos ? rest : rest.substr(at + 1));
    }
    return url.substr(0, scheme + 3) + rest + "/" + database + parameters;
}

db::settings superuser(const std::string& url)
{
    db::settings s;
    s.url = base::secret(url);
    s.application_name = "testkit";
    s.statement_timeout = std::chrono::minutes(2); // waiting for another program's template
    return s;
}

std::string hash_of_migrations()
{
    std::string all;
    for (const auto& s : slices::all()) {
        all += s.service + '\n' + fmt::format("{} {}\n", fmt::join(s.schemas, ","), fmt::join(s.reads, ","));
        for (const auto& m : s.migrations)
            all += m.schema + '/' + m.name + '\n' + m.sql;
    }
    return base::to_hex(base::sha256(all)).substr(0, 16);
}

std::vector<slices::role_setting> test_roles()
{
    std::vector<slices::role_setting> out;
    for (const auto& s : slices::all())
        out.push_back({s.service, s.role(), "test"});
    return out;
}

// One slice whose migrations fail does not take the others' tests along; libs/slices' own tests insist on
// all.
void fill_template(const std::string& url)
{
    db::session owner(superuser(url));
    for (const auto& s : slices::all())
        try {
            db::migrate(owner, s.migrations);
        }
        catch (const std::runtime_error& e) {
            std::fprintf(
                stderr, "testkit: the schema of %s is incomplete: %s\n", s.service.c_str(), e.what());
        }
    slices::apply_roles(owner, test_roles());
}

// Half-made templates have another name: a crash in here leaves one that the next program removes.
void make_template(db::session& server, const std::string& url, const std::string& wanted)
{
    const std::string unfinished = wanted + "_new";
    server.execute_plain("drop database if exists " + unfinished + " with (force)");
    server.execute_plain("create database " + unfinished);
    fill_template(with_database(url, unfinished));
    server.execute_plain("alter database " + unfinished + " rename to " + wanted);
    server.execute_plain("alter database " + wanted + " allow_connections false");

    const auto names = server.transact([](db::transaction& tx) {
        std::vector<std::string> out;
        for (const auto& row : tx.exec(list_templates))
            out.push_back(db::get<std::string>(row, "datname"));
        return out;
    });
    for (std::size_t i = templates_kept; i < names.size(); ++i)
        try {
            server.execute_plain("drop database if exists " + names[i]);
        }
        catch (const std::exception&) {
            // In use by a program of another build: it goes the next time.
        }
}

bool exists(db::session& server, const std::string& database)
{
    return server.transact(
        [&](db::transaction& tx) { return db::get<bool>(tx.exec(find_database, database)[0], "there"); });
}

// Name of the template with today's migrations; makes it when this server has none.
std::string migrated_template(db::session& server, const std::string& url)
{
    static const std::string wanted = template_prefix + hash_of_migrations();
    if (exists(server, wanted))
        return wanted;
    // The lock belongs to the session, which is this program's own: it ends with it at the latest.
    server.transact([](db::transaction& tx) { tx.exec(take_turn); });
    try {
        if (!exists(server, wanted))
            make_template(server, url, wanted);
    }
    catch (...) {
        server.transact([](db::transaction& tx) { tx.exec(give_turn); });
        throw;
    }
    server.transact([](db::transaction& tx) { tx.exec(give_turn); });
    return wanted;
}

} // namespace

struct database::impl
{
    explicit impl(bool migrated) : base_url(need("TEST_DATABASE_URL")), server(superuser(base_url))
    {
        name = "test_" + base::to_hex(base::random_bytes(8));
        for (int tries = 1;; ++tries)
            try {
                server.execute_plain(
                    "create database " + name +
                    (migrated ? " template " + migrated_template(server, base_url) : std::string()));
                break;
            }
            catch (const pqxx::sql_error&) {
                // Another program of another build removed the template between look and use.
                if (tries == 3)
                    throw;
            }
        if (migrated) // rights on a database are not cloned with it
        {
            std::string sql = "revoke all on database " + name + " from public";
            for (const auto& s : slices::all())
                sql += "; grant connect on database " + name + " to " + s.role();
            server.transact([&](db::transaction& tx) { tx.exec_script(sql); });
        }
        owner = std::make_unique<db::session>(superuser(with_database(base_url, name)));
    }

    ~impl()
    {
        owner.reset();
        try {
            server.execute_plain("drop database if exists " + name + " with (force)");
        }
        catch (const std::exception& e) {
            std::fprintf(stderr, "testkit: %s stays behind: %s\n", name.c_str(), e.what());
        }
    }

    std::string base_url;
    std::string name;
    db::session server;
    std::unique_ptr<db::session> owner;
};

database::database(bool migrated) : impl_(std::make_unique<impl>(migrated)) {}

database::~database() = default;

std::string database::url() const
{
    return with_database(impl_->base_url, impl_->name);
}

std::string database::url_as(const std::string& service) const
{
    return with_database(impl_->base_url, impl_->name, slices::find(service).role() + ":test");
}

db::settings database::settings_as(const std::string& service) const
{
    db::settings s;
    s.url = base::secret(url_as(service));
    s.application_name = service;
    s.search_path = slices::find(service).search_path();
    return s;
}

db::session& database::owner()
{
    return *impl_->owner;
}

} // namespace coursegate::testkit
