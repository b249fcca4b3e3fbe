// GET /dashboard/moves: says to an open page that something about its reader has changed.
#pragma once

#include "handlers/visitor.hpp"

namespace coursegate::web_gateway {

async::task<http::response> moves_stream(gateway& g, http::request& request, const visitor& who);

} // namespace coursegate::web_gateway
