#include "domain/grants.hpp"

#include <catch2/catch.hpp>

#include <array>
#include <set>

using namespace coursegate::boomstream_grant;
using namespace std::chrono_literals;

TEST_CASE("a grant moves only along its life")
{
    using enum grant_state;
    const std::set<std::pair<grant_state, grant_state>> ways{{wanted, asked}, {wanted, confirmed},
        {wanted, failed}, {wanted, revoked}, {asked, confirmed}, {asked, failed}, {asked, wanted},
        {failed, wanted}, {failed, asked}, {failed, confirmed}, {failed, revoked}, {confirmed, revoked},
        {revoked, wanted}};
    for (const auto from : {wanted, asked, confirmed, failed, revoked})
        for (const auto to : {wanted, asked, confirmed, failed, revoked}) {
            CAPTURE(to_string(from), to_string(to));
            CHECK(may_follow(from, to) == ways.contains({from, to}));
        }
}

TEST_CASE("the wait after a refusal doubles up to an hour")
{
    CHECK(wait_after_refusal(1, 0) == 2s);
    CHECK(wait_after_refusal(2, 0) == 4s);
    CHECK(wait_after_refusal(5, 0) == 32s);
    CHECK(wait_after_refusal(100, 0) == 1h);
    CHECK(wait_after_refusal(1, 1) == 1500ms); // spread: at most a quarter less
}

TEST_CASE("the wait after a call that was not sent doubles up to half a minute")
{
    CHECK(wait_after_not_sent(1, 0) == 500ms);
    CHECK(wait_after_not_sent(3, 0) == 2s);
    CHECK(wait_after_not_sent(60, 0) == 30s);
}

TEST_CASE("a refusal of the key is told from a refusal of the student")
{
    for (const auto* words : {"Invalid API key", "Unauthorized", "Application not found", "Access denied"}) {
        CAPTURE(words);
        CHECK(is_about_the_key(words));
        CHECK_FALSE(needs_a_person(words));
    }
    for (const auto* words : {"Media not found", "Subscription NOT FOUND"}) {
        CAPTURE(words);
        CHECK_FALSE(is_about_the_key(words));
        CHECK(needs_a_person(words));
    }
    CHECK_FALSE(is_about_the_key("Something went wrong"));
    CHECK_FALSE(needs_a_person("Something went wrong"));
    CHECK_FALSE(needs_a_person("Method not found"));
}

TEST_CASE("words are read back as what they were written from")
{
    for (const auto v : {lane::fresh, lane::backfill})
        CHECK(parse_lane(to_string(v)) == v);
    for (const auto v : {cause::on_pass, cause::always, cause::on_enrolment, cause::with_previous,
             cause::after_days, cause::manual, cause::backfill})
        CHECK(parse_cause(to_string(v)) == v);
    for (const auto v :
        {buyer_state::wanted, buyer_state::asked, buyer_state::live, buyer_state::closing, buyer_state::gone})
        CHECK(parse_buyer_state(to_string(v)) == v);
    CHECK_THROWS_AS(parse_grant_state("open"), std::invalid_argument);
}
