// The Mini App: the student's pages inside Telegram. /app is a shell that is the same for everybody; its
// script shows Telegram's word about who opened it (initData), gets a session's token for it, and fetches
// parts with that token. Why no cookie and no script of Telegram's: docs/decisions/0007. Everything below
// /app is 404 while no bot's token is set.
#pragma once

#include "handlers/visitor.hpp"

namespace coursegate::web_gateway {

// GET /app and whatever a link into it may name. Open to anybody.
async::task<http::response> app_shell(gateway& g, http::request& request);
// POST /app/session: initData for a token. Open to anybody.
async::task<http::response> app_session_route(gateway& g, http::request& request);

// For the Mini App's visitors (for_app). What is shown:
async::task<http::response> app_courses_part(gateway& g, http::request& request, const visitor& who);
async::task<http::response> app_lesson_part(gateway& g, http::request& request, const visitor& who);
async::task<http::response> app_profile_part(gateway& g, http::request& request, const visitor& who);
// What is done; 204, and the app shows anew.
async::task<http::response> app_check_form(gateway& g, http::request& request, const visitor& who);
async::task<http::response> app_watch_form(gateway& g, http::request& request, const visitor& who);
async::task<http::response> app_language_form(gateway& g, http::request& request, const visitor& who);
async::task<http::response> app_sign_out_form(gateway& g, http::request& request, const visitor& who);

// What went wrong (403, 404, 503), as a part.
http::response app_problem(const gateway& g, int status, const reader& seen_by);

} // namespace coursegate::web_gateway
