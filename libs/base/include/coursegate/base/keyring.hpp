// The master secret and everything derived from it: sealed boxes at rest, HMACs for look-ups.
//
// SECRET_KEY is a comma-separated list of base64 keys of at least 32 bytes; the first seals, all open. To
// rotate, put a new key in front; the older ones stay (docs/security.md). Each purpose gets its own
// key by HKDF-SHA256, so that a box and an HMAC never share one.
#pragma once

#include "coursegate/base/result.hpp"
#include "coursegate/base/secret.hpp"

#include <memory>
#include <string>
#include <string_view>

namespace coursegate::base {

// What a sealed value belongs to. It is authenticated, not stored: a box copied to another row does not open.
struct box_owner
{
    std::string_view table;  // "accounts.users"
    std::string_view column; // "boom_code_box"
    std::string_view row;    // the row's id as text
};

// Immutable after construction; may be shared between threads.
class keyring
{
public:
    // Throws bad_configuration naming SECRET_KEY and the fault (empty, not base64, shorter than 32 bytes).
    explicit keyring(const secret& setting);
    ~keyring();
    keyring(keyring&&) noexcept;
    keyring& operator=(keyring&&) noexcept;

    // AES-256-GCM. Layout: 1 byte version, 4 bytes key id, 12 bytes nonce, ciphertext, 16 bytes tag.
    std::string seal(const box_owner& owner, const secret& plain) const;

    // errc::malformed (not a box), errc::unknown_key, errc::not_authentic.
    result<secret> open(const box_owner& owner, std::string_view box) const;

    // HMAC-SHA256 (32 raw bytes) under the *last* key of the list, for unique look-ups of values that are
    // sealed: stable while keys are added in front. `purpose` separates uses ("boom_code").
    std::string hmac(std::string_view purpose, std::string_view value) const;

    // True when the box was sealed with a key that is no longer the first one.
    bool needs_resealing(std::string_view box) const;

private:
    struct impl;
    std::unique_ptr<impl> impl_;
};

} // namespace coursegate::base
