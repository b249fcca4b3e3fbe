#include "coursegate/base/encoding.hpp"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <sys/random.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <system_error>

namespace coursegate::base {

namespace {

constexpr std::string_view hex_digits = "0123456789abcdef";
constexpr std::string_view base64_digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

std::uint32_t octet(std::string_view bytes, std::size_t at)
{
    return static_cast<unsigned char>(bytes[at]);
}

int base64_digit(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == '+' || c == '-')
        return 62;
    if (c == '/' || c == '_')
        return 63;
    return -1;
}

} // namespace

std::string to_hex(std::string_view bytes)
{
    std::string out;
    out.reserve(bytes.size() * 2);
    for (const char c : bytes) {
        const auto b = static_cast<unsigned char>(c);
        out += hex_digits[b >> 4];
        out += hex_digits[b & 15];
    }
    return out;
}

std::string to_base64(std::string_view bytes)
{
    std::string out;
    out.reserve((bytes.size() + 2) / 3 * 4);
    std::size_t i = 0;
    for (; i + 3 <= bytes.size(); i += 3) {
        const auto group = octet(bytes, i) << 16 | octet(bytes, i + 1) << 8 | octet(bytes, i + 2);
        for (const int shift : {18, 12, 6, 0})
            out += base64_digits[group >> shift & 63];
    }
    const auto left = bytes.size() - i;
    if (left == 0)
        return out;
    const auto group = octet(bytes, i) << 16 | (left == 2 ? octet(bytes, i + 1) << 8 : 0);
    out += base64_digits[group >> 18 & 63];
    out += base64_digits[group >> 12 & 63];
    out += left == 2 ? base64_digits[group >> 6 & 63] : '=';
    out += '=';
    return out;
}

result<std::string> from_base64(std::string_view text)
{
    const auto whole = text;
    while (!text.empty() && text.back() == '=' && whole.size() - text.size() < 2)
        text.remove_suffix(1);
    if (text.size() != whole.size() && whole.size() % 4 != 0)
        return fail(errc::malformed, "base64: the padding does not fit the length");
    if (text.size() % 4 == 1)
        return fail(errc::malformed, "base64: the length is not one that base64 text can have");
    std::string out;
    out.reserve(text.size() * 3 / 4);
    std::uint32_t collected = 0;
    int bits = 0;
    for (const char c : text) {
        const int digit = base64_digit(c);
        if (digit < 0)
            return fail(errc::malformed, "base64: a character that is not base64");
        collected = collected << 6 | static_cast<std::uint32_t>(digit);
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            out += static_cast<char>(collected >> bits & 255);
        }
    }
    if ((collected & ((1U << bits) - 1)) != 0) // otherwise one value would have several spellings
        return fail(errc::malformed, "base64: bits left over at the end");
    return out;
}

std::string percent_encode(std::string_view text)
{
    std::string out;
    out.reserve(text.size() + 8);
    for (const char c : text) {
        const bool unreserved = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
                                c == '-' || c == '.' || c == '_' || c == '~';
        if (unreserved) {
            out += c;
            continue;
        }
        const auto b = static_cast<unsigned char>(c);
        out += '%';
        out += "0123456789ABCDEF"[b >> 4];
        out += "0123456789ABCDEF"[b & 15];
    }
    return out;
}

std::string random_bytes(std::size_t count)
{
    std::string out(count, '\0');
    std::size_t filled = 0;
    while (filled < count) {
        const auto got = ::getrandom(out.data() + filled, count - filled, 0);
        if (got < 0) {
            if (errno == EINTR)
                continue;
            throw std::system_error(errno, std::generic_category(), "getrandom");
        }
        filled += static_cast<std::size_t>(got);
    }
    return out;
}

std::string random_digits(std::size_t count)
{
    std::string out;
    out.reserve(count);
    while (out.size() < count) {
        for (const char c : random_bytes(count - out.size() + 4)) {
            const auto b = static_cast<unsigned char>(c);
            if (b < 250 && out.size() < count) // 250..255 would favour the digits 0 to 5
                out += static_cast<char>('0' + b % 10);
        }
    }
    return out;
}

std::string sha256(std::string_view bytes)
{
    std::string out(32, '\0');
    unsigned int length = 0;
    if (EVP_Digest(bytes.data(), bytes.size(), reinterpret_cast<unsigned char*>(out.data()), &length,
            EVP_sha256(), nullptr) != 1)
        throw std::runtime_error("OpenSSL can't compute SHA-256");
    return out;
}

std::string hmac_sha256(std::string_view key, std::string_view bytes)
{
    std::string out(32, '\0');
    unsigned int length = 0;
    if (HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
            reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(),
            reinterpret_cast<unsigned char*>(out.data()), &length) == nullptr)
        throw std::runtime_error("OpenSSL can't compute HMAC-SHA-256");
    return out;
}

} // namespace coursegate::base
