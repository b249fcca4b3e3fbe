// The page at / where one plays a student: static files, embedded; everything it shows and does goes through
// the control API.
#pragma once

#include "coursegate/http/server.hpp"

#include <vector>

namespace coursegate::sandbox {

std::vector<http::route> page_routes();

} // namespace coursegate::sandbox
