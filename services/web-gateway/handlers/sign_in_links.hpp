// One-time links: the bot asks for one and gives it to the person it talks with, and what the legacy Telegram
// widget brings becomes one. Opening a link shows a button; only the button signs in, so that whoever looks
// at links by himself (previews, mail filters) spends none.
#pragma once

#include "handlers/boundary.hpp"

namespace coursegate::web_gateway {

// POST /v1/sign-in-links
async::task<http::response> make_link_route(gateway& g, call& c);

// Open to anybody. The token is in the query and in the form, not in the path: paths are logged.
async::task<http::response> link_page(gateway& g, http::request& request);
async::task<http::response> link_form(gateway& g, http::request& request);

// /login/telegram/callback with the widget's fields. Throws base::dependency_down.
async::task<http::response> widget_came(gateway& g, http::request& request);

} // namespace coursegate::web_gateway
