#include "coursegate/base/trace.hpp"

#include <catch2/catch.hpp>

using namespace coursegate;

TEST_CASE("a trace that begins here is well-formed and like no other")
{
    const auto one = base::new_traceparent();
    CHECK(one.size() == 55);
    CHECK(one.substr(3, 32) == base::trace_id_of(one));
    CHECK(base::trace_id_of(one) != base::trace_id_of(base::new_traceparent()));
}

TEST_CASE("a trace id is taken from a well-formed traceparent only")
{
    CHECK(base::trace_id_of("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01") ==
          "0af7651916cd43dd8448eb211c80319c");
    for (const auto* const bad : {"", "00-trace", "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
             "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0",
             "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
             "00-0af7651916cd43dd8448eb211c80319\"-b7ad6b7169203331-01",
             "00-00000000000000000000000000000000-b7ad6b7169203331-01",
             "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
             "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more"})
    {
        INFO(bad);
        CHECK(base::trace_id_of(bad).empty());
    }
}
