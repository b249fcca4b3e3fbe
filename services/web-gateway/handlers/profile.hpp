// What a person sees and decides about himself.
#pragma once

#include "handlers/visitor.hpp"

namespace coursegate::web_gateway {

// GET /profile
async::task<http::response> profile_page(gateway& g, http::request& request, const visitor& who);
// POST /profile: name, language, time zone.
async::task<http::response> profile_form(gateway& g, http::request& request, const visitor& who);
// POST /profile/notices
async::task<http::response> notices_form(gateway& g, http::request& request, const visitor& who);
// GET /profile/data: everything about him as one file.
async::task<http::response> own_data_route(gateway& g, http::request& request, const visitor& who);
// POST /profile/delete: he leaves; confirmed by his e-mail, typed.
async::task<http::response> delete_account_form(gateway& g, http::request& request, const visitor& who);

} // namespace coursegate::web_gateway
