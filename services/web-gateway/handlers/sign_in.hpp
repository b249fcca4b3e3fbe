// Signing in by e-mail and Boomstream code, signing out, and ending one's other sessions. HTML forms; not
// part of the JSON API.
#pragma once

#include "handlers/visitor.hpp"

namespace coursegate::web_gateway {

// Open to anybody.
async::task<http::response> login_page(gateway& g, http::request& request);
async::task<http::response> login_form(gateway& g, http::request& request);

// For visitors.
async::task<http::response> logout_form(gateway& g, http::request& request, const visitor& who);
async::task<http::response> end_session_form(gateway& g, http::request& request, const visitor& who);
async::task<http::response> end_all_sessions_form(gateway& g, http::request& request, const visitor& who);

} // namespace coursegate::web_gateway
