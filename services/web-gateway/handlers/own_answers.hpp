// What a signed-in person's own programs and scripts get in JSON, by the session of the site. The counterpart
// of handlers/boundary.hpp, which is for tools with the admin token.
#pragma once

#include "handlers/visitor.hpp"

namespace coursegate::web_gateway {

// 401 without a session of the site: the admin token is none, and the Mini App's is none. 400 for `refused`,
// 503 while the database is away. Only for reading: a cookie alone must not change anything. Errors are never
// stored by caches; what `u` answers is kept by the person's own browser, which asks each time whether it
// still holds. Using an answer keeps the session, as using a page does.
http::handler for_person(gateway& g, page_use u);

} // namespace coursegate::web_gateway
