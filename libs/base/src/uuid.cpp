#include "coursegate/base/uuid.hpp"

#include "coursegate/base/clock.hpp"
#include "coursegate/base/encoding.hpp"

#include <cstring>

namespace coursegate::base {

namespace {

int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

bool hyphen_before(std::size_t byte)
{
    return byte == 4 || byte == 6 || byte == 8 || byte == 10;
}

} // namespace

uuid new_uuid()
{
    const auto ms = static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::milliseconds>(now().time_since_epoch()).count());
    uuid id;
    for (std::size_t i = 0; i < 6; ++i)
        id.bytes[i] = static_cast<std::uint8_t>(ms >> (40 - 8 * i));
    const auto random = random_bytes(10);
    std::memcpy(id.bytes.data() + 6, random.data(), random.size());
    id.bytes[6] = static_cast<std::uint8_t>(0x70 | (id.bytes[6] & 0x0f)); // version 7
    id.bytes[8] = static_cast<std::uint8_t>(0x80 | (id.bytes[8] & 0x3f)); // variant of RFC 9562
    return id;
}

std::string to_string(const uuid& id)
{
    constexpr char digits[] = "0123456789abcdef";
    std::string out;
    out.reserve(36);
    for (std::size_t i = 0; i < id.bytes.size(); ++i) {
        if (hyphen_before(i))
            out += '-';
        out += digits[id.bytes[i] >> 4];
        out += digits[id.bytes[i] & 15];
    }
    return out;
}

result<uuid> parse_uuid(std::string_view text)
{
    if (text.size() != 36)
        return fail(errc::malformed, "a UUID has 36 characters");
    uuid id;
    std::size_t at = 0;
    for (std::size_t i = 0; i < id.bytes.size(); ++i) {
        if (hyphen_before(i) && text[at++] != '-')
            return fail(errc::malformed, "a UUID has hyphens after 8, 12, 16 and 20 digits");
        const int high = hex_value(text[at]);
        const int low = hex_value(text[at + 1]);
        if (high < 0 || low < 0)
            return fail(errc::malformed, "a UUID consists of hexadecimal digits and hyphens");
        id.bytes[i] = static_cast<std::uint8_t>(high << 4 | low);
        at += 2;
    }
    return id;
}

} // namespace coursegate::base

std::size_t std::hash<coursegate::base::uuid>::operator()(const coursegate::base::uuid& id) const noexcept
{
    std::uint64_t high = 0;
    std::uint64_t low = 0;
    std::memcpy(&high, id.bytes.data(), 8);
    std::memcpy(&low, id.bytes.data() + 8, 8);
    return static_cast<std::size_t>(high * 0x9e3779b97f4a7c15ULL ^ low);
}
