// The pages that are open to anybody, and what all pages share.
#pragma once

#include "handlers/gateway.hpp"
#include "pages/pages.hpp"

#include "coursegate/http/server.hpp"

namespace coursegate::web_gateway {

// GET /assets/{file}
async::task<http::response> asset_route(gateway& g, http::request& request);
// POST /language: remembers a stranger's choice in the cookie `lang`.
async::task<http::response> language_route(gateway& g, http::request& request);

// For http::server_settings::word_refusal: what the server itself answers to a browser becomes a page in the
// reader's language. The API's answers stay as they are.
void word_refusal(const pages& site, const http::request& request, http::response& answer);

// Where to go after a form: `path` when it leads to a page of this site, else "/".
std::string local_path(std::string path);

} // namespace coursegate::web_gateway
