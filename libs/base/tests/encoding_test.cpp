#include "coursegate/base/encoding.hpp"

#include <catch2/catch.hpp>

#include <set>

using namespace coursegate;

TEST_CASE("base64 follows RFC 4648")
{
    const std::pair<std::string, std::string> cases[] = {{"", ""}, {"f", "Zg=="}, {"fo", "Zm8="},
        {"foo", "Zm9v"}, {"foob", "Zm9vYg=="}, {"fooba", "Zm9vYmE="}, {"foobar", "Zm9vYmFy"}};
    for (const auto& [plain, text] : cases) {
        CHECK(base::to_base64(plain) == text);
        CHECK(base::from_base64(text).value() == plain);
        CHECK(base::from_base64(text.substr(0, text.find('='))).value() == plain);
    }
}

TEST_CASE("base64 reads both alphabets")
{
    CHECK(base::from_base64("+/+/").value() == base::from_base64("-_-_").value());
    CHECK(base::to_base64(base::from_base64("-_-_").value()) == "+/+/");
}

TEST_CASE("base64 refuses what has a second spelling or none")
{
    for (const auto* text :
        {"A", "AAAAA", "A===", "Zg=", "Zg===", "Zm9v=", "Zh==", "Z g=", "Zm9v\n", "=", "Zg==Zg=="})
    {
        INFO(text);
        const auto read = base::from_base64(text);
        REQUIRE(read.has_error());
        CHECK(read.error().code == base::errc::malformed);
    }
}

TEST_CASE("base64 gives back any bytes")
{
    for (std::size_t size = 0; size < 200; ++size) {
        const auto bytes = base::random_bytes(size);
        REQUIRE(base::from_base64(base::to_base64(bytes)).value() == bytes);
    }
}

TEST_CASE("hexadecimal digits are lower case")
{
    CHECK(base::to_hex(std::string("\x00\x7f\xff\xab", 4)) == "007fffab");
}

TEST_CASE("only unreserved characters stay as they are in an address")
{
    CHECK(base::percent_encode("aZ09-._~") == "aZ09-._~");
    CHECK(base::percent_encode("a b&c=d/é") == "a%20b%26c%3Dd%2F%C3%A9");
}

TEST_CASE("SHA-256 gives the published digest")
{
    CHECK(base::to_hex(base::sha256("abc")) ==
          "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    CHECK(
        base::to_hex(base::sha256("")) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

TEST_CASE("HMAC-SHA256 is that of RFC 4231")
{
    CHECK(base::to_hex(base::hmac_sha256("Jefe", "what do ya want for nothing?")) ==
          "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    CHECK(base::to_hex(base::hmac_sha256(
              std::string(131, '\xaa'), "Test Using Larger Than Block-Size Key - Hash Key First")) ==
          "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

TEST_CASE("random digits are digits, all ten of them")
{
    const auto digits = base::random_digits(2000);
    REQUIRE(digits.size() == 2000);
    CHECK(digits.find_first_not_of("0123456789") == std::string::npos);
    CHECK(std::set<char>(digits.begin(), digits.end()).size() == 10);
    CHECK(base::random_digits(9) != base::random_digits(9));
}
