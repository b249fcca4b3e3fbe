// Reading an id_token (a JWT, RFC 7519) and the keys it is signed with (a JWK set, RFC 7517), with OpenSSL.
#pragma once

#include "domain/oidc.hpp"

#include "coursegate/base/result.hpp"

#include <map>
#include <memory>
#include <string>
#include <string_view>

namespace coursegate::web_gateway {

enum class oidc_errc
{
    unreachable = 1, // no answer; the person may try again
    bad_answer,      // not what OpenID Connect says
    refused,         // the provider does not take the code
    unknown_key,     // the token is signed with a key that is not in the set
    not_genuine,     // the signature is not the provider's, or of a kind that proves nothing
    wrong_claims,    // genuine, and not for us or not for now
};
const std::error_category& oidc_category() noexcept;
std::error_code make_error_code(oidc_errc e) noexcept;

// A provider's public keys by their names. RSA and P-256; whatever else stands in a set is skipped, so that a
// new kind of key breaks nothing. Copies share the keys.
class key_set
{
public:
    key_set() = default;
    // bad_answer: not a JWK set.
    static base::result<key_set> parse(std::string_view json);

    std::size_t size() const { return keys_.size(); }

    // The claims of a token whose signature is good. The key says which signature it makes: a token that
    // names another is refused. Errors: bad_answer, unknown_key, not_genuine.
    base::result<id_token_claims> verified(std::string_view token) const;

private:
    struct key;
    std::map<std::string, std::shared_ptr<const key>> keys_; // by kid
};

} // namespace coursegate::web_gateway

template <>
struct std::is_error_code_enum<coursegate::web_gateway::oidc_errc> : std::true_type
{};
