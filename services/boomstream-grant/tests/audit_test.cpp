#include "domain/audit.hpp"

#include "domain/moscow_time.hpp"

#include <catch2/catch.hpp>

using namespace coursegate;
using namespace coursegate::boomstream_grant;

namespace {

our_buyer ours(const char* hash, buyer_state state = buyer_state::live, bool settled = true)
{
    our_buyer b;
    b.buyer_id = base::new_uuid();
    b.user_id = base::new_uuid();
    b.hash = base::secret(hash);
    b.state = state;
    b.settled = settled;
    b.ends_at = never_ends();
    return b;
}

listed_buyer theirs(
    const char* hash, std::optional<base::time_point> ends = never_ends(), std::optional<int> left = 20)
{
    listed_buyer b;
    b.hash = base::secret(hash);
    b.email = "somebody@example.org";
    b.ends_at = ends;
    b.activations_left = left;
    return b;
}

std::vector<std::string> kinds(const std::vector<finding>& all)
{
    std::vector<std::string> out;
    for (const auto& f : all)
        out.push_back(std::string(to_string(f.kind)) + (f.can_repair ? "!" : ""));
    return out;
}

using strings = std::vector<std::string>;

} // namespace

TEST_CASE("nothing differs when both sides have the same buyers")
{
    CHECK(compare(
        {ours("111111111"), ours("222222222")}, {theirs("222222222"), theirs("111111111", std::nullopt)})
              .empty());
}

TEST_CASE("missing there")
{
    CHECK(kinds(compare({ours("111111111")}, {})) == strings{"missing!"});
}

TEST_CASE("what is on its way is not a difference")
{
    CHECK(compare({ours("111111111", buyer_state::live, false), ours("222222222", buyer_state::asked),
                      ours("333333333", buyer_state::closing)},
        {theirs("222222222"), theirs("333333333")})
              .empty());
    CHECK(compare({ours("111111111", buyer_state::gone, false)}, {theirs("111111111")}).empty());
}

TEST_CASE("extra there: deleted here is deleted again, strangers are left alone")
{
    CHECK(kinds(compare({ours("111111111", buyer_state::gone)}, {theirs("111111111")})) == strings{"extra!"});
    const auto stranger = compare({}, {theirs("999999999")});
    CHECK(kinds(stranger) == strings{"extra"});
    CHECK(stranger[0].email == "somebody@example.org");
    CHECK_FALSE(stranger[0].buyer_id);
    CHECK(
        kinds(compare({ours("111111111")}, {theirs("111111111"), theirs("111111111")})) == strings{"extra"});
}

TEST_CASE("a buyer made again with the same code is not extra")
{
    CHECK(compare({ours("111111111", buyer_state::gone), ours("111111111")}, {theirs("111111111")}).empty());
    CHECK(compare({ours("111111111"), ours("111111111", buyer_state::gone)}, {theirs("111111111")}).empty());
}

TEST_CASE("an earlier end is wrong, a later one is not")
{
    const auto early =
        compare({ours("111111111")}, {theirs("111111111", parse_moscow("2026-01-01").value())});
    CHECK(kinds(early) == strings{"wrong_end!"});
    CHECK(early[0].detail.find("2026-01-01 23:59:59") != std::string::npos);
    CHECK(compare({ours("111111111")}, {theirs("111111111", never_ends() + std::chrono::hours(10))}).empty());
    CHECK(
        compare({ours("111111111")}, {theirs("111111111", never_ends() - std::chrono::seconds(1))}).empty());
}

TEST_CASE("no activations left is reported, not repaired")
{
    CHECK(kinds(compare({ours("111111111")}, {theirs("111111111", never_ends(), 0)})) == strings{"used_up"});
}

TEST_CASE("no finding shows a code")
{
    const auto all = compare({ours("111111111"), ours("222222222", buyer_state::gone), ours("333333333")},
        {theirs("222222222"), theirs("333333333", parse_moscow("2026-01-01").value(), 0),
            theirs("444444444")});
    CHECK(all.size() == 5);
    for (const auto& f : all)
        for (const auto* code : {"111111111", "222222222", "333333333", "444444444"})
            CHECK((f.detail + f.email).find(code) == std::string::npos);
}
