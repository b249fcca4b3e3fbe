#include "domain/feed_position.hpp"
#include "domain/input.hpp"
#include "domain/refused.hpp"

#include <catch2/catch.hpp>

using namespace coursegate;
using namespace coursegate::web_gateway;

namespace {

template <class F>
std::string refused_field(F f)
{
    try {
        f();
    }
    catch (const refused& no) {
        CHECK(no.kind() == refusal::invalid);
        CHECK(no.slug() == "invalid_value");
        CHECK_FALSE(no.message().empty());
        return no.field();
    }
    return "(accepted)";
}

} // namespace

TEST_CASE("an e-mail is trimmed and keeps its case")
{
    CHECK(checked_email(" Anna.Petrova+x@Mail.Example.org ", "email") == "Anna.Petrova+x@Mail.Example.org");
    CHECK(checked_email("a@b-c.de", "email") == "a@b-c.de");
}

TEST_CASE("what is no e-mail is refused with the field's name")
{
    const auto text = GENERATE(as<std::string>{}, "", "anna", "anna@", "@example.org", "anna@example",
        "a b@example.org", "anna@exa mple.org", "anna@@example.org@", "anna@-example.org",
        "anna@example-.org", "anna@example..org", ".anna@example.org", "anna.@example.org",
        "an..na@example.org", "anna@example.org\nBcc: x@y.org", "анна@example.org",
        std::string(65, 'a') + "@example.org", "a@" + std::string(250, 'b') + ".org");
    CHECK(refused_field([&] { checked_email(text, "email"); }) == "email");
}

TEST_CASE("a Boomstream code is 9 digits, with or without hyphens")
{
    CHECK(checked_boom_code("123456789", "boom_code") == "123456789");
    CHECK(checked_boom_code("123-456-789", "boom_code") == "123456789");
    const auto text = GENERATE(as<std::string>{}, "", "12345678", "1234567890", "12345678a", "12-3456-789",
        "1234-56-789", "123-456-7890", "-----------", "123 456 789", "١٢٣٤٥٦٧٨٩");
    CHECK(refused_field([&] { checked_boom_code(text, "boom_code"); }) == "boom_code");
}

TEST_CASE("a media code is 8 letters or digits")
{
    CHECK(checked_media_code("HOP3CJoH", "boom_media") == "HOP3CJoH");
    const auto text =
        GENERATE(as<std::string>{}, "", "HOP3CJo", "HOP3CJoHx", "HOP3-JoH", " OP3CJoH", "НОР3СJоН");
    CHECK(refused_field([&] { checked_media_code(text, "parts[0].boom_media"); }) == "parts[0].boom_media");
}

TEST_CASE("a line of text has a length in characters and no control characters")
{
    CHECK(checked_line("  Анна  ", "first_name", 4) == "Анна");
    CHECK(checked_line("", "first_name", 4).empty());
    CHECK(refused_field([] { checked_line("Анюта", "first_name", 4); }) == "first_name");
    CHECK(refused_field([] { checked_line(" ", "reason", 4, 1); }) == "reason");
    CHECK(refused_field([] { checked_line("a\tb", "title", 10); }) == "title");
    CHECK(refused_field([] { checked_line(std::string("a\0b", 3), "title", 10); }) == "title");
    CHECK(refused_field([] { checked_line("a\xC2\x85z", "title", 10); }) == "title"); // NEL
    CHECK(refused_field([] { checked_line("\xFF\xFE", "title", 10); }) == "title");
}

TEST_CASE("only well-formed UTF-8 is UTF-8")
{
    CHECK(is_utf8("aя€😀"));
    CHECK_FALSE(is_utf8("\xC0\xAF"));         // overlong
    CHECK_FALSE(is_utf8("\xE0\x80\x80"));     // overlong
    CHECK_FALSE(is_utf8("\xED\xA0\x80"));     // surrogate
    CHECK_FALSE(is_utf8("\xF4\x90\x80\x80")); // beyond Unicode
    CHECK_FALSE(is_utf8("\xD0"));             // cut
    CHECK(length_of("aя€😀") == 4);
}

TEST_CASE("a refused key is not repeated")
{
    try {
        checked_key("two words", "stepik_client_secret");
        FAIL("accepted");
    }
    catch (const refused& no) {
        CHECK(no.message().find("two") == std::string::npos);
    }
}

TEST_CASE("numbers, ids and times outside their range are refused with the field's name")
{
    CHECK(refused_field([] { checked_id(0, "course"); }) == "course");
    CHECK(refused_field([] { checked_id(-1, "course"); }) == "course");
    CHECK(refused_field([] { checked_range(11, "part", 1, 10); }) == "part");
    CHECK(checked_number("42", "limit", 1, 100) == 42);
    CHECK(refused_field([] { checked_number("4x", "limit", 1, 100); }) == "limit");
    CHECK(refused_field([] { checked_number("99999999999999999999", "limit", 1, 100); }) == "limit");
    CHECK(refused_field([] { checked_uuid("42", "id"); }) == "id");
    CHECK(refused_field([] { checked_time("tomorrow", "access_until"); }) == "access_until");
    CHECK(refused_field([] { checked_locale("de", "locale"); }) == "locale");
    CHECK(refused_field([] { checked_subscription_code("a b", "code"); }) == "code");
}

TEST_CASE("a place in the event log survives the way to the client and back")
{
    feed_place p;
    p.after = {18446744073709551615ULL, 42};
    auto back = parse_feed_place(to_string(p));
    REQUIRE(back.has_value());
    CHECK(back->after == p.after);
    CHECK(to_string(p) == "18446744073709551615.42");
    for (const auto* text :
        {"", ".", "1", "1.", ".1", "1.2.", "1.2.9.5.4", "1.-2", "x.1", "1.2 ", "18446744073709551616.1"})
        CHECK_FALSE(parse_feed_place(text).has_value());
    CHECK(feed_position{1, 9} < feed_position{2, 1});
    CHECK(feed_position{2, 1} < feed_position{2, 2});
}

TEST_CASE("a place remembers which transactions ran when the stream began, until the log is beyond them")
{
    feed_place p;
    p.after = {10, 0};
    p.began_at = 14;
    p.running = {10, 12};
    CHECK(to_string(p) == "10.0.14.10.12");
    auto back = parse_feed_place(to_string(p));
    REQUIRE(back.has_value());
    CHECK_FALSE(back->was_there({10, 5})); // was not committed yet
    CHECK(back->was_there({11, 6}));
    CHECK_FALSE(back->was_there({12, 7}));
    CHECK(back->was_there({13, 8}));
    CHECK_FALSE(back->was_there({14, 9}));
    back->move_to({12, 7});
    back->move_to({10, 5});
    CHECK(to_string(*back) == "12.7.14.10.12");
    back->move_to({14, 9});
    CHECK(to_string(*back) == "14.9");
}
