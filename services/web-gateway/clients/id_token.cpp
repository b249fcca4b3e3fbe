#include "clients/id_token.hpp"

#include "clients/json_member.hpp"

#include "coursegate/base/encoding.hpp"

#include <nlohmann/json.hpp>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>

#include <algorithm>

namespace coursegate::web_gateway {
namespace {

constexpr std::size_t longest_token = 16 * 1024;
constexpr std::size_t most_keys = 100;
constexpr std::size_t coordinate = 32; // bytes of a number of P-256
constexpr int least_rsa_bits = 2048;

template <auto Free>
struct freed_by
{
    template <class T>
    void operator()(T* p) const
    {
        Free(p);
    }
};
using pkey = std::shared_ptr<EVP_PKEY>;
using pkey_context = std::unique_ptr<EVP_PKEY_CTX, freed_by<EVP_PKEY_CTX_free>>;
using digest_context = std::unique_ptr<EVP_MD_CTX, freed_by<EVP_MD_CTX_free>>;
using param_builder = std::unique_ptr<OSSL_PARAM_BLD, freed_by<OSSL_PARAM_BLD_free>>;
using param_list = std::unique_ptr<OSSL_PARAM, freed_by<OSSL_PARAM_free>>;
using number = std::unique_ptr<BIGNUM, freed_by<BN_free>>;
using ecdsa_signature = std::unique_ptr<ECDSA_SIG, freed_by<ECDSA_SIG_free>>;

class category final : public std::error_category
{
    const char* name() const noexcept override { return "oidc"; }
    std::string message(int e) const override
    {
        switch (static_cast<oidc_errc>(e)) {
        case oidc_errc::unreachable:
            return "the provider can't be reached";
        case oidc_errc::bad_answer:
            return "the provider's answer is not understood";
        case oidc_errc::refused:
            return "the provider does not take the code";
        case oidc_errc::unknown_key:
            return "the token is signed with an unknown key";
        case oidc_errc::not_genuine:
            return "the token is not the provider's";
        case oidc_errc::wrong_claims:
            return "the token is not for this sign-in";
        }
        return "unknown";
    }
};

const unsigned char* raw(std::string_view bytes)
{
    return reinterpret_cast<const unsigned char*>(bytes.data());
}

number number_of(std::string_view bytes)
{
    return number(BN_bin2bn(raw(bytes), static_cast<int>(bytes.size()), nullptr));
}

// Base64url without padding, and nothing else.
std::optional<std::string> decoded(std::string_view text)
{
    const auto fits = [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
               c == '_';
    };
    if (text.empty() || !std::all_of(text.begin(), text.end(), fits))
        return std::nullopt;
    auto out = base::from_base64(text);
    if (!out.has_value())
        return std::nullopt;
    return std::move(*out);
}

pkey from_params(const char* type, OSSL_PARAM_BLD* builder)
{
    const param_list params(OSSL_PARAM_BLD_to_param(builder));
    const pkey_context context(EVP_PKEY_CTX_new_from_name(nullptr, type, nullptr));
    EVP_PKEY* out = nullptr;
    if (!params || !context || EVP_PKEY_fromdata_init(context.get()) != 1 ||
        EVP_PKEY_fromdata(context.get(), &out, EVP_PKEY_PUBLIC_KEY, params.get()) != 1)
        return nullptr;
    return pkey(out, EVP_PKEY_free);
}

pkey rsa_key(const nlohmann::json& j)
{
    const auto modulus = decoded(text_of(j, "n"));
    const auto exponent = decoded(text_of(j, "e"));
    if (!modulus || !exponent || modulus->size() > 1024 || exponent->size() > 8)
        return nullptr;
    const auto n = number_of(*modulus);
    const auto e = number_of(*exponent);
    const param_builder builder(OSSL_PARAM_BLD_new());
    OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, n.get());
    OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, e.get());
    auto out = from_params("RSA", builder.get());
    return out && EVP_PKEY_get_bits(out.get()) >= least_rsa_bits ? out : nullptr;
}

pkey p256_key(const nlohmann::json& j)
{
    const auto x = decoded(text_of(j, "x"));
    const auto y = decoded(text_of(j, "y"));
    if (text_of(j, "crv") != "P-256" || !x || !y || x->size() != coordinate || y->size() != coordinate)
        return nullptr;
    const auto point = "\x04" + *x + *y; // not compressed
    const param_builder builder(OSSL_PARAM_BLD_new());
    OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0);
    OSSL_PARAM_BLD_push_octet_string(builder.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(), point.size());
    return from_params("EC", builder.get());
}

// A JWT has the two numbers side by side, OpenSSL wants them in DER.
std::string der_of(std::string_view signature)
{
    if (signature.size() != 2 * coordinate)
        return {};
    const ecdsa_signature both(ECDSA_SIG_new());
    ECDSA_SIG_set0(both.get(), number_of(signature.substr(0, coordinate)).release(),
        number_of(signature.substr(coordinate)).release());
    unsigned char* der = nullptr;
    const auto size = i2d_ECDSA_SIG(both.get(), &der);
    std::string out(reinterpret_cast<char*>(der), size > 0 ? static_cast<std::size_t>(size) : 0);
    OPENSSL_free(der);
    return out;
}

bool is_signed_by(EVP_PKEY* key, std::string_view signature, std::string_view text)
{
    const digest_context context(EVP_MD_CTX_new());
    return !signature.empty() &&
           EVP_DigestVerifyInit(context.get(), nullptr, EVP_sha256(), nullptr, key) == 1 &&
           EVP_DigestVerify(context.get(), raw(signature), signature.size(), raw(text), text.size()) == 1;
}

std::optional<std::int64_t> integer_of(const nlohmann::json& j, const char* name)
{
    const auto at = j.find(name);
    if (at == j.end() || !at->is_number_integer())
        return std::nullopt;
    return at->get<std::int64_t>();
}

std::optional<std::string> optional_text_of(const nlohmann::json& j, const char* name)
{
    const auto at = j.find(name);
    return at != j.end() && at->is_string() ? std::optional(at->get<std::string>()) : std::nullopt;
}

id_token_claims claims_of(const nlohmann::json& j)
{
    id_token_claims out;
    out.issuer = text_of(j, "iss");
    out.subject = text_of(j, "sub");
    if (const auto aud = j.find("aud"); aud != j.end()) {
        if (aud->is_string())
            out.audience.push_back(aud->get<std::string>());
        if (aud->is_array())
            for (const auto& one : *aud)
                out.audience.push_back(one.is_string() ? one.get<std::string>() : std::string());
    }
    out.authorized_party = optional_text_of(j, "azp");
    out.nonce = optional_text_of(j, "nonce");
    out.expires = integer_of(j, "exp");
    out.issued = integer_of(j, "iat");
    out.email = text_of(j, "email");
    const auto checked = j.find("email_verified");
    out.email_verified = checked != j.end() && checked->is_boolean() && checked->get<bool>();
    out.given_name = text_of(j, "given_name");
    out.family_name = text_of(j, "family_name");
    out.username = text_of(j, "preferred_username");
    out.telegram_id = integer_of(j, "id");
    return out;
}

std::optional<nlohmann::json> object_of(const std::optional<std::string>& text)
{
    if (!text)
        return std::nullopt;
    auto out = nlohmann::json::parse(*text, nullptr, false);
    if (!out.is_object())
        return std::nullopt;
    return out;
}

} // namespace

const std::error_category& oidc_category() noexcept
{
    static const category one;
    return one;
}

std::error_code make_error_code(oidc_errc e) noexcept
{
    return {static_cast<int>(e), oidc_category()};
}

struct key_set::key
{
    std::string alg;
    pkey value;
};

base::result<key_set> key_set::parse(std::string_view json)
{
    const auto j = nlohmann::json::parse(json, nullptr, false);
    if (!j.is_object() || !j.contains("keys") || !j["keys"].is_array() || j["keys"].size() > most_keys)
        return base::fail(oidc_errc::bad_answer, "this is not a set of keys");
    key_set out;
    for (const auto& one : j["keys"]) {
        if (!one.is_object())
            continue;
        const auto type = text_of(one, "kty");
        const auto usage = text_of(one, "use");
        key k;
        k.alg = type == "RSA" ? "RS256" : "ES256";
        const auto alg = text_of(one, "alg");
        if ((type != "RSA" && type != "EC") || (!alg.empty() && alg != k.alg) ||
            (!usage.empty() && usage != "sig"))
            continue;
        k.value = type == "RSA" ? rsa_key(one) : p256_key(one);
        if (k.value)
            out.keys_[text_of(one, "kid")] = std::make_shared<const key>(std::move(k));
    }
    return out;
}

base::result<id_token_claims> key_set::verified(std::string_view token) const
{
    const auto first = token.find('.');
    const auto second = first == token.npos ? token.npos : token.find('.', first + 1);
    if (token.size() > longest_token || second == token.npos || token.find('.', second + 1) != token.npos)
        return base::fail(oidc_errc::bad_answer, "the id_token has not three parts");
    const auto head = object_of(decoded(token.substr(0, first)));
    const auto body = object_of(decoded(token.substr(first + 1, second - first - 1)));
    if (!head || !body)
        return base::fail(oidc_errc::bad_answer, "the id_token is not JSON");
    const auto alg = text_of(*head, "alg");
    if (!is_signature_known(alg) || head->contains("crit"))
        return base::fail(oidc_errc::not_genuine, "the id_token has no signature that proves anything");
    const auto key = keys_.find(text_of(*head, "kid"));
    if (key == keys_.end())
        return base::fail(oidc_errc::unknown_key, "the id_token is signed with a key that is not known");
    if (alg != key->second->alg)
        return base::fail(oidc_errc::not_genuine, "the id_token's signature is not of its key's kind");
    const auto signature = decoded(token.substr(second + 1));
    const auto proof = !signature ? std::string() : alg == "ES256" ? der_of(*signature) : *signature;
    if (!is_signed_by(key->second->value.get(), proof, token.substr(0, second)))
        return base::fail(oidc_errc::not_genuine, "the id_token's signature is wrong");
    return claims_of(*body);
}

} // namespace coursegate::web_gateway
