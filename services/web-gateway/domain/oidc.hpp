// The rules of signing in by somebody else's word (OpenID Connect, authorization code with PKCE): what a
// browser takes along, and what an id_token must say. Without network, keys or JSON: those are clients/'s.
#pragma once

#include "coursegate/base/clock.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace coursegate::web_gateway {

// ---- What goes out (RFC 7636, RFC 6749 §10.12) ----

// RFC 4648 §5 without padding: what may stand in a URL.
std::string to_base64url(std::string_view bytes);

// S256.
std::string code_challenge_of(std::string_view verifier);

// ---- What comes back ----

// Signatures by a key pair, and only those we can check. Never "none", and never HS*: there the "key" would
// be something that is not secret.
bool is_signature_known(std::string_view alg);

struct id_token_claims
{
    std::string issuer;
    std::string subject;
    std::vector<std::string> audience;
    std::optional<std::string> authorized_party{}; // azp
    std::optional<std::string> nonce{};
    std::optional<std::int64_t> expires{}; // seconds since 1970, as the other two
    std::optional<std::int64_t> issued{};
    // Of the person
    std::string email;
    bool email_verified = false;
    std::string given_name;
    std::string family_name;
    std::string username;                      // preferred_username
    std::optional<std::int64_t> telegram_id{}; // `id`, which only Telegram gives
};

struct id_token_wish
{
    std::string issuer;
    std::string client_id;
    std::string nonce;
};

// Why a token whose signature is good is still not for us, now; empty: it is. A sentence for the log; it
// repeats nothing of the token.
std::string fault_of(const id_token_claims& claims, const id_token_wish& wish, base::time_point now);

} // namespace coursegate::web_gateway
