// stepik.org: the token endpoint and /api. Shapes, field order, nulls and number formats are those of
// recorded answers (course/templates.json).
#pragma once

#include "coursegate/http/server.hpp"
#include "domain/world.hpp"
#include "handlers/stage.hpp"

#include <memory>

namespace coursegate::sandbox {

// Not thread safe; `w` must outlive it.
class stepik_api
{
public:
    explicit stepik_api(world& w);
    ~stepik_api();

    // GET, POST /oauth2/authorize/: a person says who he is and agrees, or does not.
    http::response authorize(const http::request& r, answering& about);

    // POST /oauth2/token/: client_credentials and authorization_code, with HTTP Basic or form fields.
    http::response token(const http::request& r, answering& about);

    // GET /api/{object} and /api/{object}/{id}: courses, sections, units, lessons, steps, course-grades,
    // members, groups, users, classes, students, stepics. Another object: 404.
    http::response get(const http::request& r, answering& about);

    // POST /api/course-grades/{id}/refresh: the row catches up with a staleness delay. Other posts: 405.
    http::response post(const http::request& r, answering& about);

private:
    struct impl;
    std::unique_ptr<impl> impl_;
};

} // namespace coursegate::sandbox
