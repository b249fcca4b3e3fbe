// /admin/audit-log: who did what, when, why and from where.
#pragma once

#include "handlers/visitor.hpp"

namespace coursegate::web_gateway {

// GET /admin/audit-log, /admin/audit-log/csv
async::task<http::response> audit_log_page(gateway& g, http::request& request, const visitor& who);
async::task<http::response> audit_log_csv(gateway& g, http::request& request, const visitor& who);

} // namespace coursegate::web_gateway
