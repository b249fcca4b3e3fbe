// The table of routes of the whole sandbox: start reading here.
#pragma once

#include "coursegate/http/server.hpp"
#include "handlers/boomstream.hpp"
#include "handlers/control.hpp"
#include "handlers/stage.hpp"
#include "handlers/stepik.hpp"

#include <vector>

namespace coursegate::sandbox {

// Everything named must outlive the routes.
std::vector<http::route> routes(
    stage& st, stepik_api& stepik, boomstream_api& boomstream, const control_api& control);

// What the sandbox's server needs besides address and port: no access log (the sandbox counts calls itself,
// and a key in a query must not reach a log), long URLs, long waits.
http::server_settings server_settings(const std::string& host, int port);

} // namespace coursegate::sandbox
