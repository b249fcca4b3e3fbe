// A provider's key pair in a test: its JWK, and tokens signed with it.
#pragma once

#include "domain/oidc.hpp"

#include <nlohmann/json.hpp>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

#include <memory>
#include <string>

namespace coursegate::web_gateway::tests {

class token_signer
{
public:
    token_signer(std::string kid, bool is_rsa)
        : kid_(std::move(kid)), is_rsa_(is_rsa),
          key_(is_rsa ? EVP_RSA_gen(2048) : EVP_EC_gen("P-256"), EVP_PKEY_free)
    {}

    nlohmann::json jwk() const
    {
        nlohmann::json out{{"kid", kid_}, {"use", "sig"}, {"alg", is_rsa_ ? "RS256" : "ES256"}};
        out["kty"] = is_rsa_ ? "RSA" : "EC";
        if (is_rsa_) {
            out["n"] = number(OSSL_PKEY_PARAM_RSA_N);
            out["e"] = number(OSSL_PKEY_PARAM_RSA_E);
            return out;
        }
        unsigned char point[65];
        std::size_t size = 0;
        EVP_PKEY_get_octet_string_param(key_.get(), OSSL_PKEY_PARAM_PUB_KEY, point, sizeof point, &size);
        const std::string both(reinterpret_cast<char*>(point) + 1, 64);
        out["crv"] = "P-256";
        out["x"] = to_base64url(both.substr(0, 32));
        out["y"] = to_base64url(both.substr(32));
        return out;
    }

    std::string token(const nlohmann::json& claims, nlohmann::json head = nlohmann::json::object()) const
    {
        if (!head.contains("alg"))
            head["alg"] = is_rsa_ ? "RS256" : "ES256";
        if (!head.contains("kid"))
            head["kid"] = kid_;
        const auto text = to_base64url(head.dump()) + "." + to_base64url(claims.dump());
        return text + "." + to_base64url(signature(text));
    }

    std::string signature(const std::string& text) const
    {
        const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> c(EVP_MD_CTX_new(), EVP_MD_CTX_free);
        std::string out(512, '\0');
        auto size = out.size();
        auto* to = reinterpret_cast<unsigned char*>(out.data());
        EVP_DigestSignInit(c.get(), nullptr, EVP_sha256(), nullptr, key_.get());
        EVP_DigestSign(c.get(), to, &size, reinterpret_cast<const unsigned char*>(text.data()), text.size());
        out.resize(size);
        if (is_rsa_)
            return out;
        const auto* der = reinterpret_cast<const unsigned char*>(out.data());
        auto* both = d2i_ECDSA_SIG(nullptr, &der, static_cast<long>(size));
        std::string raw(64, '\0');
        BN_bn2binpad(ECDSA_SIG_get0_r(both), reinterpret_cast<unsigned char*>(raw.data()), 32);
        BN_bn2binpad(ECDSA_SIG_get0_s(both), reinterpret_cast<unsigned char*>(raw.data()) + 32, 32);
        ECDSA_SIG_free(both);
        return raw;
    }

private:
    std::string number(const char* name) const
    {
        BIGNUM* n = nullptr;
        EVP_PKEY_get_bn_param(key_.get(), name, &n);
        std::string bytes(static_cast<std::size_t>(BN_num_bytes(n)), '\0');
        BN_bn2bin(n, reinterpret_cast<unsigned char*>(bytes.data()));
        BN_free(n);
        return to_base64url(bytes);
    }

    std::string kid_;
    bool is_rsa_;
    std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key_;
};

} // namespace coursegate::web_gateway::tests
