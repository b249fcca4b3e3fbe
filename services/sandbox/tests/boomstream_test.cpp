#include "tests/playing.hpp"

#include <catch2/catch.hpp>

#include <set>

using namespace coursegate;
using namespace coursegate::sandbox;
using namespace std::chrono_literals;
using json = nlohmann::ordered_json;

namespace {

json order(const std::string& hash = "123456789", const std::string& code = "SBXGROUP")
{
    return {{"code", code}, {"media", "V1859688"}, {"email", "a@example.org"}, {"name", "Анна"},
        {"notification", 0}, {"hash", hash}, {"access_expire", "2100-12-12 23:59:59"}};
}

const std::string plain_query = "code=SBXGROUP&media=V1859688&email=a%40example.org";

} // namespace

TEST_CASE("addbuyer by POST, JSON and Bearer answers the recorded fields and is idempotent")
{
    playing p;
    const auto first = p.boom("ppv/addbuyer", order());
    REQUIRE(first.status == 200);
    CHECK(first.value["Status"] == "Success");
    CHECK(first.value["Hash"] == "123456789");
    CHECK(first.value["Email"] == "a@example.org");
    CHECK(first.value["Recovery"] == 20);
    CHECK(first.value["Period"].is_number_integer());
    CHECK(first.value["DatePurchase"] == "2026-01-02 06:04:05"); // Moscow
    CHECK(first.value["AccessExpirationDate"] == "2100-12-12 23:59:59");
    CHECK(first.value["Version"] == "1.2");
    CHECK(first.value["Versions"].size() == 3);
    CHECK(first.value["RequestURI"] == "/api/ppv/addbuyer");
    const auto again = p.boom("ppv/addbuyer", order());
    CHECK(again.value["Hash"] == "123456789");
    CHECK(p.boom("ppv/listbuyers", {{"code", "SBXGROUP"}}).value["Items"].size() == 1);
    const auto ledger = p.control("GET", "ledger").value["buyers"];
    REQUIRE(ledger.size() == 1);
    CHECK(ledger[0]["created"] == 1);
    CHECK(ledger[0]["refreshed"] == 1);
    CHECK(ledger[0]["end"] == "2100-12-12 23:59:59");
    CHECK(ledger[0]["end_utc"] == "2100-12-12T20:59:59.000000Z");
}

TEST_CASE("GET with the key in the query answers XML, and echoes the key")
{
    playing p;
    const auto got = p.send("GET", "/api/ppv/addbuyer?apikey=sandbox-key&" + plain_query);
    REQUIRE(got.status == 200);
    CHECK(got.headers.get("Content-Type")->starts_with("text/xml"));
    CHECK(got.body.find("<Response>") != std::string::npos);
    CHECK(got.body.find("<Items><Item><Hash>") != std::string::npos);
    CHECK(got.body.find("<Status>Success</Status><Version>1.0</Version>") != std::string::npos);
    CHECK(got.body.find("<RequestURI>/api/ppv/addbuyer?apikey=sandbox-key&amp;code=SBXGROUP") !=
          std::string::npos);
    const auto list = p.send("GET", "/api/ppv/listbuyers?apikey=sandbox-key&code=SBXGROUP");
    CHECK(list.body.find("<Items><Item><Email>a@example.org</Email><Phone/><Hash>") != std::string::npos);
    CHECK(list.body.find(
              "<AccessStartDate/><Recovery>20</Recovery><DatePurchase>2026-01-02 06:04:05</DatePurchase>"
              "<IsManual>1</IsManual></Item></Items>") != std::string::npos);
    const auto as_json = p.send("GET", "/api/ppv/listbuyers?format=json&ver=1.1&code=SBXGROUP", {},
        {{"Authorization", "Bearer sandbox-key"}});
    CHECK(as_json.value["Items"][0]["Recovery"] == "20"); // a text here
    CHECK(as_json.value["Version"] == "1.1");
    CHECK_FALSE(as_json.value.contains("RequestURI"));
}

TEST_CASE(
    "without a hash a buyer gets nine digits, and the same e-mail a second buyer unless the knob is off")
{
    playing p;
    auto r = order();
    r.erase("hash");
    const auto hash = p.boom("ppv/addbuyer", r).value["Hash"].get<std::string>();
    CHECK(hash.size() == 9);
    CHECK(hash.find_first_not_of("0123456789") == std::string::npos);
    CHECK(p.boom("ppv/addbuyer", r).value["Hash"] != hash);
    p.control("PUT", "settings", {{"duplicate_buyers", false}});
    CHECK(p.boom("ppv/addbuyer", r).value["Hash"] == hash);
    CHECK(p.boom("ppv/listbuyers", {{"code", "SBXGROUP"}}).value["Items"].size() == 2);
}

TEST_CASE("everything wrong is HTTP 200 with Status Failed and a message")
{
    playing p;
    const auto message = [](const playing::answer& a) {
        CHECK(a.status == 200);
        CHECK(a.value["Status"] == "Failed");
        return a.value["Message"].get<std::string>();
    };
    CHECK(message(p.boom("ppv/addbuyer", order(), "wrong")) == "Invalid API key");
    CHECK(message(p.send("GET", "/api/ppv/listbuyers?apikey=wrong&format=json&code=SBXGROUP")) ==
          "Application not found");
    CHECK(message(p.send("GET", "/api/ppv/listbuyers?format=json&code=SBXGROUP")) == "Unauthorized");
    CHECK(message(p.boom("ppv/addbuyer", order("1", "NOTTHERE"))) == "Subscription not found");
    auto r = order();
    r["media"] = "NOTTHERE";
    CHECK(message(p.boom("ppv/addbuyer", r)) == "Media not found");
    r.erase("media");
    CHECK(message(p.boom("ppv/addbuyer", r)) == "Missing required parameter: media");
    CHECK(message(p.boom("ppv/addbuyer", {{"media", "V1859688"}})) == "Missing required parameter: code");
    r = order();
    r["access_expire"] = "soon";
    CHECK(message(p.boom("ppv/addbuyer", r)) == "Invalid parameter value: access_expire");
    CHECK(message(p.boom("ppv/nonsense", json::object())) == "Method not found");
    CHECK(message(p.boom("playlist/list", json::object())) == "Method not found");
    CHECK(message(p.boom("ppv/deletebuyer", {{"code", "SBXGROUP"}, {"hash", "1"}})) == "Buyer not found");
    CHECK(message(p.boom("media/info", {{"code", "NOTTHERE"}})) == "Media not found");
    CHECK(message(p.send("POST", "/api/ppv/list", "not json", {{"Authorization", "Bearer sandbox-key"}})) ==
          "Invalid JSON");
    // An explicit key wins over a good header.
    CHECK(
        message(p.boom("ppv/listbuyers", {{"code", "SBXGROUP"}, {"apikey", "wrong"}})) == "Invalid API key");
    p.control("PUT", "settings", {{"api_key_ok", false}});
    CHECK(message(p.boom("ppv/list", json::object())) == "Invalid API key");
    CHECK(p.control("GET", "ledger").value["buyers"].empty());
}

TEST_CASE("updatebuyer changes the end and the activations, deletebuyer ends it")
{
    playing p;
    p.boom("ppv/addbuyer", order());
    const auto updated = p.boom("ppv/updatebuyer",
        {{"code", "SBXGROUP"}, {"hash", "123456789"}, {"access_expire", "2027-01-01"}, {"activation", 3}});
    CHECK(updated.value["AccessExpirationDate"] == "2027-01-01 23:59:59");
    CHECK(updated.value["Recovery"] == 3);
    const auto deleted = p.boom("ppv/deletebuyer", {{"code", "SBXGROUP"}, {"hash", "123456789"}});
    CHECK(deleted.value["Status"] == "Success");
    CHECK(p.boom("ppv/listbuyers", {{"code", "SBXGROUP"}}).value["Items"].empty());
    CHECK(p.control("GET", "ledger").value["buyers"][0]["live"] == false);
}

TEST_CASE("lists come in three shapes, by knob or in turn")
{
    playing p;
    p.boom("ppv/addbuyer", order());
    const auto items = [&] { return p.boom("ppv/listbuyers", {{"code", "SBXGROUP"}}).value["Items"]; };
    CHECK(items().is_array());
    p.control("PUT", "settings", {{"list_shape", "item_list"}});
    CHECK(items()["Item"].is_array());
    p.control("PUT", "settings", {{"list_shape", "item_object"}});
    CHECK(items()["Item"]["Hash"] == "123456789");
    p.boom("ppv/addbuyer", order("987654321"));
    CHECK(items()["Item"].size() == 2); // only one item can be an object
    p.boom("ppv/deletebuyer", {{"code", "SBXGROUP"}, {"hash", "987654321"}});
    p.control("PUT", "settings", {{"list_shape", "rotating"}});
    std::set<std::string> shapes;
    for (int i = 0; i < 3; ++i) {
        const auto got = items();
        shapes.insert(got.is_array() ? "array" : got["Item"].is_array() ? "list" : "object");
    }
    CHECK(shapes.size() == 3);
    CHECK(p.boom("ppv/info", {{"code", "SBXGROUP"}}).value["Items"]["Item"]["Activation"] == "20");
}

TEST_CASE("Status may be missing on success, and numbers may all be texts")
{
    playing p;
    p.control("PUT", "settings", {{"omit_status", true}, {"numbers", "strings"}});
    const auto added = p.boom("ppv/addbuyer", order());
    CHECK_FALSE(added.value.contains("Status"));
    CHECK(added.value["Recovery"] == "20");
    CHECK(p.boom("ppv/addbuyer", order("1", "NOTTHERE")).value["Status"] == "Failed");
}

TEST_CASE("subscriptions are made, filled and listed; media are described")
{
    playing p;
    const auto made = p.boom("ppv/create", {{"name", "Блок 1"}, {"subscription_type", "password"},
                                               {"type", "group"}, {"period", 90}, {"activation", 5}});
    REQUIRE(made.value["Status"] == "Success");
    const auto code = made.value["Code"].get<std::string>();
    CHECK(code.size() == 8);
    CHECK(p.boom("ppv/create", {{"name", "x"}, {"subscription_type", "password"}}).value["Message"] ==
          "Missing required parameter: period");
    CHECK(p.boom("ppv/addmedia", {{"code", code}, {"media", "V1859688"}}).value["Status"] == "Success");
    CHECK(p.boom("ppv/addmedia", {{"code", code}, {"media", "NOTTHERE"}}).value["Status"] == "Failed");
    const auto listed = p.boom("ppv/listmedia", {{"code", code}}).value["Medias"];
    REQUIRE(listed.size() == 1);
    CHECK(listed[0]["Width"] == "1920");
    CHECK(listed[0]["Duration"].is_number_integer());
    CHECK_FALSE(listed[0].contains("PublishKey")); // 1.2
    const auto before = p.send("GET", "/api/ppv/listmedia?apikey=sandbox-key&format=json&code=" + code);
    CHECK(before.value["Medias"][0].contains("PublishKey"));
    const auto added =
        p.boom("ppv/addbuyer", {{"code", code}, {"media", "V1859688"}, {"email", "b@example.org"}});
    CHECK(added.value["Period"] == 90);
    CHECK(added.value["Recovery"] == 5);
    CHECK(p.boom("ppv/update", {{"code", code}, {"activation", 9}}).value["Status"] == "Success");
    CHECK(p.boom("ppv/info", {{"code", code}}).value["Items"]["Item"]["Activation"] == "9");
    CHECK(p.boom("ppv/listbuyers", {{"code", code}}).value["Items"].size() == 1);
    CHECK(p.boom("ppv/deletemedia", {{"code", code}, {"media", "V1859688"}}).value["Status"] == "Success");
    CHECK(p.boom("ppv/list", json::object()).value["Items"].size() == 53);
    CHECK(p.boom("ppv/delete", {{"code", code}}).value["Status"] == "Success");
    CHECK(p.boom("ppv/list", json::object()).value["Items"].size() == 52);

    const auto bulk = p.boom("media/bulkinfo", {{"code", json::array({"V1859688", "NOTTHERE", "V1852228"})}});
    REQUIRE(bulk.value["Medias"].size() == 2);
    CHECK(bulk.value["Medias"][1]["Title"] == "Добро пожаловать");
    CHECK(p.send("GET", "/api/media/bulkinfo?apikey=sandbox-key&format=json&code[]=V1859688&code[]=V1852228")
              .value["Medias"]
              .size() == 2);
    CHECK(p.boom("media/info", {{"code", "V1859688"}}).value["PlayerLink"] ==
          "https://play.boomstream.com/V1859688");
}

TEST_CASE("the player plays for a buyer and is restricted for everybody else, always with HTTP 200")
{
    playing p;
    auto r = order();
    r["access_expire"] = "2026-01-02 07:00:00"; // 04:00 UTC
    p.boom("ppv/addbuyer", r);
    p.boom("ppv/updatebuyer", {{"code", "SBXGROUP"}, {"hash", "123456789"}, {"activation", 2}});
    const auto open = [&](const std::string& device, const std::string& code = "123456789") {
        const auto got = p.send("GET", "/V1855854?id_recovery=" + code, {}, {{"X-Device", device}});
        CHECK(got.status == 200);
        const auto at = got.body.find("data-state=\"") + 12;
        return got.body.substr(at, got.body.find('"', at) - at);
    };
    CHECK(p.send("GET", "/V1855854").body.find("data-state=\"no_code\"") != std::string::npos);
    CHECK(open("phone", "000000000") == "wrong_code");
    CHECK(open("phone") == "plays");
    CHECK(open("phone", "123-456-789") == "plays");
    CHECK(open("laptop") == "plays");
    CHECK(open("tablet") == "no_activation");
    CHECK(p.boom("ppv/listbuyers", {{"code", "SBXGROUP"}}).value["Items"][0]["Recovery"] == "0");
    p.clock.advance(1h);
    CHECK(open("phone") == "expired");
    CHECK(p.send("GET", "/player.html?code=V1855854").status == 200);
    CHECK(p.send("GET", "/AAAAAAAA").status == 404);
    CHECK(p.send("GET", "/favicon.ico").status == 404);
}

TEST_CASE("the player's config says whether a code works, and spends an activation only with the knob")
{
    playing p;
    p.boom("ppv/addbuyer", order());
    const auto config = [&](const std::string& more) { return p.send("GET", "/V1855854/config" + more); };
    const auto closed = config("");
    CHECK(closed.status == 200);
    CHECK(closed.value["mediaData"].is_null());
    CHECK(closed.value["accessRestricted"]["message"] == "access_restricted");
    const auto open = config("?id_recovery=123456789");
    CHECK(open.value["mediaData"].is_object());
    CHECK(open.value["accessRestricted"].is_null());
    CHECK(open.value["entity"]["title"] == "Переменные");
    CHECK(p.send("GET", "/AAAAAAAA/config").status == 404);
    CHECK(p.control("GET", "ledger").value["buyers"][0]["recovery"] == 20);
    p.control("PUT", "settings", {{"config_spends_activation", true}});
    config("?id_recovery=123456789");
    config("?id_recovery=123456789");
    CHECK(p.control("GET", "ledger").value["buyers"][0]["recovery"] == 19);
}

TEST_CASE("a single subscription opens one lesson only")
{
    playing p;
    auto r = order("123456789", "S1859688");
    p.boom("ppv/addbuyer", r);
    CHECK(p.send("GET", "/V1859688/config?id_recovery=123456789").value["mediaData"].is_object());
    CHECK(p.send("GET", "/V1855854/config?id_recovery=123456789").value["mediaData"].is_null());
    r["media"] = "V1855854";
    CHECK(p.boom("ppv/addbuyer", r).value["Message"] == "Media not found");
}
