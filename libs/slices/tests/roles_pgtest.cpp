// Logs in as each daemon's role and tries what it may and what it may not, over every relation there is.
#include "coursegate/base/encoding.hpp"
#include "coursegate/db/migrations.hpp"
#include "coursegate/db/transaction.hpp"
#include "coursegate/slices/slices.hpp"
#include "coursegate/testkit/database.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <future>

using namespace coursegate;

namespace {

struct relation
{
    std::string schema, name, kind;
    std::string full() const { return schema + "." + name; }
};

std::vector<relation> relations(db::session& owner)
{
    constexpr db::statement all{"test.relations",
        "select n.nspname as schema, c.relname as name, c.relkind as kind from pg_class c join pg_namespace "
        "n on n.oid = c.relnamespace"
        " where n.nspname !~ '^pg_' and n.nspname <> 'information_schema' and c.relkind in ('r', 'p', 'v', "
        "'m', 'S') order by 1, 2"};
    return owner.transact([&](db::transaction& tx) {
        std::vector<relation> out;
        for (const auto& row : tx.exec(all))
            out.push_back({db::get<std::string>(row, "schema"), db::get<std::string>(row, "name"),
                db::get<std::string>(row, "kind")});
        return out;
    });
}

// Runs one statement and rolls it back. "" when it got past the rights (whatever it then met), else the
// refusal.
std::string refusal(db::session& s, const std::string& sql)
{
    struct undo
    {};
    try {
        s.transact([&](db::transaction& tx) {
            tx.exec_script(sql);
            throw undo{};
        });
    }
    catch (const undo&) {
        return {};
    }
    catch (const pqxx::insufficient_privilege& e) {
        return e.what();
    }
    catch (const pqxx::sql_error& e) {
        // A view that can't be written at all says so before it looks at rights.
        return e.sqlstate() == "55000" ? e.what() : "";
    }
    catch (const db::constraint_violation&) {
        return {};
    }
    return {};
}

bool contains(const std::vector<std::string>& all, const std::string& one)
{
    return std::find(all.begin(), all.end(), one) != all.end();
}

// A role of this test's own: roles belong to the server, and other tests run beside this one.
struct own_role
{
    explicit own_role(testkit::database& d)
        : data(d), name("test_role_" + base::to_hex(base::random_bytes(6)))
    {}
    ~own_role()
    {
        try {
            data.owner().transact([&](db::transaction& tx) {
                tx.exec_script("drop owned by " + name + "; drop role " + name);
            });
        }
        catch (const std::exception&) {
            // It was never created.
        }
    }

    db::settings login(const std::string& password) const
    {
        db::settings s;
        const auto url = data.url();
        const auto host = url.substr(url.find('@'));
        s.url = base::secret("postgresql://" + name + ":" + base::percent_encode(password) + host);
        return s;
    }

    testkit::database& data;
    std::string name;
};

} // namespace

TEST_CASE("every migration of the build applies to an empty database, and again changes nothing")
{
    testkit::database empty(false);
    for (const auto& a : db::migrate(empty.owner(), slices::migrations()))
        CHECK_FALSE(a.was_there);
    for (const auto& a : db::migrate(empty.owner(), slices::migrations()))
        CHECK(a.was_there);
}

TEST_CASE("each role can do its own work and is refused everything else")
{
    testkit::database data;
    const auto all = relations(data.owner());
    REQUIRE_FALSE(all.empty());

    for (const auto& s : slices::all()) {
        INFO("as " << s.role());
        db::session me(data.settings_as(s.service));

        for (const auto& view : s.reads) {
            INFO("declared: " << view);
            CHECK(std::any_of(all.begin(), all.end(),
                [&](const relation& r) { return r.full() == view && r.kind != "r"; }));
        }

        for (const auto& r : all) {
            INFO(r.full());
            const bool own = contains(s.schemas, r.schema);
            const auto may = [&](const std::string& sql) { return refusal(me, sql).empty(); };
            if (r.kind == "S") {
                CHECK(may("select nextval('" + r.full() + "')") == own);
                CHECK_FALSE(may("select setval('" + r.full() + "', 1)"));
                continue;
            }
            const bool is_table = r.kind == "r" || r.kind == "p";
            const bool writes = own && is_table && r.name != "schema_migrations";
            CHECK(may("select 1 from " + r.full() + " limit 0") == (own || contains(s.reads, r.full())));
            CHECK(may("delete from " + r.full() + " where false") == writes);
            CHECK(may("insert into " + r.full() + " default values") == writes);
            if (is_table) {
                CHECK_FALSE(may("truncate " + r.full()));
                CHECK_FALSE(may("alter table " + r.full() + " add column mine int"));
                CHECK_FALSE(may("drop table " + r.full()));
                CHECK_FALSE(may("create index on " + r.full() + " ((1))"));
                // GRANT without the right to is only a warning: what counts is that nothing was given.
                CHECK_FALSE(may("grant select on " + r.full() +
                                " to public; do $$ begin if not exists (select from pg_class c,"
                                " aclexplode(c.relacl) a where c.oid = '" +
                                r.full() +
                                "'::regclass and a.grantee = 0)"
                                " then raise insufficient_privilege; end if; end $$"));
            }
        }

        std::vector<std::string> schemas{"public"};
        for (const auto& other : slices::all())
            schemas.insert(schemas.end(), other.schemas.begin(), other.schemas.end());
        for (const auto& schema : schemas) {
            INFO(schema);
            CHECK_FALSE(refusal(me, "create table " + schema + ".mine (id int)").empty());
            CHECK_FALSE(refusal(me, "create view " + schema + ".mine as select 1").empty());
            CHECK_FALSE(
                refusal(me, "create function " + schema + ".mine() returns int language sql as 'select 1'")
                    .empty());
        }
        CHECK_FALSE(refusal(me, "create schema mine").empty());
        CHECK_FALSE(refusal(me, "create temporary table mine (id int)").empty());
        CHECK_FALSE(refusal(me, "create role mine").empty());
        CHECK_FALSE(refusal(me, "set role pg_read_all_data").empty());
        CHECK_FALSE(refusal(me, "select pg_read_file('/etc/passwd')").empty());
        CHECK_FALSE(refusal(me, "select * from pg_authid").empty());
        CHECK_FALSE(refusal(me, "copy (select 1) to program 'true'").empty());
        for (const auto& other : slices::all())
            if (&other != &s)
                CHECK_FALSE(refusal(me, "set role " + other.role()).empty());
    }
}

TEST_CASE("a role writes its own outbox, inbox and leases by their plain names")
{
    testkit::database data;
    for (const auto& s : slices::all()) {
        INFO(s.service);
        db::session me(data.settings_as(s.service));
        me.transact([](db::transaction& tx) {
            tx.exec_script("insert into outbox (message_id, type, routing_key, body) values "
                           "(gen_random_uuid(), 't', 't.v1', '{}');"
                           "insert into inbox (handler, message_id) values ('h', 'm');"
                           "insert into leases (name, holder, term, held_until) values ('n', 'h', 1, now())");
        });
    }
}

TEST_CASE("roles carry limits of their own, so that no daemon holds a snapshot for long")
{
    testkit::database data;
    constexpr db::statement settings{"test.rolconfig",
        "select array_to_string(rolconfig, ' ') as config from pg_roles where rolname = $1"};
    for (const auto& s : slices::all()) {
        const auto config = data.owner().transact([&](db::transaction& tx) {
            return db::get<std::string>(tx.exec(settings, s.role())[0], "config");
        });
        CHECK(config.find("statement_timeout=60s") != std::string::npos);
        CHECK(config.find("idle_in_transaction_session_timeout=60s") != std::string::npos);
    }
}

TEST_CASE("applying again takes back what is not declared and keeps what is")
{
    testkit::database data;
    own_role role(data);
    const auto& s = slices::all().front();
    const auto own = s.schemas.front();
    const std::vector<slices::role_setting> wanted{{s.service, role.name, "first"}};
    slices::apply_roles(data.owner(), wanted);
    slices::apply_roles(data.owner(), wanted);

    data.owner().transact([&](db::transaction& tx) {
        tx.exec_script(
            "create schema foreign_things; create table foreign_things.secrets (id int, other int);"
            "create sequence foreign_things.numbers;"
            "grant usage, create on schema foreign_things, public to " +
            role.name +
            ";"
            "grant select (id) on foreign_things.secrets to " +
            role.name +
            ";"
            "grant all on sequence foreign_things.numbers to " +
            role.name +
            ";"
            "grant truncate, trigger on " +
            own + ".outbox to " + role.name +
            ";"
            "grant temporary on database " +
            data.url().substr(data.url().rfind('/') + 1) + " to " + role.name +
            ";"
            "grant pg_read_all_data to " +
            role.name +
            ";"
            "grant create on schema public to public");
    });
    {
        db::session me(role.login("first"));
        CHECK(refusal(me, "select id from foreign_things.secrets").empty());
        CHECK(refusal(me, "create temporary table t (id int)").empty());
    }
    slices::apply_roles(data.owner(), wanted);
    db::session me(role.login("first"));
    CHECK_FALSE(refusal(me, "select id from foreign_things.secrets").empty());
    CHECK_FALSE(refusal(me, "select nextval('foreign_things.numbers')").empty());
    CHECK_FALSE(refusal(me, "create table foreign_things.mine (id int)").empty());
    CHECK_FALSE(refusal(me, "create table public.mine (id int)").empty());
    CHECK_FALSE(refusal(me, "create temporary table t (id int)").empty());
    CHECK_FALSE(refusal(me, "truncate " + own + ".outbox").empty());
    CHECK(refusal(me, "delete from " + own + ".outbox").empty());
}

TEST_CASE("two databases of one server give the same role its rights at the same time")
{
    testkit::database here;
    own_role role(here);
    testkit::database there; // gone before the role, which could not be dropped while it has rights there
    const auto& s = slices::all().front();
    const auto apply_often = [&](testkit::database& d) {
        for (int i = 0; i < 20; ++i)
            slices::apply_roles(d.owner(), {{s.service, role.name, "first"}});
    };
    auto other = std::async(std::launch::async, [&] { apply_often(there); });
    CHECK_NOTHROW(apply_often(here));
    CHECK_NOTHROW(other.get());

    constexpr db::statement may_use{"test.may_use", "select has_schema_privilege($1, $2, 'usage') as may"};
    for (auto* const d : {&here, &there})
        CHECK(d->owner().transact([&](db::transaction& tx) {
            return db::get<bool>(tx.exec(may_use, role.name, s.schemas.front())[0], "may");
        }));
}

TEST_CASE("passwords of any characters work, and an empty one leaves the old")
{
    testkit::database data;
    own_role role(data);
    const auto& s = slices::all().front();
    const std::vector<std::string> passwords{
        "it's \\ a \"pass\" $1 -- ; $$ E'x'", "пароль ' \\ 密", "x'; drop table users; --"};
    for (const auto& password : passwords) {
        INFO(password);
        slices::apply_roles(data.owner(), {{s.service, role.name, password}});
        CHECK_NOTHROW(db::session(role.login(password)));
    }
    slices::apply_roles(data.owner(), {{s.service, role.name, ""}});
    CHECK_NOTHROW(db::session(role.login(passwords.back())));
    CHECK_THROWS_AS(db::session(role.login("wrong")), db::unavailable);
}

TEST_CASE("a role that may do more than a daemon's is refused")
{
    testkit::database data;
    own_role role(data);
    const auto& s = slices::all().front();
    data.owner().transact(
        [&](db::transaction& tx) { tx.exec_script("create role " + role.name + " login createrole"); });
    CHECK_THROWS_AS(slices::apply_roles(data.owner(), {{s.service, role.name, "x"}}), std::runtime_error);

    constexpr db::statement me{"test.me", "select current_user as me"};
    const auto owner = data.owner().transact(
        [&](db::transaction& tx) { return db::get<std::string>(tx.exec(me)[0], "me"); });
    CHECK_THROWS_AS(slices::apply_roles(data.owner(), {{s.service, owner, ""}}), std::runtime_error);
}
