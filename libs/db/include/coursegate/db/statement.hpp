// A named SQL statement. Statements are constants at the top of the .cpp that uses them; the name goes to
// metrics (coursegate_db_query_seconds{query=name}) and to the slow-query log.
#pragma once

#include <string_view>

namespace coursegate::db {

struct statement
{
    std::string_view name; // "learning.upsert_lesson_rows"; public: dashboards use it
    std::string_view sql;  // parameters $1, $2, …

    // Prepared once per connection under its name. False: planned anew at each call, for tables that go from
    // empty to large within minutes, where a kept plan would be the one for the empty table. (A name that
    // comes with two different texts is planned anew too.)
    bool prepared = true;
};

} // namespace coursegate::db
