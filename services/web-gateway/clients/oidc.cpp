#include "clients/oidc.hpp"

#include "clients/json_member.hpp"

#include "coursegate/base/encoding.hpp"
#include "coursegate/log/log.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <charconv>

namespace coursegate::web_gateway {
namespace {

using namespace std::chrono_literals;

constexpr auto call_deadline = 8s; // the person waits
constexpr std::size_t largest_answer = 256 * 1024;

async::task<base::result<http::client_response>> fetch(http::client& web, std::string url)
{
    http::client_request request;
    request.url = std::move(url);
    request.headers.set("Accept", "application/json");
    request.deadline = call_deadline;
    request.max_response_bytes = largest_answer;
    request.retries = 1;
    auto answer = co_await web.send(std::move(request));
    if (!answer.has_value())
        co_return base::fail(oidc_errc::unreachable, answer.error().code.message());
    if (answer->status != 200)
        co_return base::fail(
            oidc_errc::unreachable, "the provider answered " + std::to_string(answer->status));
    co_return std::move(*answer);
}

// A provider that is spoken to over TLS sends neither us nor a browser anywhere without.
bool is_as_safe(const std::string& url, const std::string& issuer)
{
    return url.starts_with("https://") || (url.starts_with("http://") && issuer.starts_with("http://"));
}

} // namespace

std::chrono::seconds kept_for(const http::headers& h)
{
    const auto said = h.get("Cache-Control").value_or("");
    const auto at = said.find("max-age=");
    if (at == said.npos)
        return 1h;
    std::int64_t seconds = 0;
    std::from_chars(said.data() + at + 8, said.data() + said.size(), seconds);
    return std::clamp<std::chrono::seconds>(std::chrono::seconds(seconds), 1min, 24h);
}

async::task<base::result<oidc_client::addresses>> oidc_client::discover()
{
    if (addresses_ && base::now() < addresses_until_)
        co_return *addresses_;
    const auto answer = co_await fetch(web_, settings_.issuer + "/.well-known/openid-configuration");
    if (!answer.has_value())
        co_return answer.error();
    const auto j = nlohmann::json::parse(answer->body, nullptr, false);
    if (!j.is_object() || text_of(j, "issuer") != settings_.issuer)
        co_return base::fail(oidc_errc::bad_answer, "discovery speaks of another issuer");
    addresses found;
    found.authorize = text_of(j, "authorization_endpoint");
    found.token = text_of(j, "token_endpoint");
    found.keys = text_of(j, "jwks_uri");
    for (const auto* url : {&found.authorize, &found.token, &found.keys})
        if (!is_as_safe(*url, settings_.issuer))
            co_return base::fail(
                oidc_errc::bad_answer, "discovery lacks an address, or gives one without TLS");
    addresses_ = found;
    addresses_until_ = base::now() + kept_for(answer->headers);
    co_return found;
}

async::task<base::result<key_set>> oidc_client::keys(const addresses& at, bool anew)
{
    if (!anew && keys_ && base::now() < keys_until_)
        co_return *keys_;
    const auto answer = co_await fetch(web_, at.keys);
    if (!answer.has_value())
        co_return answer.error();
    auto parsed = key_set::parse(answer->body);
    if (parsed.has_value()) {
        keys_ = *parsed;
        keys_until_ = base::now() + kept_for(answer->headers);
    }
    co_return parsed;
}

async::task<base::result<std::string>> oidc_client::address_of(oidc_start start)
{
    const auto at = co_await discover();
    if (!at.has_value())
        co_return at.error();
    std::string out = at->authorize + (at->authorize.find('?') == std::string::npos ? "?" : "&");
    out += "response_type=code&client_id=" + base::percent_encode(settings_.client_id);
    out += "&scope=" + base::percent_encode(settings_.scope);
    out += "&redirect_uri=" + base::percent_encode(start.redirect_uri);
    out += "&state=" + base::percent_encode(start.state) + "&nonce=" + base::percent_encode(start.nonce);
    out += "&code_challenge=" + base::percent_encode(start.challenge) + "&code_challenge_method=S256";
    co_return out;
}

async::task<base::result<std::string>> oidc_client::id_token(const addresses& at, const oidc_return& back)
{
    http::client_request request;
    request.method = "POST";
    request.url = at.token;
    request.headers.set("Content-Type", "application/x-www-form-urlencoded");
    request.headers.set("Accept", "application/json");
    request.body = "grant_type=authorization_code&code=" + base::percent_encode(back.code) +
                   "&redirect_uri=" + base::percent_encode(back.redirect_uri) +
                   "&client_id=" + base::percent_encode(settings_.client_id) +
                   "&code_verifier=" + base::percent_encode(back.verifier);
    const auto secret = base::percent_encode(settings_.client_secret.expose());
    if (settings_.secret_in_header)
        request.headers.set("Authorization",
            "Basic " + base::to_base64(base::percent_encode(settings_.client_id) + ":" + secret));
    else
        request.body += "&client_secret=" + secret;
    request.deadline = call_deadline;
    request.max_response_bytes = largest_answer;
    const auto answer = co_await web_.send(std::move(request));
    if (!answer.has_value())
        co_return base::fail(oidc_errc::unreachable, answer.error().code.message());
    const auto j = nlohmann::json::parse(answer->body, nullptr, false);
    if (answer->status >= 400 && answer->status < 500) {
        // Only words of the standard are repeated: anything else may be what we sent.
        const auto said = j.is_object() ? text_of(j, "error") : std::string();
        const bool is_known = said == "invalid_grant" || said == "invalid_client" ||
                              said == "invalid_request" || said == "unauthorized_client";
        co_return base::fail(oidc_errc::refused, "the token endpoint answered " +
                                                     std::to_string(answer->status) +
                                                     (is_known ? " " + said : std::string()));
    }
    if (answer->status != 200)
        co_return base::fail(
            oidc_errc::unreachable, "the token endpoint answered " + std::to_string(answer->status));
    auto token = j.is_object() ? text_of(j, "id_token") : std::string();
    if (token.empty())
        co_return base::fail(oidc_errc::bad_answer, "the token endpoint gave no id_token");
    co_return token;
}

async::task<base::result<id_token_claims>> oidc_client::redeem(oidc_return back)
{
    if (back.issuer && *back.issuer != settings_.issuer)
        co_return base::fail(oidc_errc::wrong_claims, "another provider sent the browser back");
    const auto at = co_await discover();
    if (!at.has_value())
        co_return at.error();
    const auto token = co_await id_token(*at, back);
    if (!token.has_value())
        co_return token.error();
    const auto known = co_await keys(*at, false);
    if (!known.has_value())
        co_return known.error();
    auto claims = known->verified(*token);
    if (!claims.has_value() && claims.error().code == oidc_errc::unknown_key) {
        // Providers change their keys; once, so that a token with a made-up key costs one call.
        const auto fresh = co_await keys(*at, true);
        if (!fresh.has_value())
            co_return fresh.error();
        claims = fresh->verified(*token);
    }
    if (!claims.has_value())
        co_return claims.error();
    id_token_wish wish;
    wish.issuer = settings_.issuer;
    wish.client_id = settings_.client_id;
    wish.nonce = back.nonce;
    auto fault = fault_of(*claims, wish, base::now());
    if (!fault.empty())
        co_return base::fail(oidc_errc::wrong_claims, std::move(fault));
    co_return std::move(*claims);
}

} // namespace coursegate::web_gateway
