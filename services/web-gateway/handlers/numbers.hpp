// /admin/numbers: how a course goes, and the people behind each number.
#pragma once

#include "handlers/visitor.hpp"

namespace coursegate::web_gateway {

// GET /admin/numbers
async::task<http::response> numbers_page(gateway& g, http::request& request, const visitor& who);
// GET /admin/numbers/csv: ?table=lessons or days
async::task<http::response> numbers_csv(gateway& g, http::request& request, const visitor& who);
// GET /admin/numbers/students, …/students/csv: ?show=enrolled, active or passed with a lesson
async::task<http::response> counted_students_page(gateway& g, http::request& request, const visitor& who);
async::task<http::response> counted_students_csv(gateway& g, http::request& request, const visitor& who);

} // namespace coursegate::web_gateway
