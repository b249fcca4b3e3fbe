// /admin/students: find people, see one whole, open and close for him, and make new ones.
//
// An author may look at the students of his courses and at those he has created, and open and close lessons
// of his courses for them. Who somebody is (e-mail, Stepik id, code) is changed by an admin, or by the author
// who created him as long as he holds no role himself: an account shared with another author's course is not
// one author's to take over.
#pragma once

#include "handlers/visitor.hpp"

namespace coursegate::web_gateway {

// GET, POST /admin/students
async::task<http::response> students_page(gateway& g, http::request& request, const visitor& who);
async::task<http::response> create_student_form(gateway& g, http::request& request, const visitor& who);

// GET /admin/students/{id}
async::task<http::response> student_page(gateway& g, http::request& request, const visitor& who);
// POST /admin/students/{id}/lessons: opens or closes the ticked ones
async::task<http::response> student_lessons_form(gateway& g, http::request& request, const visitor& who);
// POST /admin/students/{id}/code: a new one, shown once
async::task<http::response> student_code_form(gateway& g, http::request& request, const visitor& who);
// POST /admin/students/{id}/account
async::task<http::response> student_account_form(gateway& g, http::request& request, const visitor& who);
// GET /admin/students/{id}/site: his dashboard, to look at only
async::task<http::response> site_as_student_page(gateway& g, http::request& request, const visitor& who);

} // namespace coursegate::web_gateway
