// What a fault of PostgreSQL means for a transaction: pass it on, name the constraint, try again, or drop the
// connection.
#pragma once

#include "coursegate/db/pool.hpp"

#include <pqxx/except>

#include <string>

namespace coursegate::db {

// The fault with its constraint's name and without DETAIL, which quotes the row's values (they may be
// personal).
constraint_violation as_constraint_violation(const pqxx::sql_error& e);

// Name of the violated constraint in a verbose message of libpq; for NOT NULL, which has no name before
// PostgreSQL 18, the one that 18 gives: "<table>_<column>_not_null". Empty when the message has none.
std::string constraint_in(std::string_view message);

// True when the server could not work at all just now (starting, shutting down, full, read-only after a
// switch-over): the same statement may succeed in a moment.
bool passes(const std::string& sqlstate);

// True when the server ended the session under the statement: whether that had committed nobody can tell.
bool ends_session(const std::string& sqlstate);

// The message's first line, for logs.
std::string first_line(std::string_view message);

} // namespace coursegate::db
