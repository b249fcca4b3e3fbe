// What somebody else's word must look like before it is believed: OpenID Connect and the Telegram widget.
#include "clients/id_token.hpp"
#include "clients/oidc.hpp"
#include "domain/oidc.hpp"
#include "domain/refused.hpp"
#include "domain/telegram_widget.hpp"
#include "token_signer.hpp"

#include "coursegate/base/encoding.hpp"

#include <catch2/catch.hpp>

using namespace coursegate;
using namespace coursegate::web_gateway;
using namespace coursegate::web_gateway::tests;
using namespace std::chrono_literals;

namespace {

const base::time_point noon = *base::parse_iso8601("2026-01-02T12:00:00Z"); // 1767355200

const token_signer& rsa()
{
    static const token_signer one("rsa-1", true);
    return one;
}

const token_signer& ec()
{
    static const token_signer one("ec-1", false);
    return one;
}

key_set set_of(const std::vector<nlohmann::json>& keys)
{
    const auto out = key_set::parse(nlohmann::json{{"keys", keys}}.dump());
    REQUIRE(out.has_value());
    return *out;
}

// "(accepted)", or what the token is refused for.
std::string verdict(const key_set& keys, const std::string& token)
{
    const auto out = keys.verified(token);
    return out.has_value() ? "(accepted)" : out.error().code.message();
}

const std::string not_genuine = make_error_code(oidc_errc::not_genuine).message();
const std::string unknown_key = make_error_code(oidc_errc::unknown_key).message();
const std::string bad_answer = make_error_code(oidc_errc::bad_answer).message();

id_token_claims good_claims()
{
    id_token_claims out;
    out.issuer = "https://id.example.org";
    out.subject = "anna";
    out.audience = {"client"};
    out.nonce = "nonce";
    out.expires = 1767355200 + 3600;
    out.issued = 1767355200;
    return out;
}

id_token_wish wish()
{
    id_token_wish out;
    out.issuer = "https://id.example.org";
    out.client_id = "client";
    out.nonce = "nonce";
    return out;
}

using widget_fields = std::vector<std::pair<std::string, std::string>>;

std::string widget_refusal(const widget_fields& fields, base::time_point now = noon)
{
    try {
        checked_widget(fields, base::secret("123456:test-token"), now);
    }
    catch (const refused& no) {
        return no.message();
    }
    return "(accepted)";
}

widget_fields signed_fields(widget_fields fields)
{
    std::string text;
    for (const auto& [name, value] : fields)
        text += (text.empty() ? "" : "\n") + name + "=" + value;
    fields.emplace_back("hash", base::to_hex(base::hmac_sha256(base::sha256("123456:test-token"), text)));
    return fields;
}

} // namespace

TEST_CASE("a code challenge is that of RFC 7636")
{
    CHECK(code_challenge_of("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk") ==
          "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
}

TEST_CASE("a token that its provider signed is believed, whichever of the two kinds of keys made it")
{
    const auto keys = set_of({rsa().jwk(), ec().jwk()});
    const nlohmann::json claims{{"iss", "https://id.example.org"}, {"sub", "anna"}, {"aud", "client"},
        {"exp", 1767358800}, {"iat", 1767355200}, {"nonce", "n"}, {"email", "anna@example.org"},
        {"email_verified", true}, {"given_name", "Anna"}, {"id", 424242}};
    for (const auto* signer : {&rsa(), &ec()}) {
        const auto out = keys.verified(signer->token(claims));
        REQUIRE(out.has_value());
        CHECK(out->issuer == "https://id.example.org");
        CHECK(out->subject == "anna");
        CHECK(out->audience == std::vector<std::string>{"client"});
        CHECK(out->expires == 1767358800);
        CHECK(out->nonce == "n");
        CHECK(out->email_verified);
        CHECK(out->telegram_id == 424242);
    }
    auto said = claims;
    said["email_verified"] = "true"; // a word is no truth
    said["aud"] = {"client", "other"};
    CHECK_FALSE(keys.verified(rsa().token(said))->email_verified);
    CHECK(keys.verified(rsa().token(said))->audience.size() == 2);
}

TEST_CASE("a token that proves nothing is refused")
{
    const auto keys = set_of({rsa().jwk(), ec().jwk()});
    const nlohmann::json claims{{"sub", "anna"}};
    const auto good = rsa().token(claims);
    REQUIRE(verdict(keys, good) == "(accepted)");
    const auto body = good.substr(good.find('.') + 1, good.rfind('.') - good.find('.') - 1);
    const auto signature = good.substr(good.rfind('.') + 1);

    CHECK(verdict(keys, rsa().token(claims, {{"alg", "none"}})) == not_genuine);
    const auto unsigned_head = to_base64url(R"({"alg":"none","kid":"rsa-1"})");
    CHECK(verdict(keys, unsigned_head + "." + body + ".") == not_genuine);
    // An HMAC with the public key, which everybody has.
    const auto hs_text = to_base64url(R"({"alg":"HS256","kid":"rsa-1"})") + "." + body;
    const auto modulus = *base::from_base64(rsa().jwk()["n"].get<std::string>());
    CHECK(verdict(keys, hs_text + "." + to_base64url(base::hmac_sha256(modulus, hs_text))) == not_genuine);
    CHECK(verdict(keys, rsa().token(claims, {{"alg", "RS512"}})) == not_genuine);
    // Each key makes one kind of signature.
    CHECK(verdict(keys, rsa().token(claims, {{"alg", "ES256"}})) == not_genuine);
    CHECK(verdict(keys, ec().token(claims, {{"alg", "RS256"}})) == not_genuine);
    CHECK(verdict(keys, ec().token(claims, {{"kid", "rsa-1"}, {"alg", "RS256"}})) == not_genuine);
    CHECK(verdict(keys, rsa().token(claims, {{"crit", {"exp"}}})) == not_genuine);
    CHECK(verdict(keys, rsa().token(claims, {{"kid", "rsa-2"}})) == unknown_key);
    const token_signer stranger("rsa-1", true);
    CHECK(verdict(keys, stranger.token(claims)) == not_genuine);

    const auto head = good.substr(0, good.find('.'));
    CHECK(verdict(keys, head + "." + to_base64url(R"({"sub":"boris"})") + "." + signature) == not_genuine);
    CHECK(verdict(keys, head + "." + body + "." + signature.substr(4)) == not_genuine);
    for (const auto& broken : {std::string(), std::string("a"), head + "." + body, good + ".x",
             head + ".." + signature, head + ".!." + signature,
             to_base64url("[]") + "." + body + "." + signature, good + std::string(20'000, 'a')})
    {
        CHECK(verdict(keys, broken) != "(accepted)");
    }
}

TEST_CASE("keys that are not understood are skipped, and the others hold")
{
    auto other_use = ec().jwk();
    other_use["use"] = "enc";
    other_use["kid"] = "enc";
    auto other_curve = ec().jwk();
    other_curve["crv"] = "secp256k1";
    other_curve["alg"] = "ES256K";
    other_curve["kid"] = "oidc-es256k-1";
    auto other_alg = rsa().jwk();
    other_alg["alg"] = "PS256";
    other_alg["kid"] = "ps";
    auto no_point = ec().jwk();
    no_point["x"] = to_base64url(std::string(32, '\1'));
    no_point["kid"] = "no-point";
    auto no_number = rsa().jwk();
    no_number["n"] = "!";
    no_number["kid"] = "no-number";
    const auto keys = set_of({other_use, other_curve, other_alg, no_point, no_number,
        nlohmann::json{{"kty", "OKP"}, {"crv", "Ed25519"}, {"x", "AAAA"}, {"kid", "ed"}},
        nlohmann::json{{"kty", "oct"}, {"k", "AAAA"}, {"kid", "oct"}}, nlohmann::json::array(), rsa().jwk()});
    CHECK(keys.size() == 1);
    CHECK(verdict(keys, rsa().token({{"sub", "anna"}})) == "(accepted)");
    CHECK_FALSE(key_set::parse("{}").has_value());
    CHECK_FALSE(key_set::parse("no").has_value());
}

TEST_CASE("a genuine token is for this client, this sign-in and now, or for nobody")
{
    CHECK(fault_of(good_claims(), wish(), noon).empty());
    const auto fault = [](auto change) {
        auto claims = good_claims();
        change(claims);
        return fault_of(claims, wish(), noon);
    };
    using c = id_token_claims;
    CHECK(fault([](c& t) { t.issuer = "https://evil.example.org"; }).find("issuer") != std::string::npos);
    CHECK(fault([](c& t) { t.issuer = "id.example.org"; }).find("issuer") != std::string::npos);
    CHECK(fault([](c& t) { t.audience = {"other"}; }).find("another client") != std::string::npos);
    CHECK(fault([](c& t) { t.audience.clear(); }).find("another client") != std::string::npos);
    CHECK(fault([](c& t) { t.audience = {"client", "other"}; }).find("several") != std::string::npos);
    CHECK(fault([](c& t) { t.authorized_party = "other"; }).find("made for") != std::string::npos);
    CHECK(fault([](c& t) {
        t.audience = {"client", "other"};
        t.authorized_party = "client";
    }).empty());
    CHECK(fault([](c& t) { t.expires = 1767355200 - 300; }).find("expired") != std::string::npos);
    CHECK(fault([](c& t) { t.expires = 1767355200 - 299; }).empty());
    CHECK(fault([](c& t) { t.expires.reset(); }).find("expired") != std::string::npos);
    CHECK(fault([](c& t) { t.expires = 1767355200 + 90'000; }).find("a day") != std::string::npos);
    CHECK(fault([](c& t) { t.issued = 1767355200 + 301; }).find("issued") != std::string::npos);
    CHECK(fault([](c& t) { t.issued.reset(); }).find("issued") != std::string::npos);
    CHECK(fault([](c& t) { t.nonce = "other"; }).find("another sign-in") != std::string::npos);
    CHECK(fault([](c& t) { t.nonce.reset(); }).find("another sign-in") != std::string::npos);
    CHECK(fault([](c& t) { t.subject.clear(); }).find("nobody") != std::string::npos);

    // Google leaves the scheme out in some tokens; nobody else may.
    auto google = wish();
    google.issuer = "https://accounts.google.com";
    auto claims = good_claims();
    claims.issuer = "accounts.google.com";
    CHECK(fault_of(claims, google, noon).empty());
}

TEST_CASE("keys are kept as long as their provider says, within reason")
{
    const auto kept = [](const char* said) {
        http::headers h;
        h.set("Cache-Control", said);
        return kept_for(h);
    };
    CHECK(kept("public, max-age=21600, must-revalidate") == 6h);
    CHECK(kept("no-cache") == 1h);
    CHECK(kept("max-age=0") == 1min);
    CHECK(kept("max-age=99999999") == 24h);
    CHECK(kept("max-age=x") == 1min);
}

TEST_CASE("the widget's word is believed when Telegram signed it within the hour")
{
    // The signature was made by other software.
    const widget_fields given{{"id", "424242"}, {"first_name", "Анна"}, {"username", "anna"},
        {"auth_date", "1767355200"},
        {"hash", "cb41d72e1014e261a3cfb078d7f778412e05cd8b54a888690a65b57b7ba5da80"}};
    const auto login = checked_widget(given, base::secret("123456:test-token"), noon);
    CHECK(login.telegram_id == 424242);
    CHECK(login.username == "anna");
    CHECK(widget_refusal(given, noon + 1h) == "(accepted)");
    CHECK(widget_refusal(given, noon + 1h + 1s).find("too old") != std::string::npos);
    CHECK(widget_refusal(given, noon - 60s) == "(accepted)"); // clocks differ a little
    CHECK(widget_refusal(given, noon - 61s).find("future") != std::string::npos);

    for (std::size_t i = 0; i < given.size(); ++i) {
        auto changed = given;
        changed[i].second += '1';
        CHECK(widget_refusal(changed).find("not come from Telegram") != std::string::npos);
        auto twice = given;
        twice.push_back(given[i]);
        CHECK(widget_refusal(twice).find("twice") != std::string::npos);
        auto less = given;
        less.erase(less.begin() + static_cast<std::ptrdiff_t>(i));
        CHECK(widget_refusal(less).find("not come from Telegram") != std::string::npos);
    }
    auto more = given;
    more.emplace_back("next", "/");
    CHECK(widget_refusal(more).find("not come from Telegram") != std::string::npos);
    CHECK(widget_refusal({}) != "(accepted)");
    CHECK(widget_refusal(signed_fields({{"auth_date", "1767355200"}, {"id", "7"}})) == "(accepted)");
    for (const auto* id : {"0", "-7", "7x", "", "99999999999999999999"})
        CHECK(widget_refusal(signed_fields({{"auth_date", "1767355200"}, {"id", id}})).find("number") !=
              std::string::npos);
    CHECK(widget_refusal(signed_fields({{"auth_date", "soon"}, {"id", "7"}})).find("number") !=
          std::string::npos);
}
