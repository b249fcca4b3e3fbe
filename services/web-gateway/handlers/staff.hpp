// The admin area's own boundary: who gets in, which courses are his, and what every admin page shows around
// itself.
#pragma once

#include "domain/staff.hpp"
#include "handlers/visitor.hpp"

#include <nlohmann/json_fwd.hpp>

#include <string_view>

namespace coursegate::web_gateway {

// As for_visitor, for people with any right of staff; 403 page for everybody else.
http::handler for_staff(gateway& g, page_use u);

staff_rights rights_of(const visitor& who);

// Throw `refused` (not_found: a course that is not his does not exist for him; he learns nothing of it).
void must_see(const visitor& who, std::int64_t course_id);
void must_repair(const visitor& who, std::int64_t course_id);
void must_change(const visitor& who, std::int64_t course_id);

// templates/<page>.html with the admin area's frame: the navigation with `here` (the path of a section,
// "/admin/trouble") marked, wide.
http::response show_admin(gateway& g, const visitor& who, std::string_view here, std::string_view page,
    nlohmann::json data, int status = 200);

// GET /admin
async::task<http::response> admin_page(gateway& g, http::request& request, const visitor& who);

} // namespace coursegate::web_gateway
