#include "coursegate/base/secret.hpp"

#include <openssl/crypto.h>

namespace coursegate::base {

secret::~secret()
{
    // Up to the capacity: a moved-from short string still holds its characters behind size().
    value_.resize(value_.capacity());
    OPENSSL_cleanse(value_.data(), value_.size());
}

bool secret::operator==(const secret& other) const
{
    return equal_in_constant_time(value_, other.value_);
}

bool equal_in_constant_time(std::string_view a, std::string_view b)
{
    // The length is no secret: an attacker who can measure it learns nothing he could not guess.
    return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

} // namespace coursegate::base
