// /admin/courses/{course_id}/media: which video belongs to which lesson; a whole table pasted, what it would
// change shown before it is saved, and codes compared with what Boomstream lists.
#pragma once

#include "handlers/visitor.hpp"

namespace coursegate::web_gateway {

// GET /admin/courses/{course_id}/media
async::task<http::response> media_page(gateway& g, http::request& request, const visitor& who);
// POST /admin/courses/{course_id}/media: step=look shows the difference, step=save saves it
async::task<http::response> media_form(gateway& g, http::request& request, const visitor& who);
// POST /admin/courses/{course_id}/media/codes: asks Boomstream; changes nothing
async::task<http::response> media_codes_form(gateway& g, http::request& request, const visitor& who);

} // namespace coursegate::web_gateway
