#include "coursegate/http/message.hpp"
#include "coursegate/http/server.hpp"
#include "coursegate/http/sse.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include <random>
#include <stdexcept>
#include <string>
#include <vector>

using namespace coursegate::http;

TEST_CASE("header names compare without case, set replaces, add repeats")
{
    headers h;
    h.add("Set-Cookie", "a=1");
    h.add("set-cookie", "b=2");
    h.set("X-One", "1");
    CHECK(h.get("SET-COOKIE") == "a=1");
    CHECK(h.all().size() == 3);
    h.set("SET-COOKIE", "c=3");
    CHECK(h.all().size() == 2);
    CHECK(h.get("Set-Cookie") == "c=3");
    h.remove("x-one");
    CHECK_FALSE(h.get("X-One"));
    CHECK_FALSE(h.has("X-One"));
    CHECK(h.has("set-cookie"));
}

TEST_CASE("a header can't bring another one with it")
{
    headers h;
    CHECK_THROWS_AS(h.set("X", "a\r\nEvil: 1"), std::invalid_argument);
    CHECK_THROWS_AS(h.add("X", "a\nb"), std::invalid_argument);
    CHECK_THROWS_AS(h.add("X", std::string("a\0b", 3)), std::invalid_argument);
    CHECK_THROWS_AS(h.add("X: y", "a"), std::invalid_argument);
    CHECK_THROWS_AS(h.add("", "a"), std::invalid_argument);
    try {
        h.set("Authorization", "Bearer topsecret\n");
        FAIL("accepted");
    }
    catch (const std::invalid_argument& e) {
        CHECK(std::string(e.what()).find("topsecret") == std::string::npos);
    }
    CHECK(h.all().empty());
}

TEST_CASE("queries are decoded, and never throw")
{
    const auto q = query::parse("a=1&b=%20x+y&c&=d&e=f=g&a=2&%D1%8F=%zz&h=%&&i=%4");
    CHECK(q.get("a") == "1");
    CHECK(q.get_all("a") == std::vector<std::string>{"1", "2"});
    CHECK(q.get("b") == " x y");
    CHECK(q.get("c") == "");
    CHECK(q.get("") == "d");
    CHECK(q.get("e") == "f=g");
    CHECK(q.get("я") == "%zz");
    CHECK(q.get("h") == "%");
    CHECK(q.get("i") == "%4");
    CHECK_FALSE(q.get("nothing"));
    CHECK(query::parse("").all().empty());
}

TEST_CASE("responses say what they are")
{
    const auto e = response::error(409, "duplicate", "There is one already.", "email");
    CHECK(e.status == 409);
    CHECK(e.headers.get("Content-Type") == "application/json; charset=utf-8");
    CHECK(nlohmann::json::parse(e.body) ==
          nlohmann::json({{"error", "duplicate"}, {"message", "There is one already."}, {"field", "email"}}));
    CHECK_FALSE(nlohmann::json::parse(response::error(400, "x", "y").body).contains("field"));
    CHECK(response::redirect("/there").status == 303);
    CHECK(response::redirect("/there").headers.get("Location") == "/there");
    CHECK(response::html(200, "<p>").headers.get("Content-Type") == "text/html; charset=utf-8");
    CHECK(response::json(200, {{"title", "broken \xff utf-8"}}).body.find("broken") != std::string::npos);
}

namespace {

std::vector<sse_event> read_back(const std::string& text, std::size_t piece, sse_parser& parser)
{
    std::vector<sse_event> out;
    for (std::size_t at = 0; at < text.size(); at += piece)
        parser.feed(std::string_view(text).substr(at, piece), [&](const sse_event& e) {
            out.push_back(e);
            return true;
        });
    return out;
}

} // namespace

TEST_CASE("an event is written as the standard has it")
{
    CHECK(format_sse({"7.1", "grant_issued", "{\"a\":1}"}) ==
          "id: 7.1\nevent: grant_issued\ndata: {\"a\":1}\n\n");
    CHECK(format_sse({"", "", "one\ntwo\r\nthree\rfour\n"}) ==
          "data: one\ndata: two\ndata: three\ndata: four\ndata: \n\n");
    CHECK(format_sse({"1\nevent: evil", "a\r\nb", ""}) == "id: 1 event: evil\nevent: a  b\ndata: \n\n");
    CHECK(sse_comment("still here") == ": still here\n\n");
}

TEST_CASE("events are read back the same however they are cut")
{
    std::mt19937 random(20260101);
    std::string text = "\xEF\xBB\xBF: hello\n\n";
    std::vector<sse_event> sent;
    for (int i = 0; i < 200; ++i) {
        sse_event e;
        e.id = std::to_string(i) + "." + std::to_string(random() % 1000);
        e.event = i % 3 ? "kind" + std::to_string(i % 5) : "";
        for (unsigned n = random() % 40; n > 0; --n)
            e.data += "ab \n:я{}"[random() % 8];
        sent.push_back(e);
        text += format_sse(e) + (i % 7 ? "" : sse_comment());
    }
    for (const std::size_t piece : {1U, 2U, 3U, 7U, 100U, 100'000U}) {
        sse_parser parser;
        const auto got = read_back(text, piece, parser);
        REQUIRE(got.size() == sent.size());
        for (std::size_t i = 0; i < sent.size(); ++i) {
            CHECK(got[i].id == sent[i].id);
            CHECK(got[i].event == sent[i].event);
            CHECK(got[i].data == sent[i].data);
        }
        CHECK(parser.last_id() == sent.back().id);
        CHECK(parser.dropped() == 0);
    }
}

TEST_CASE("the odd corners of the stream format")
{
    sse_parser parser;
    const auto got = read_back("data:no space\r\rdata\ndata\n\nid: 5\n\nevent: lost\n\ndata: kept id\r\n\r\n"
                               "unknown: x\nretry: 10\ndata:  two spaces\n\ndata: unfinished",
        5, parser);
    REQUIRE(got.size() == 4);
    CHECK(got[0].data == "no space");
    CHECK(got[1].data == "\n");
    CHECK(got[2].data == "kept id");
    CHECK(got[2].id == "5");
    CHECK(got[2].event.empty());
    CHECK(got[3].data == " two spaces");
}

TEST_CASE("an event or line without an end is dropped, and what follows is read")
{
    for (const std::size_t piece : {1U, 64U, 100'000U}) {
        sse_parser parser(100);
        std::string many;
        for (int i = 0; i < 50; ++i)
            many += "data: 12345\n";
        const auto got =
            read_back("data: " + std::string(5000, 'x') + "\n\ndata: good\n\n" + many + "\ndata: fine\n\n",
                piece, parser);
        REQUIRE(got.size() == 2);
        CHECK(got[0].data == "good");
        CHECK(got[1].data == "fine");
        CHECK(parser.dropped() == 2);
    }
}

TEST_CASE("a reader may stop the parser")
{
    sse_parser parser;
    int count = 0;
    CHECK_FALSE(
        parser.feed("data: 1\n\ndata: 2\n\ndata: 3\n\n", [&](const sse_event&) { return ++count < 2; }));
    CHECK(count == 2);
}
