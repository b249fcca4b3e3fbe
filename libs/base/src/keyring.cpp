#include "coursegate/base/keyring.hpp"

#include "coursegate/base/encoding.hpp"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

#include <cstdint>
#include <vector>

namespace coursegate::base {

namespace {

constexpr char version = 1;
constexpr std::size_t id_size = 4;
constexpr std::size_t nonce_size = 12;
constexpr std::size_t tag_size = 16;
constexpr std::size_t head_size = 1 + id_size;
constexpr std::size_t least_size = head_size + nonce_size + tag_size;

const unsigned char* octets(std::string_view s)
{
    return reinterpret_cast<const unsigned char*>(s.data());
}
unsigned char* octets(std::string& s)
{
    return reinterpret_cast<unsigned char*>(s.data());
}

[[noreturn]] void openssl_failed(const char* what)
{
    throw std::runtime_error(std::string("OpenSSL failed: ") + what);
}

struct kdf_context
{
    EVP_KDF* kdf = EVP_KDF_fetch(nullptr, "HKDF", nullptr);
    EVP_KDF_CTX* ctx = kdf == nullptr ? nullptr : EVP_KDF_CTX_new(kdf);
    kdf_context() = default;
    kdf_context(const kdf_context&) = delete;
    ~kdf_context()
    {
        EVP_KDF_CTX_free(ctx);
        EVP_KDF_free(kdf);
    }
};

// HKDF-SHA256 (RFC 5869) without salt: the master keys are random already.
secret derive(const secret& master, std::string_view info, std::size_t length)
{
    kdf_context k;
    if (k.ctx == nullptr)
        openssl_failed("HKDF is not available");
    std::string digest = "SHA256";
    // The parameters are inputs; OSSL_PARAM has no const form.
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest.data(), 0),
        OSSL_PARAM_construct_octet_string(
            OSSL_KDF_PARAM_KEY, const_cast<char*>(master.expose().data()), master.expose().size()),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, const_cast<char*>(info.data()), info.size()),
        OSSL_PARAM_construct_end(),
    };
    std::string out(length, '\0');
    if (EVP_KDF_derive(k.ctx, octets(out), out.size(), params) != 1)
        openssl_failed("HKDF");
    return secret{std::move(out)};
}

struct cipher_context
{
    EVP_CIPHER_CTX* ctx = EVP_CIPHER_CTX_new();
    cipher_context()
    {
        if (ctx == nullptr)
            openssl_failed("no cipher context");
    }
    cipher_context(const cipher_context&) = delete;
    ~cipher_context() { EVP_CIPHER_CTX_free(ctx); }
};

// Lengths in front, so that ("ab", "c") and ("a", "bc") never authenticate alike.
std::string additional_data(const box_owner& owner, std::string_view head)
{
    std::string out{head};
    for (const auto part : {owner.table, owner.column, owner.row}) {
        const auto size = static_cast<std::uint32_t>(part.size());
        for (const int shift : {24, 16, 8, 0})
            out += static_cast<char>(size >> shift & 255);
        out += part;
    }
    return out;
}

struct master_key
{
    std::string id; // 4 bytes, derived: the same key has the same id wherever it stands in the list
    secret raw;
    secret box;
};

std::string_view trimmed(std::string_view s)
{
    while (!s.empty() && (s.front() == ' ' || s.front() == '\n' || s.front() == '\r' || s.front() == '\t'))
        s.remove_prefix(1);
    while (!s.empty() && (s.back() == ' ' || s.back() == '\n' || s.back() == '\r' || s.back() == '\t'))
        s.remove_suffix(1);
    return s;
}

} // namespace

struct keyring::impl
{
    std::vector<master_key> keys;

    const master_key* find(std::string_view id) const
    {
        for (const auto& k : keys) {
            if (k.id == id)
                return &k;
        }
        return nullptr;
    }
};

keyring::keyring(const secret& setting) : impl_(std::make_unique<impl>())
{
    std::string_view rest = trimmed(setting.expose());
    if (rest.empty())
        throw bad_configuration("SECRET_KEY is empty: it needs at least 32 random bytes in base64");
    for (bool more = true; more;) {
        const auto comma = rest.find(',');
        more = comma != std::string_view::npos;
        const auto text = trimmed(rest.substr(0, comma));
        if (more)
            rest.remove_prefix(comma + 1);
        const auto which = "SECRET_KEY: key " + std::to_string(impl_->keys.size() + 1) + " of the list ";
        auto raw = from_base64(text);
        if (text.empty())
            throw bad_configuration(which + "is empty");
        if (!raw.has_value())
            throw bad_configuration(which + "is not base64");
        if (raw->size() < 32)
            throw bad_configuration(
                which + "has " + std::to_string(raw->size()) + " bytes, at least 32 are needed");
        master_key k;
        k.raw = secret{std::move(*raw)};
        k.id = derive(k.raw, "coursegate key id", id_size).expose();
        k.box = derive(k.raw, "coursegate sealed box v1", 32);
        if (impl_->find(k.id) != nullptr)
            throw bad_configuration(which + "stands there twice");
        impl_->keys.push_back(std::move(k));
    }
}

keyring::~keyring() = default;
keyring::keyring(keyring&&) noexcept = default;
keyring& keyring::operator=(keyring&&) noexcept = default;

std::string keyring::seal(const box_owner& owner, const secret& plain) const
{
    const auto& key = impl_->keys.front();
    const auto& text = plain.expose();
    std::string box;
    box.reserve(least_size + text.size());
    box += version;
    box += key.id;
    const auto aad = additional_data(owner, box);
    const auto nonce = random_bytes(nonce_size);
    box += nonce;
    box.resize(head_size + nonce_size + text.size() + tag_size);
    auto* const out = octets(box) + head_size + nonce_size;

    cipher_context c;
    int length = 0;
    if (EVP_EncryptInit_ex2(c.ctx, EVP_aes_256_gcm(), octets(key.box.expose()), octets(nonce), nullptr) !=
            1 ||
        EVP_EncryptUpdate(c.ctx, nullptr, &length, octets(aad), static_cast<int>(aad.size())) != 1 ||
        EVP_EncryptUpdate(c.ctx, out, &length, octets(text), static_cast<int>(text.size())) != 1 ||
        EVP_EncryptFinal_ex(c.ctx, out + length, &length) != 1 ||
        EVP_CIPHER_CTX_ctrl(c.ctx, EVP_CTRL_GCM_GET_TAG, tag_size, out + text.size()) != 1)
        openssl_failed("AES-256-GCM");
    return box;
}

result<secret> keyring::open(const box_owner& owner, std::string_view box) const
{
    if (box.size() < least_size || box.front() != version)
        return fail(errc::malformed, "not a sealed box");
    const auto* const key = impl_->find(box.substr(1, id_size));
    if (key == nullptr)
        return fail(errc::unknown_key, "sealed with a key that SECRET_KEY does not list");
    const auto aad = additional_data(owner, box.substr(0, head_size));
    const auto nonce = box.substr(head_size, nonce_size);
    const auto text = box.substr(head_size + nonce_size, box.size() - least_size);
    std::string tag{box.substr(box.size() - tag_size)};
    std::string plain(text.size(), '\0');

    cipher_context c;
    int length = 0;
    if (EVP_DecryptInit_ex2(c.ctx, EVP_aes_256_gcm(), octets(key->box.expose()), octets(nonce), nullptr) !=
            1 ||
        EVP_DecryptUpdate(c.ctx, nullptr, &length, octets(aad), static_cast<int>(aad.size())) != 1 ||
        EVP_DecryptUpdate(c.ctx, octets(plain), &length, octets(text), static_cast<int>(text.size())) != 1 ||
        EVP_CIPHER_CTX_ctrl(c.ctx, EVP_CTRL_GCM_SET_TAG, tag_size, tag.data()) != 1)
        openssl_failed("AES-256-GCM");
    secret opened{std::move(plain)};
    unsigned char none[16];
    if (EVP_DecryptFinal_ex(c.ctx, none, &length) != 1)
        return fail(errc::not_authentic, "the sealed box was changed or belongs to another row");
    return opened;
}

std::string keyring::hmac(std::string_view purpose, std::string_view value) const
{
    const auto key = derive(impl_->keys.back().raw, "coursegate hmac " + std::string(purpose), 32);
    return hmac_sha256(key.expose(), value);
}

bool keyring::needs_resealing(std::string_view box) const
{
    return box.size() < head_size || box.front() != version ||
           box.substr(1, id_size) != impl_->keys.front().id;
}

} // namespace coursegate::base
