// Stepik as a way to prove who somebody is there: its authorization code grant, and one call that tells whose
// the token is. The token is forgotten at once.
#pragma once

#include "clients/id_token.hpp"

#include "coursegate/async/task.hpp"
#include "coursegate/base/secret.hpp"
#include "coursegate/http/client.hpp"

#include <cstdint>
#include <string>

namespace coursegate::web_gateway {

struct stepik_login_settings
{
    std::string url; // https://stepik.org
    std::string client_id;
    base::secret client_secret;
};

// Lives on one executor. Errors are oidc_errc.
class stepik_login
{
public:
    stepik_login(http::client& web, stepik_login_settings s) : web_(web), settings_(std::move(s)) {}

    std::string address_of(const std::string& redirect_uri, const std::string& state) const;

    // The id of the account that gave `code`; a guest's is refused.
    async::task<base::result<std::int64_t>> redeem(std::string code, std::string redirect_uri);

private:
    async::task<base::result<base::secret>> token(std::string code, std::string redirect_uri);

    http::client& web_;
    stepik_login_settings settings_;
};

} // namespace coursegate::web_gateway
