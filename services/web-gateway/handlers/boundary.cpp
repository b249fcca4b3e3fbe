#include "handlers/boundary.hpp"

#include "domain/input.hpp"
#include "domain/refused.hpp"
#include "storage/users.hpp"

#include "coursegate/base/encoding.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace coursegate::web_gateway {
namespace {

constexpr std::string_view bearer = "Bearer ";

principal authenticate(const gateway& g, const http::request& request)
{
    const auto header = request.headers.get("Authorization");
    if (!header)
        throw refused(
            refusal::unauthorized, slug::unauthorized, "A token is needed: Authorization: Bearer <token>.");
    const bool known = header->starts_with(bearer) &&
                       base::equal_in_constant_time(header->substr(bearer.size()), g.admin_token.expose());
    if (!known)
        throw refused(refusal::unauthorized, slug::unauthorized, "This token is not known here.");
    principal out;
    out.name = "admin-token";
    return out;
}

// W3C trace context, or empty: a malformed one is dropped, as the standard has it.
std::string traceparent_of(const http::request& request)
{
    const auto header = request.headers.get("traceparent");
    if (!header || header->size() != 55 || (*header)[2] != '-' || (*header)[35] != '-' ||
        (*header)[52] != '-')
        return {};
    const auto fits = [](char c) { return c == '-' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
    return std::all_of(header->begin(), header->end(), fits) ? *header : std::string();
}

act act_of(const principal& who, const http::request& request)
{
    act out;
    out.who = who.name;
    out.request_id = request.request_id;
    out.traceparent = traceparent_of(request);
    out.address = request.remote_address;
    if (const auto actor = request.headers.get("X-Actor"))
        out.on_behalf_of = checked_line(*actor, "X-Actor", 100, 1);
    return out;
}

int status_of(refusal kind)
{
    switch (kind) {
    case refusal::invalid:
        return 400;
    case refusal::unauthorized:
        return 401;
    case refusal::not_found:
        return 404;
    case refusal::conflict:
        return 409;
    }
    return 400;
}

http::response answer_of(const refused& no)
{
    auto out = http::response::error(status_of(no.kind()), no.slug(), no.message(), no.field());
    if (no.kind() == refusal::unauthorized)
        out.headers.set("WWW-Authenticate", "Bearer realm=\"coursegate\"");
    return out;
}

http::response unavailable(std::string_view slug, const char* sentence)
{
    auto out = http::response::error(503, std::string(slug), sentence);
    out.headers.set("Retry-After", "5");
    return out;
}

async::task<http::response> answered(gateway& g, http::request& request, use u)
{
    try {
        call c{request, act_of(authenticate(g, request), request)};
        co_return co_await u(g, c);
    }
    catch (const refused& no) {
        co_return answer_of(no);
    }
    catch (const db::constraint_violation& lost) {
        // Two requests wrote the same at the same moment, and the other one was first.
        const auto field = field_of_constraint(lost.constraint);
        if (!field)
            throw;
        const refused no(
            refusal::conflict, slug::duplicate, "Another user has just been given this.", *field);
        co_return answer_of(no);
    }
    catch (const db::in_doubt&) {
        request.log.warning("the connection to the database broke during COMMIT");
        co_return unavailable(slug::outcome_unknown, "The connection to the database broke at the last "
                                                     "moment: it may or may not have happened. Look, or "
                                                     "repeat the request with the same Idempotency-Key.");
    }
    catch (const base::dependency_down&) {
        request.log.warning("the database is not available");
        co_return unavailable(slug::database_unavailable,
            "The database can't be reached right now. Nothing was changed; try again in a few seconds.");
    }
}

std::optional<idempotent_call> idempotent_call_of(const call& c)
{
    const auto& request = c.request;
    const auto key = request.headers.get("Idempotency-Key");
    if (!key || request.method != "POST")
        return std::nullopt;
    idempotent_call out;
    out.who = c.by.who;
    out.key = checked_key(*key, "Idempotency-Key", 200);
    out.route = request.method + " " + request.path;
    out.body_hash = base::sha256(request.target + "\n" + request.body);
    return out;
}

} // namespace

http::handler for_admin(gateway& g, use u)
{
    return [&g, u](http::request& request) -> async::task<http::response> {
        auto out = co_await answered(g, request, u);
        out.headers.set("Cache-Control", "no-store");
        co_return out;
    };
}

async::task<http::response> write(gateway& g, call& c, std::function<answer(db::transaction&)> work)
{
    const auto once_only = idempotent_call_of(c);
    auto body = [&](db::transaction& tx) {
        const std::function<answer()> now = [&] { return work(tx); };
        return once(tx, g.keys, once_only, now);
    };
    const auto done = co_await g.db.transact(body);
    auto out = http::response::text(done.status, done.body, "application/json; charset=utf-8");
    if (done.body.empty()) {
        out = http::response{};
        out.status = done.status;
    }
    if (done.replayed)
        out.headers.set("Idempotent-Replayed", "true");
    co_return out;
}

answer json_answer(int status, const nlohmann::json& body)
{
    answer out;
    out.status = status;
    out.body = body.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    return out;
}

} // namespace coursegate::web_gateway
