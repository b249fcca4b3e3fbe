// Forward-only migrations: files NNNN_verb_noun.sql, applied in order, each in its own transaction, never
// edited once merged. One code path for compose, production and tests.
#pragma once

#include "coursegate/db/pool.hpp"

#include <string>
#include <vector>

namespace coursegate::db {

struct migration
{
    std::string schema; // "learning": search_path while it runs; its schema_migrations table remembers it
    std::string name;   // "0001_create_course_structure.sql"
    std::string sql;
};

struct applied
{
    std::string schema;
    std::string name;
    bool was_there; // false: applied now
};

// Creates missing schemas and <schema>.schema_migrations(name, sha256, applied_at), applies what is missing.
// Each file is looked up and applied in one transaction under a database-wide advisory lock that ends with
// it: several runs at once take turns file by file, and none applies a file twice. (A lock of the session
// would be lost unnoticed with its connection.) A crash between two files leaves the earlier ones applied;
// running again goes on. Throws std::runtime_error naming the file whose hash changed or whose SQL failed.
std::vector<applied> migrate(session& owner, const std::vector<migration>& all);

} // namespace coursegate::db
