// /admin/courses: the courses somebody may see, connecting one with its keys, and one course with what
// Stepik and Boomstream say of it. Writes go through storage/catalog, as those of /v1 do.
#pragma once

#include "handlers/visitor.hpp"

#include <nlohmann/json_fwd.hpp>

namespace coursegate::web_gateway {

struct course;

// GET /admin/courses
async::task<http::response> admin_courses_page(gateway& g, http::request& request, const visitor& who);
// GET /admin/courses/connect?course=: a new course, or other keys for one that is there
async::task<http::response> connect_page(gateway& g, http::request& request, const visitor& who);
// POST /admin/courses/connect: tries the keys on the spot; saves them when nothing is wrong
async::task<http::response> connect_form(gateway& g, http::request& request, const visitor& who);
// GET /admin/courses/{course_id}
async::task<http::response> admin_course_page(gateway& g, http::request& request, const visitor& who);
// POST /admin/courses/{course_id}: title, pace, end, paused or not
async::task<http::response> course_settings_form(gateway& g, http::request& request, const visitor& who);

// What the head of every page about a course shows (course_head.part.html).
nlohmann::json course_head(const course& c, std::string_view here, bool may_change);

} // namespace coursegate::web_gateway
