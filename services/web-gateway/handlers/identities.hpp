// /profile/identities: which accounts elsewhere are a person's own, and taking one away. Linking one is a
// round trip: handlers/ways.
#pragma once

#include "handlers/visitor.hpp"

namespace coursegate::web_gateway {

async::task<http::response> identities_page(gateway& g, http::request& request, const visitor& who);
async::task<http::response> unlink_identity_form(gateway& g, http::request& request, const visitor& who);

} // namespace coursegate::web_gateway
