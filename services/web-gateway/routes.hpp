// The whole HTTP API of web-gateway: one table, in routes.cpp.
#pragma once

#include "handlers/gateway.hpp"

#include "coursegate/http/server.hpp"

#include <vector>

namespace coursegate::web_gateway {

// `g` must outlive the server.
std::vector<http::route> routes(gateway& g);

} // namespace coursegate::web_gateway
