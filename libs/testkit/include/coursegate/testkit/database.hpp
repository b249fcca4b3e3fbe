// A fresh database per test, cloned from a migrated template (about 70 ms). Dropped when the object goes.
//
// TEST_DATABASE_URL names a superuser on a private server (tests/run and deploy/local/up set it); without it
// the test program exits with 77, which CTest shows as skipped (tests/run always sets it).
#pragma once

#include "coursegate/db/pool.hpp"

#include <memory>
#include <string>

namespace coursegate::testkit {

class database
{
public:
    // `migrated`: with every slice's schema and the roles of slices::all() (password "test"); false: empty.
    explicit database(bool migrated = true);
    ~database();
    database(const database&) = delete;

    std::string url() const;                                    // superuser
    std::string url_as(const std::string& service) const;       // that service's own login role
    db::settings settings_as(const std::string& service) const; // url_as, search_path, application_name
    db::session& owner();                                       // a superuser session, search_path empty

private:
    struct impl;
    std::unique_ptr<impl> impl_;
};

} // namespace coursegate::testkit
