#include "domain/oidc.hpp"

#include "coursegate/base/encoding.hpp"
#include "coursegate/base/secret.hpp"

#include <algorithm>

namespace coursegate::web_gateway {
namespace {

constexpr std::int64_t clock_skew = 300; // seconds; what Google's own library allows
constexpr std::int64_t longest_life = 24 * 3600;

bool is_issuer(const std::string& said, const std::string& wanted)
{
    // Google's own tokens may leave the scheme out.
    return said == wanted || (wanted == "https://accounts.google.com" && said == "accounts.google.com");
}

} // namespace

std::string to_base64url(std::string_view bytes)
{
    auto out = base::to_base64(bytes);
    std::replace(out.begin(), out.end(), '+', '-');
    std::replace(out.begin(), out.end(), '/', '_');
    out.erase(out.find_last_not_of('=') + 1);
    return out;
}

std::string code_challenge_of(std::string_view verifier)
{
    return to_base64url(base::sha256(verifier));
}

bool is_signature_known(std::string_view alg)
{
    return alg == "RS256" || alg == "ES256";
}

std::string fault_of(const id_token_claims& claims, const id_token_wish& wish, base::time_point now)
{
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count();
    if (!is_issuer(claims.issuer, wish.issuer))
        return "the id_token is of another issuer";
    if (std::find(claims.audience.begin(), claims.audience.end(), wish.client_id) == claims.audience.end())
        return "the id_token is for another client";
    if (claims.audience.size() > 1 && !claims.authorized_party)
        return "the id_token is for several clients and does not say for whom it was made";
    if (claims.authorized_party && *claims.authorized_party != wish.client_id)
        return "the id_token was made for another client";
    if (!claims.expires || *claims.expires <= seconds - clock_skew)
        return "the id_token has expired";
    if (*claims.expires > seconds + longest_life)
        return "the id_token lasts longer than a day";
    if (!claims.issued || *claims.issued > seconds + clock_skew || *claims.issued < seconds - longest_life)
        return "the id_token was not issued just now";
    if (!claims.nonce || !base::equal_in_constant_time(*claims.nonce, wish.nonce))
        return "the id_token belongs to another sign-in";
    if (claims.subject.empty() || claims.subject.size() > 255)
        return "the id_token names nobody";
    return {};
}

} // namespace coursegate::web_gateway
