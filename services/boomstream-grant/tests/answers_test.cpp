#include "clients/boomstream_answers.hpp"

#include "domain/moscow_time.hpp"

#include <catch2/catch.hpp>

using namespace coursegate;
using namespace coursegate::boomstream_grant;

namespace {

const base::secret key{"KEY-0123456789"};
const base::secret code{"012345678"};
const base::secret nobody;

answers::raw raw(int status, std::string_view body)
{
    answers::raw r;
    r.status = status;
    r.body = body;
    return r;
}

answer<granted> grant(int status, std::string_view body)
{
    const answers::unspeakable secrets{key, code};
    return answers::read_grant(raw(status, body), secrets);
}

answer<void> revoke(int status, std::string_view body)
{
    const answers::unspeakable secrets{key, code};
    return answers::read_revoke(raw(status, body), secrets);
}

answer<std::vector<listed_buyer>> list(int status, std::string_view body)
{
    const answers::unspeakable secrets{key, nobody};
    return answers::read_list(raw(status, body), secrets);
}

template <class T>
std::string outcome_of(const answer<T>& a)
{
    return a.has_value() ? "ok" : std::string(to_string(a.error().code));
}

} // namespace

TEST_CASE("a grant is believed only when the answer says so")
{
    struct row
    {
        const char* name;
        int status;
        const char* body;
        const char* outcome;
    };
    const row table[]{
        {"success", 200, R"({"Hash":"012345678","Status":"Success","Version":"1.2"})", "ok"},
        {"success without a hash", 200, R"({"Status":"Success"})", "ok"},
        {"no Status, but our hash", 200, R"({"Hash":"012345678"})", "ok"},
        {"hash with hyphens", 200, R"({"Hash":"012-345-678"})", "ok"},
        {"hash as a number, its leading zero lost", 200, R"({"Hash":12345678})", "ok"},
        {"hash deeper", 200, R"({"Items":{"Item":{"Hash":"012345678"}},"Status":"Success"})", "ok"},
        {"other spelling", 200, R"({"hash":"012345678","status":"success"})", "ok"},
        {"byte order mark", 200, "\xEF\xBB\xBF{\"Status\":\"Success\"}", "ok"},
        {"another hash", 200, R"({"Hash":"999999999","Status":"Success"})", "unknown"},
        {"neither Status nor hash", 200, R"({"Version":"1.2"})", "unknown"},
        {"unknown Status", 200, R"({"Status":"Maybe"})", "unknown"},
        {"failed", 200, R"({"Status":"Failed","Message":"Try later"})", "rejected"},
        {"failed without words", 200, R"({"Status":"Failed"})", "rejected"},
        {"wrong key", 200, R"({"Status":"Failed","Message":"Invalid API key"})", "misconfigured"},
        {"wrong key, other words", 200, R"({"Status":"Failed","Message":"Application not found"})",
            "misconfigured"},
        {"empty", 200, "", "unknown"},
        {"blank", 200, " \r\n", "unknown"},
        {"HTML", 200, "<html><body>Oops</body></html>", "unknown"},
        {"XML", 200, "<?xml version=\"1.0\"?><Response><Status>Success</Status></Response>", "unknown"},
        {"cut", 200, R"({"Hash":"01234)", "unknown"},
        {"no object", 200, "[1,2]", "unknown"},
        {"a word", 200, "true", "unknown"},
        {"401", 401, R"({"Status":"Failed","Message":"Unauthorized"})", "misconfigured"},
        {"403 page", 403, "<html>", "misconfigured"},
        {"404 page", 404, "<html>", "rejected"},
        {"400", 400, R"({"Status":"Failed","Message":"email is wrong"})", "rejected"},
        {"redirect", 302, "", "rejected"},
        {"429", 429, "", "busy"},
        {"500", 500, R"({"Status":"Failed","Message":"Invalid API key"})", "unknown"},
        {"502 page", 502, "<html><h1>Bad Gateway</h1></html>", "unknown"},
        {"timeout of a gateway", 504, "", "unknown"},
    };
    for (const auto& r : table) {
        CAPTURE(r.name);
        CHECK(outcome_of(grant(r.status, r.body)) == r.outcome);
    }
}

TEST_CASE("only the provider's own words make a grant wait for a person")
{
    CHECK(grant(200, R"({"Status":"Failed","Message":"Media not found"})").error().needs_person);
    CHECK_FALSE(grant(200, R"({"Status":"Failed","Message":"Method not found"})").error().needs_person);
    CHECK_FALSE(grant(404, R"({"Status":"Failed","Message":"Media not found"})").error().needs_person);
}

TEST_CASE("the end of access is read in Moscow time")
{
    CHECK(grant(200, R"({"Status":"Success","AccessExpirationDate":"2100-12-12 23:59:59"})")->ends_at ==
          never_ends());
    CHECK_FALSE(grant(200, R"({"Status":"Success","AccessExpirationDate":"0000-00-00 00:00:00"})")->ends_at);
    CHECK_FALSE(grant(200, R"({"Status":"Success","AccessExpirationDate":""})")->ends_at);
    CHECK_FALSE(grant(200, R"({"Status":"Success"})")->ends_at);
}

TEST_CASE("an end of access that can't be read is not taken for never")
{
    for (const auto* end : {R"("soon")", "1735689600", "{}", "true"}) {
        CAPTURE(end);
        const auto date = std::string(R"("AccessExpirationDate":)") + end;
        CHECK(outcome_of(grant(200, R"({"Status":"Success",)" + date + "}")) == "unknown");
        CHECK(outcome_of(list(200, R"({"Status":"Success","Items":[{"Hash":"123456789",)" + date + "}]}")) ==
              "unknown");
    }
}

TEST_CASE("key and code are cut out of the provider's words")
{
    const auto a = grant(200, "{\"Status\":\"Failed\",\"Message\":\"bad request "
                              "apikey=KEY-0123456789&hash=012345678 or 012-345-678\\n"
                              "next\"}");
    REQUIRE_FALSE(a.has_value());
    const auto& words = a.error().message;
    CHECK(words.find("KEY-0123456789") == std::string::npos);
    CHECK(words.find("012345678") == std::string::npos);
    CHECK(words.find("012-345-678") == std::string::npos);
    CHECK(words.find('\n') == std::string::npos);
}

TEST_CASE("a long message is cut between characters")
{
    std::string body = R"({"Status":"Failed","Message":")";
    for (int i = 0; i < 400; ++i)
        body += "я";
    body += "\"}";
    const auto a = grant(200, body);
    REQUIRE_FALSE(a.has_value());
    CHECK(a.error().message.size() <= 304);
    CHECK(a.error().message.ends_with("…"));
}

TEST_CASE("a deleted buyer that is not there is deleted")
{
    CHECK(outcome_of(revoke(200, R"({"Status":"Success"})")) == "ok");
    CHECK(outcome_of(revoke(200, R"({"Status":"Failed","Message":"Buyer not found"})")) == "ok");
    CHECK(outcome_of(revoke(200, R"({"Status":"Failed","Message":"Application not found"})")) ==
          "misconfigured");
    CHECK(outcome_of(revoke(200, R"({"Status":"Failed","Message":"No"})")) == "rejected");
    CHECK(outcome_of(revoke(200, R"({})")) == "unknown");
    CHECK(outcome_of(revoke(404, "<html>not found</html>")) == "rejected"); // a wrong address proves nothing
    CHECK(outcome_of(revoke(500, "")) == "unknown");
}

TEST_CASE("a list is read in all its shapes")
{
    const auto two =
        R"([{"Hash":"123456789","Email":"a@example.org","Recovery":"20","AccessExpirationDate":"2025-12-31 19:00:10"},
                         {"Hash":23456789,"Recovery":"","AccessExpirationDate":"0000-00-00 00:00:00"}])";
    const auto wrap = [](const std::string& items) {
        return "{\"Items\":" + items + ",\"Status\":\"Success\"}";
    };
    for (const auto& body : {wrap(two), wrap("{\"Item\":" + std::string(two) + "}")}) {
        const auto a = list(200, body);
        REQUIRE(a.has_value());
        REQUIRE(a->size() == 2);
        CHECK((*a)[0].hash.expose() == "123456789");
        CHECK((*a)[0].email == "a@example.org");
        CHECK((*a)[0].activations_left == 20);
        CHECK((*a)[0].ends_at == parse_moscow("2025-12-31 19:00:10").value());
        CHECK((*a)[1].hash.expose() == "023456789");
        CHECK_FALSE((*a)[1].activations_left);
        CHECK_FALSE((*a)[1].ends_at);
    }
    const auto one = list(200, wrap(R"({"Item":{"Hash":"123-456-789","Recovery":0}})"));
    REQUIRE(one.has_value());
    REQUIRE(one->size() == 1);
    CHECK((*one)[0].hash.expose() == "123456789");
    CHECK((*one)[0].activations_left == 0);
}

TEST_CASE("an empty list is an empty list, and a broken one is none")
{
    for (const auto* body : {R"({"Items":[],"Status":"Success"})", R"({"Items":"","Status":"Success"})",
             R"({"Items":null,"Status":"Success"})", R"({"Items":{},"Status":"Success"})", R"({"Items":[]})",
             R"({"Items":{"Item":[]},"Status":"Success"})", R"({"Items":{"Item":""},"Status":"Success"})"})
    {
        CAPTURE(body);
        const auto a = list(200, body);
        REQUIRE(a.has_value());
        CHECK(a->empty());
    }
    for (const auto* body :
        {"", "<Response/>", "{}", R"({"Items":7,"Status":"Success"})", R"({"Items":[{"Hash")",
            R"({"Status":"Success"})", R"({"Buyers":[{"Hash":"123456789"}],"Status":"Success"})",
            R"({"Items":{"Buyer":[{"Hash":"123456789"}]},"Status":"Success"})"})
    {
        CAPTURE(body);
        CHECK(outcome_of(list(200, body)) == "unknown");
    }
    CHECK(outcome_of(list(200, R"({"Status":"Failed","Message":"Subscription not found"})")) == "rejected");
}

TEST_CASE("entries without a code are left out")
{
    const auto a =
        list(200, R"({"Items":[{"Email":"x@example.org"},{"Hash":"123456789"},17],"Status":"Success"})");
    REQUIRE(a.has_value());
    CHECK(a->size() == 1);
}
