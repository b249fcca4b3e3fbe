// DATABASE_URL and the project's connection options as one libpq connection string.
#pragma once

#include "coursegate/db/pool.hpp"

#include <string>

namespace coursegate::db {

// Adds what every connection of the project has: application_name, search_path, time limits, UTC, keepalives.
// What the URL says about connect_timeout, keepalives and sslmode stays. Throws base::bad_configuration when
// the URL is malformed; never quotes it, because libpq's own message would show the password.
std::string connection_string(const settings& s);

} // namespace coursegate::db
