#include "openapi.hpp"

#include "domain/refused.hpp"
#include "domain/trail.hpp"
#include "handlers/feed_reader.hpp"
#include "pages/pages.hpp"
#include "routes.hpp"

#include "coursegate/base/encoding.hpp"

#include <boost/asio/io_context.hpp>
#include <catch2/catch.hpp>

using namespace coursegate;
using namespace coursegate::web_gateway;

TEST_CASE("openapi.yaml describes exactly the routes of the route table")
{
    boost::asio::io_context loop;
    db::settings unused; // nothing is asked of it
    unused.url = base::secret("postgresql://nobody:nothing@127.0.0.1/none");
    db::pool db(loop.get_executor(), unused);
    const base::keyring keys(base::secret(base::to_base64(std::string(32, 'k'))));
    feed_reader feed(loop.get_executor(), db);
    const pages site;
    gateway g{db, keys, feed, site, base::secret("0123456789abcdef")};
    std::set<std::string> served;
    for (const auto& r : routes(g))
        if (r.pattern == "/healthz" || r.pattern.starts_with("/v1/")) // else a page for people
            served.insert(r.method + " " + r.pattern);
    CHECK(tests::openapi::instance().operations() == served);
}

TEST_CASE("openapi.yaml lists exactly the error slugs there are")
{
    std::set<std::string> ours;
    for (const auto s : slug::all)
        ours.emplace(s);
    CHECK(ours.size() == slug::all.size());
    CHECK(tests::openapi::instance().slugs() == ours);
}

TEST_CASE("openapi.yaml lists exactly the stages of a trail")
{
    std::set<std::string> ours;
    for (int s = 0; s <= static_cast<int>(stage::being_decided); ++s)
        ours.emplace(to_string(static_cast<stage>(s)));
    std::set<std::string> described;
    for (const auto& s :
        tests::openapi::instance().root()["components"]["schemas"]["Why"]["properties"]["stage"]["enum"])
        described.insert(s.get<std::string>());
    CHECK(described == ours);
}

TEST_CASE("every operation of openapi.yaml has an id, a summary and an example of each answer")
{
    const auto& api = tests::openapi::instance();
    std::set<std::string> ids;
    for (const auto& path : api.root()["paths"].items())
        for (const auto& entry : path.value().items()) {
            if (entry.key() == "parameters")
                continue;
            INFO(entry.key() << " " << path.key());
            const auto& operation = entry.value();
            CHECK(ids.insert(operation.at("operationId").get<std::string>()).second);
            CHECK_FALSE(operation.at("summary").get<std::string>().empty());
            for (const auto& response : operation["responses"].items()) {
                if (!response.value().contains("content"))
                    continue;
                for (const auto& content : response.value()["content"].items()) {
                    REQUIRE(content.value().contains("example"));
                    CHECK(api.check(content.value()["schema"], content.value()["example"], response.key())
                              .empty());
                }
            }
        }
}
