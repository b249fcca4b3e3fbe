// A provider of OpenID Connect (Google, Telegram, or any other by its issuer): where to send a browser, and
// who came back. Addresses and keys come from discovery and are kept as long as the provider says.
#pragma once

#include "clients/id_token.hpp"

#include "coursegate/async/task.hpp"
#include "coursegate/base/secret.hpp"
#include "coursegate/http/client.hpp"

#include <optional>
#include <string>

namespace coursegate::web_gateway {

struct oidc_settings
{
    std::string issuer;
    std::string client_id;
    base::secret client_secret;
    std::string scope = "openid";
    // How the client shows its secret: client_secret_basic (Telegram), else in the form (Google).
    bool secret_in_header = false;
};

// What a browser takes along. `challenge` belongs to a verifier that stays here.
struct oidc_start
{
    std::string redirect_uri;
    std::string state;
    std::string nonce;
    std::string challenge;
};

struct oidc_return
{
    std::string code;
    std::optional<std::string> issuer{}; // the parameter `iss` (RFC 9207), where it came
    std::string redirect_uri;
    std::string nonce;
    std::string verifier;
};

// Lives on one executor. Errors are oidc_errc; their details name neither code nor token.
class oidc_client
{
public:
    oidc_client(http::client& web, oidc_settings s) : web_(web), settings_(std::move(s)) {}

    async::task<base::result<std::string>> address_of(oidc_start start);

    // Gives the code back for an id_token and checks it. A code is good once: what broke on the way is begun
    // again by the person.
    async::task<base::result<id_token_claims>> redeem(oidc_return back);

private:
    struct addresses
    {
        std::string authorize;
        std::string token;
        std::string keys;
    };
    async::task<base::result<addresses>> discover();
    async::task<base::result<key_set>> keys(const addresses& at, bool anew);
    async::task<base::result<std::string>> id_token(const addresses& at, const oidc_return& back);

    http::client& web_;
    oidc_settings settings_;
    std::optional<addresses> addresses_;
    base::time_point addresses_until_{};
    std::optional<key_set> keys_;
    base::time_point keys_until_{};
};

// What "Cache-Control: max-age=n" grants, within a minute and a day; an hour without it.
std::chrono::seconds kept_for(const http::headers& h);

} // namespace coursegate::web_gateway
