// /admin/trouble: what failed or was put aside, grouped by cause, whom it keeps waiting, and the ways back.
#pragma once

#include "handlers/visitor.hpp"

namespace coursegate::web_gateway {

// GET /admin/trouble
async::task<http::response> trouble_page(gateway& g, http::request& request, const visitor& who);
// GET /admin/trouble/failures?course=&for=person|itself&reason=
async::task<http::response> failures_page(gateway& g, http::request& request, const visitor& who);
// POST /admin/trouble/failures: grants are ordered again, one order for each
async::task<http::response> retry_form(gateway& g, http::request& request, const visitor& who);
// POST /admin/trouble/audits
async::task<http::response> audit_form(gateway& g, http::request& request, const visitor& who);

// Messages belong to no course: these are for ops and admins.
// GET, POST /admin/trouble/parked/{queue}
async::task<http::response> parked_page(gateway& g, http::request& request, const visitor& who);
async::task<http::response> redrive_form(gateway& g, http::request& request, const visitor& who);

} // namespace coursegate::web_gateway
