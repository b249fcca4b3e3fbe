// What a student sees of his courses.
#pragma once

#include "handlers/visitor.hpp"

#include <nlohmann/json_fwd.hpp>

namespace coursegate::web_gateway {

// GET /: what this is and the way in.
async::task<http::response> home_page(gateway& g, http::request& request);
// GET /dashboard, and GET /dashboard/courses: the part of it that moves, with an ETag.
async::task<http::response> dashboard_page(gateway& g, http::request& request, const visitor& who);
async::task<http::response> courses_part(gateway& g, http::request& request, const visitor& who);
// GET /v1/me/dashboard: the same in JSON, with an ETag.
async::task<http::response> own_dashboard_route(gateway& g, http::request& request, const visitor& who);
// What they show of somebody's courses, for another frame around it, or for a reader who is another.
async::task<nlohmann::json> dashboard_data(gateway& g, const visitor& who, const reader& seen_by);
// GET /me
async::task<http::response> me_page(gateway& g, http::request& request, const visitor& who);
// POST /dashboard/check: reads the student's results in one course now.
async::task<http::response> check_form(gateway& g, http::request& request, const visitor& who);

} // namespace coursegate::web_gateway
