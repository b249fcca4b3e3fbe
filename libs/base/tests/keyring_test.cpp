#include "coursegate/base/keyring.hpp"

#include "coursegate/base/encoding.hpp"

#include <catch2/catch.hpp>

#include <type_traits>

#include <fmt/format.h>

using namespace coursegate;
using Catch::Matchers::Contains;

namespace {

std::string new_key()
{
    return base::to_base64(base::random_bytes(32));
}

base::keyring ring(const std::string& setting)
{
    return base::keyring{base::secret{setting}};
}

const base::box_owner somebody{"accounts.users", "boom_code_box", "42"};

} // namespace

static_assert(!std::is_convertible_v<base::secret, std::string>);
static_assert(!std::is_convertible_v<base::secret, std::string_view>);
static_assert(!fmt::is_formattable<base::secret>::value);

TEST_CASE("a sealed value opens for its owner and does not show in the box")
{
    const auto keys = ring(new_key());
    for (const auto* text : {"", "123456789", "a longer value with spaces and ünïcode"}) {
        const auto box = keys.seal(somebody, base::secret{text});
        CHECK(keys.open(somebody, box).value().expose() == text);
        CHECK(box.size() == 1 + 4 + 12 + std::string_view(text).size() + 16);
        if (*text != 0)
            CHECK(box.find(text) == std::string::npos);
        CHECK_FALSE(keys.needs_resealing(box));
    }
}

TEST_CASE("sealing the same value twice gives different boxes")
{
    const auto keys = ring(new_key());
    CHECK(keys.seal(somebody, base::secret{"123456789"}) != keys.seal(somebody, base::secret{"123456789"}));
}

TEST_CASE("a box copied to another table, column or row does not open")
{
    const auto keys = ring(new_key());
    const auto box = keys.seal(somebody, base::secret{"123456789"});
    const base::box_owner others[] = {{"accounts.user", "sboom_code_box", "42"},
        {"accounts.users", "boom_code_box", "43"}, {"accounts.users", "boom_code_box4", "2"},
        {"catalog.courses", "boom_code_box", "42"}};
    for (const auto& other : others) {
        const auto opened = keys.open(other, box);
        REQUIRE(opened.has_error());
        CHECK(opened.error().code == base::errc::not_authentic);
    }
}

TEST_CASE("changing any byte of a box is noticed")
{
    const auto keys = ring(new_key());
    const auto box = keys.seal(somebody, base::secret{"123456789"});
    for (std::size_t i = 0; i < box.size(); ++i) {
        auto changed = box;
        changed[i] = static_cast<char>(changed[i] ^ 1);
        REQUIRE(keys.open(somebody, changed).has_error());
    }
    for (std::size_t size = 0; size < box.size(); ++size)
        REQUIRE(keys.open(somebody, box.substr(0, size)).has_error());
    CHECK(keys.open(somebody, "").error().code == base::errc::malformed);
}

TEST_CASE("keys rotate: the first seals, all open, a dropped one is named as the reason")
{
    const auto old_key = new_key();
    const auto fresh_key = new_key();
    const auto box = ring(old_key).seal(somebody, base::secret{"123456789"});
    const auto both = ring(fresh_key + ", " + old_key);
    CHECK(both.open(somebody, box).value().expose() == "123456789");
    CHECK(both.needs_resealing(box));
    const auto resealed = both.seal(somebody, both.open(somebody, box).value());
    CHECK_FALSE(both.needs_resealing(resealed));
    const auto fresh = ring(fresh_key);
    CHECK(fresh.open(somebody, resealed).value().expose() == "123456789");
    CHECK(fresh.open(somebody, box).error().code == base::errc::unknown_key);
}

TEST_CASE("a look-up HMAC stays the same while keys are added in front and differs by purpose")
{
    const auto old_key = new_key();
    const auto before = ring(old_key).hmac("boom_code", "123456789");
    CHECK(before.size() == 32);
    CHECK(ring(new_key() + "," + old_key).hmac("boom_code", "123456789") == before);
    CHECK(ring(old_key).hmac("session", "123456789") != before);
    CHECK(ring(old_key).hmac("boom_code", "123456780") != before);
    CHECK(ring(new_key()).hmac("boom_code", "123456789") != before);
}

TEST_CASE("keys are derived as RFC 5869 and RFC 2104 say")
{
    // Computed independently: HKDF-SHA256(ikm = 32 × 'k', no salt, info = "coursegate hmac test"), then HMAC
    // of "value".
    const auto keys = ring(base::to_base64(std::string(32, 'k')));
    CHECK(base::to_hex(keys.hmac("test", "value")) ==
          "eada540114af5503e56498dda93a9d94926ba03eb6eb867852bf79bd2c5cdbb3");
}

TEST_CASE("a bad SECRET_KEY is refused with its fault and without its value")
{
    const std::string tiny = base::to_base64("too short");
    const std::pair<std::string, std::string> cases[] = {{"", "is empty"}, {" \n", "is empty"},
        {"not base64!", "is not base64"}, {tiny, "9 bytes"}, {new_key() + ",", "key 2 of the list is empty"},
        {new_key() + "," + tiny, "key 2"}};
    for (const auto& [setting, fault] : cases) {
        INFO(setting);
        CHECK_THROWS_WITH(ring(setting), Contains("SECRET_KEY") && Contains(fault));
        CHECK_THROWS_WITH(ring(setting), !Contains(tiny) && !Contains("not base64!"));
        CHECK_THROWS_AS(ring(setting), base::bad_configuration);
    }
    const auto key = new_key();
    CHECK_THROWS_WITH(ring(key + "," + key), Contains("twice"));
}

TEST_CASE("secrets compare in constant time and by content")
{
    CHECK(base::secret{"abc"} == base::secret{"abc"});
    CHECK_FALSE(base::secret{"abc"} == base::secret{"abd"});
    CHECK(base::equal_in_constant_time("", ""));
    CHECK_FALSE(base::equal_in_constant_time("abc", "ab"));
}
