#include "domain/init_data.hpp"

#include "domain/refused.hpp"

#include "coursegate/base/encoding.hpp"

#include <catch2/catch.hpp>

#include <algorithm>

using namespace coursegate;
using namespace coursegate::web_gateway;

namespace {

// Signed by @telegram-apps/init-data-node 2.0, for this token and 2026-01-02T12:00:00Z.
const base::secret bot("7654321:AAtest-token-of-nobody");
const std::string launched =
    "query_id=AAHdF6IQAAAAAN0XohDhrOrc&start_param=lesson_501&chat_instance=-9019086117643313246&chat_type="
    "sender"
    "&signature=JUPYm_qmf8hJYSux535eNDg_a5ZdcOkS6yZMkEUGS09zcXoIopCn3DOuNCa5aWH0PQGaUGGMAaq9MeaMg-6EBg"
    "&user=%7B%22id%22%3A424242%2C%22first_name%22%3A%22%D0%90%D0%BD%D0%BD%D0%B0+%26+Co%22%2C%22last_name%22%"
    "3A"
    "%22O%27Hara%22%2C%22username%22%3A%22anna%22%2C%22language_code%22%3A%22uk%22%2C%22allows_write_to_pm%"
    "22%3A"
    "true%2C%22photo_url%22%3A%22https%3A%2F%2Ft.me%2Fi%2Fuserpic%2F320%2Fx.svg%22%7D&auth_date=1767355200"
    "&hash=7b3c08a15a5ebc6a02eba2a3069cb7c8ef7ca114dd945d3ccc4b611b249137d3";

base::time_point at(const char* text)
{
    return base::parse_iso8601(text).value();
}
const base::time_point then = at("2026-01-02T12:00:30Z");

// What is wrong with it, or "fine".
std::string fault(
    const std::string& text, base::time_point now = then, const std::vector<base::secret>& bots = {bot})
{
    try {
        checked_init_data(text, bots, now);
        return "fine";
    }
    catch (const refused& no) {
        const auto& message = no.message();
        return message.substr(message.rfind(": ") + 2);
    }
}

// Fields as given, one per line of what is signed, with the right hash.
std::string signed_by_bot(std::vector<std::string> lines)
{
    std::string text;
    for (const auto& line : lines) {
        const auto equals = line.find('=');
        text += base::percent_encode(line.substr(0, equals)) + "=" +
                base::percent_encode(line.substr(equals + 1)) + "&";
    }
    std::sort(lines.begin(), lines.end());
    std::string all;
    for (const auto& line : lines)
        all += (all.empty() ? "" : "\n") + line;
    return text +
           "hash=" + base::to_hex(base::hmac_sha256(base::hmac_sha256("WebAppData", bot.expose()), all));
}

std::string with(std::string text, const std::string& what, const std::string& instead)
{
    const auto from = text.find(what);
    REQUIRE(from != std::string::npos);
    return text.replace(from, what.size(), instead);
}

constexpr const char* not_signed = "it is not signed by one of our bots.";

} // namespace

TEST_CASE("what Telegram signs is taken, and says who, when and whereto")
{
    const auto got = checked_init_data(launched, {bot}, then);
    CHECK(got.user.starts_with(R"({"id":424242,"first_name":"Анна & Co","last_name":"O'Hara")"));
    CHECK(got.start_param == "lesson_501");
    CHECK(got.hash == "7b3c08a15a5ebc6a02eba2a3069cb7c8ef7ca114dd945d3ccc4b611b249137d3");
    CHECK(fault(launched, then, {base::secret("1:other"), bot}) == "fine"); // of several bots
    CHECK(fault(signed_by_bot({"auth_date=1767355200", R"(user={"id":1})"})) == "fine");
    CHECK(checked_init_data(signed_by_bot({"auth_date=1767355200", R"(user={"id":1})"}), {bot}, then)
              .start_param.empty());
}

TEST_CASE("whatever is changed in it breaks the signature")
{
    for (std::size_t from = 0; from < launched.size();) {
        const auto end = std::min(launched.find('&', from), launched.size());
        const auto field = launched.substr(from, end - from);
        INFO(field);
        auto flipped = launched;
        flipped[end - 2] = flipped[end - 2] == '7' ? '6' : '7'; // of a value
        CHECK(fault(flipped) != "fine");
        auto renamed = launched;
        renamed[from] = renamed[from] == 'x' ? 'y' : 'x';
        CHECK(fault(renamed) == not_signed);
        auto without = launched;
        without.erase(from, end - from + (end < launched.size() ? 1 : 0));
        if (without.ends_with('&'))
            without.pop_back();
        CHECK(fault(without) == not_signed); // `signature` too: all but the hash are signed
        from = end + 1;
    }
    CHECK(fault("more=1&" + launched) == not_signed);
    CHECK(fault(launched, then, {base::secret("7654321:AAtest-token-of-somebody")}) == not_signed);
    CHECK(fault(launched, then, {}) == not_signed);
    CHECK(fault("") == not_signed);
    // The login widget's signature, by the same token, is another one.
    CHECK(fault("auth_date=1767355200&id=424242&hash=" +
                base::to_hex(base::hmac_sha256(
                    base::sha256(bot.expose()), "auth_date=1767355200\nid=424242"))) == not_signed);
}

TEST_CASE("a launch is good for an hour, and has a date and a user")
{
    CHECK(fault(launched, at("2026-01-02T13:00:00Z")) == "fine");
    CHECK(fault(launched, at("2026-01-02T13:00:01Z")) == "it is too old.");
    CHECK(fault(launched, at("2026-01-02T11:59:00Z")) == "fine"); // clocks differ
    CHECK(fault(launched, at("2026-01-02T11:58:59Z")) == "it is of the future.");
    CHECK(fault(signed_by_bot({R"(user={"id":1})"})) == "it has no date.");
    for (const auto* date : {"", "0", "-1767355200", "1767355200 ", "x", "99999999999999999999"})
        CHECK(fault(signed_by_bot({std::string("auth_date=") + date, R"(user={"id":1})"})) ==
              "its date is none.");
    CHECK(fault(signed_by_bot({"auth_date=1767355200"})) == "it does not say who opened the app.");
    CHECK(fault(signed_by_bot({"auth_date=1767355200", "user="})) == "it does not say who opened the app.");
}

TEST_CASE("what is not written as Telegram writes it is refused before its signature is looked at")
{
    CHECK(fault(launched + "&auth_date=1767355200") == "a field is there twice.");
    CHECK(fault(launched + "&hash=7b3c") == "a field is there twice.");
    CHECK(fault(launched + "&") == "fine"); // nothing follows
    CHECK(fault(launched + "&&a=1") == "a field has no name.");
    CHECK(fault(launched + "&=1") == "a field has no name.");
    CHECK(fault(launched + "&novalue") == "a field has no name.");
    CHECK(fault(launched + "&a=%0g") == "an escape is cut or no escape.");
    CHECK(fault(launched + "&a=%ff") == "a field is not UTF-8 text.");
    CHECK(fault(launched + "&a=%00") == "a field is not UTF-8 text.");
    CHECK(fault(launched + "&" + std::string(init_data::most_bytes, 'a') + "=1") == "it is too long.");
    std::string many = launched;
    for (int i = 0; i < 40; ++i)
        many += "&f" + std::to_string(i) + "=1";
    CHECK(fault(many) == "it has too many fields.");
    // Two fields in one: the same lines, so the same signature.
    const auto two = signed_by_bot({"auth_date=1767355200", R"(user={"id":1})", "zone=5"});
    const auto one = with(two, "zone=5&", "");
    CHECK(fault(with(one, "%7D", "%7D%0Azone%3D5")) == "a field has control characters in it.");
}
