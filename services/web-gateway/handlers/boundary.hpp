// The edge between HTTP and our uses, once for all routes: who is asking, what a refusal looks like, what is
// said while the database is away, and how a write is made exactly once.
#pragma once

#include "domain/principal.hpp"
#include "handlers/gateway.hpp"
#include "storage/idempotency.hpp"

#include "coursegate/http/server.hpp"

#include <nlohmann/json_fwd.hpp>

#include <functional>

namespace coursegate::web_gateway {

// One request of somebody we know.
struct call
{
    http::request& request;
    act by;
};

// One use of the gateway. Throws `refused`; the boundary answers it.
using use = async::task<http::response> (*)(gateway&, call&);

// 401 without the admin token, 4xx for `refused`, 503 while the database is away (nothing was changed, or,
// when the connection broke during COMMIT, nobody knows: the client repeats with its Idempotency-Key).
// Answers are never stored by caches.
http::handler for_admin(gateway& g, use u);

// Runs `work` in one transaction and answers what it returns. A POST with an Idempotency-Key is done once
// (see storage/idempotency.hpp). `work` may run more than once and leaves nothing behind when it throws
// `refused`.
async::task<http::response> write(gateway& g, call& c, std::function<answer(db::transaction&)> work);

answer json_answer(int status, const nlohmann::json& body);

} // namespace coursegate::web_gateway
