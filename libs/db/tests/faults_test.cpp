#include "../src/conninfo.hpp"
#include "../src/faults.hpp"
#include "coursegate/db/transaction.hpp"

#include <catch2/catch.hpp>

#include <limits>

using namespace coursegate;

TEST_CASE("the violated constraint is named whatever the server's language")
{
    CHECK(db::constraint_in(
              "ERROR:  23505: duplicate key value violates unique constraint \"users_email_key\"\n"
              "DETAIL:  Key (email)=(a@example.org) already exists.\n"
              "CONSTRAINT NAME:  users_email_key\nLOCATION:  _bt_check_unique, nbtinsert.c:664") ==
          "users_email_key");
    CHECK(db::constraint_in(
              "FEHLER:  23505: doppelter Schlüsselwert verletzt Unique-Constraint »users_email_key«\n"
              "SCHEMA NAME:  accounts\nTABLE NAME:  users\nCONSTRAINT NAME:  users_email_key\n") ==
          "users_email_key");

    // Without libpq's own lines the sentence has to do.
    CHECK(db::constraint_in("ERROR:  duplicate key value violates unique constraint \"a_key\"") == "a_key");
    CHECK(db::constraint_in(
              "ERROR:  new row for relation \"t\" violates check constraint \"positive\"\nDETAIL:  \"x\"") ==
          "positive");
    CHECK(db::constraint_in("ERROR:  update or delete on table \"a\" violates foreign key constraint "
                            "\"b_fk\" on table \"b\"") == "b_fk");
    CHECK(
        db::constraint_in("FEHLER:  doppelter Schlüsselwert verletzt Unique-Constraint »a_key«") == "a_key");
    CHECK(db::constraint_in(
              "ERREUR:  UPDATE ou DELETE sur la table « a » viole la contrainte « b_fk » de la table « b »")
              .find("b_fk") != std::string::npos);
    CHECK(db::constraint_in("ERROR:  something else").empty());
}

TEST_CASE("a missing value is named by table and column")
{
    CHECK(db::constraint_in(
              "ERROR:  23502: null value in column \"email\" of relation \"users\" violates not-null "
              "constraint\n"
              "SCHEMA NAME:  accounts\nTABLE NAME:  users\nCOLUMN NAME:  email\n") == "users_email_not_null");
}

TEST_CASE("what a violation says does not quote the row's values")
{
    const pqxx::unique_violation e(
        "ERROR:  23505: duplicate key value violates unique constraint \"k\"\n"
        "DETAIL:  Key (email)=(a@example.org) already exists.\nCONSTRAINT NAME:  k",
        "insert", "23505");
    const auto named = db::as_constraint_violation(e);
    CHECK(named.constraint == "k");
    CHECK(std::string(named.what()).find("example.org") == std::string::npos);
}

TEST_CASE("only faults of the server's state pass by themselves")
{
    for (const char* state : {"53300", "53100", "57P01", "57P03", "08006", "25006"})
        CHECK(db::passes(state));
    for (const char* state : {"57014", "42P01", "23505", "22P02", ""})
        CHECK_FALSE(db::passes(state));
}

TEST_CASE("a malformed DATABASE_URL is refused without showing the password")
{
    for (const char* url :
        {"postgresql://role:hunter2@host/db?sslmode", "postgrsql://role:hunter2@host/db", "hunter2", ""})
    {
        db::settings s;
        s.url = base::secret(url);
        try {
            db::connection_string(s);
            FAIL("accepted: " << url);
        }
        catch (const base::bad_configuration& e) {
            CHECK(std::string(e.what()).find("DATABASE_URL") != std::string::npos);
            CHECK(std::string(e.what()).find("hunter2") == std::string::npos);
        }
    }
}

TEST_CASE("connection options keep what the URL says and add the project's")
{
    db::settings s;
    s.url = base::secret("postgresql://role:it's%20a%20pass%5Cword@db.example:6432/"
                         "coursegate?connect_timeout=9&options=-c%20jit%3Doff");
    s.application_name = "stepik-sync";
    s.search_path = "accounts, catalog";
    const auto text = db::connection_string(s);
    CHECK(text.find("connect_timeout='9'") != std::string::npos);
    CHECK(text.find("keepalives_idle='30'") != std::string::npos);
    CHECK(text.find("password='it\\'s a pass\\\\word'") != std::string::npos);
    CHECK(text.find("application_name='stepik-sync'") != std::string::npos);
    CHECK(text.find("-c jit=off -c statement_timeout=15000") != std::string::npos);
    CHECK(text.find("search_path=accounts,\\\\ catalog") != std::string::npos);
}

TEST_CASE("parameters are written as PostgreSQL reads them")
{
    const auto text = [](const db::param& p) { return p.text().value_or("NULL"); };
    CHECK(text(true) == "t");
    CHECK(text(std::int64_t{-5}) == "-5");
    CHECK(text(0.1) == "0.1");
    CHECK(text(std::numeric_limits<double>::infinity()) == "Infinity");
    CHECK(text(std::optional<std::string>{}) == "NULL");
    CHECK(text(std::optional<int>{7}) == "7");
    CHECK(text(base::time_point::max()) == "infinity");
    CHECK(text(std::vector<std::int64_t>{}) == "{}");
    CHECK(text(std::vector<std::int64_t>{1, -2}) == "{1,-2}");
    CHECK(text(std::vector<std::string>{"a", "", "NULL", "b\"c\\d,{}"}) == R"({"a","","NULL","b\"c\\d,{}"})");
    CHECK(text(std::vector<bool>{true, false}) == "{t,f}");
    CHECK(text(db::bytes(std::string_view("\x00\xff", 2))) == "\\x00ff");
    CHECK(text(db::byte_arrays({"\x01"})) == R"({"\\x01"})");
    CHECK(text(db::times({std::nullopt, base::time_point{}})) == R"({NULL,"1970-01-01T00:00:00.000000Z"})");
}
