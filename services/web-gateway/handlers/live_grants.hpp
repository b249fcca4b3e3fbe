// /admin/grants: grants as they flow, and how fast.
#pragma once

#include "handlers/visitor.hpp"

namespace coursegate::web_gateway {

// GET /admin/grants: a list with filters and pages, which works by itself
async::task<http::response> live_grants_page(gateway& g, http::request& request, const visitor& who);
// GET /admin/grants/stream: what comes on top of it
async::task<http::response> live_grants_stream(gateway& g, http::request& request, const visitor& who);

} // namespace coursegate::web_gateway
