#include "domain/moscow_time.hpp"
#include "domain/ppv.hpp"
#include "tests/sample.hpp"

#include <catch2/catch.hpp>

using namespace coursegate;
using namespace coursegate::sandbox;
using namespace std::chrono_literals;

namespace {

struct shop
{
    shop()
    {
        for (const auto* code : {"VIDEOAAA", "VIDEOBBB"}) {
            medium m;
            m.code = code;
            m.title = code;
            p.add_medium(m);
        }
        subscription group;
        group.code = "GROUP001";
        group.kind = subscription_kind::group;
        group.media = {"VIDEOAAA", "VIDEOBBB"};
        group.activation = 2;
        p.add_subscription(group);
        subscription single;
        single.code = "SINGLE01";
        single.media = {"VIDEOAAA", "VIDEOBBB"};
        p.add_subscription(single);
    }

    base::result<project::added> add(const std::string& code, const std::string& hash,
        std::optional<std::string> end = {}, bool reuse = false)
    {
        buyer_request r;
        r.subscription = code;
        r.media = "VIDEOAAA";
        r.email = "a@example.org";
        r.hash = hash;
        r.access_expire = std::move(end);
        return p.add_buyer(r, now, random, reuse);
    }

    base::time_point now = base::parse_iso8601("2026-01-02T03:04:05Z").value();
    seeded_random random;
    project p{"key", "test"};
};

} // namespace

TEST_CASE("addbuyer is idempotent by subscription and hash")
{
    shop s;
    const auto first = s.add("GROUP001", "123456789", "2026-12-31");
    REQUIRE(first.has_value());
    CHECK(first->is_new);
    CHECK(first->buyer->recovery == 2);
    CHECK(to_moscow(first->buyer->expires_at) == "2026-12-31 23:59:59");
    const auto second = s.add("GROUP001", "123456789", "2027-01-01 10:00:00");
    REQUIRE(second.has_value());
    CHECK_FALSE(second->is_new);
    CHECK(second->buyer->created == 1);
    CHECK(second->buyer->refreshed == 1);
    CHECK(to_moscow(second->buyer->expires_at) == "2027-01-01 10:00:00");
    CHECK(s.p.find_subscription("GROUP001")->buyers.size() == 1);
    CHECK(s.add("SINGLE01", "123456789")->is_new); // another subscription, another buyer
}

TEST_CASE("without a hash each call makes a buyer with nine digits, unless e-mails are reused")
{
    shop s;
    const auto first = s.add("GROUP001", "");
    const auto second = s.add("GROUP001", "");
    CHECK(first->buyer->hash.size() == 9);
    CHECK(first->buyer->hash != second->buyer->hash);
    const auto third = s.add("GROUP001", "", {}, true);
    CHECK(third->buyer->hash == first->buyer->hash);
}

TEST_CASE("a deleted buyer is gone for everybody and may come back")
{
    shop s;
    REQUIRE(s.add("GROUP001", "123456789").has_value());
    REQUIRE(s.p.delete_buyer("GROUP001", "123456789", s.now).has_value());
    CHECK(s.p.delete_buyer("GROUP001", "123456789", s.now).error().code == ppv_errc::unknown_buyer);
    CHECK(s.p.try_watch("VIDEOAAA", "123456789", "", s.now, false) == watch::wrong_code);
    const auto back = s.add("GROUP001", "123456789");
    CHECK(back->is_new);
    CHECK(back->buyer->created == 2);
    CHECK(back->buyer->deleted == 1);
}

TEST_CASE("unknown codes and bad dates are refused")
{
    shop s;
    CHECK(s.add("NOTTHERE", "1").error().code == ppv_errc::unknown_subscription);
    CHECK(s.add("GROUP001", "1", "2026-13-01").error().code == ppv_errc::bad_value);
    buyer_request r;
    r.subscription = "GROUP001";
    r.media = "NOTTHERE";
    CHECK(s.p.add_buyer(r, s.now, s.random, false).error().code == ppv_errc::unknown_media);
    r.hash = "1";
    CHECK(s.p.update_buyer(r, s.now).error().code == ppv_errc::unknown_buyer);
    CHECK(s.p.find_subscription("GROUP001")->buyers.empty());
}

TEST_CASE("a group opens all its videos, a single subscription only the buyer's own")
{
    shop s;
    REQUIRE(s.add("SINGLE01", "111222333").has_value());
    CHECK(s.p.try_watch("VIDEOAAA", "111222333", "d", s.now, true) == watch::plays);
    CHECK(s.p.try_watch("VIDEOBBB", "111222333", "d", s.now, true) == watch::wrong_code);
    REQUIRE(s.add("GROUP001", "111222333").has_value());
    CHECK(s.p.try_watch("VIDEOBBB", "111-222-333", "d", s.now, true) == watch::plays);
    CHECK(s.p.try_watch("VIDEOBBB", "", "d", s.now, true) == watch::no_code);
}

TEST_CASE("each new device spends an activation until none is left, and updatebuyer gives more")
{
    shop s;
    REQUIRE(s.add("GROUP001", "123456789").has_value());
    const auto watch_on = [&](const char* device) {
        return s.p.try_watch("VIDEOAAA", "123456789", device, s.now, true);
    };
    CHECK(watch_on("phone") == watch::plays);
    CHECK(watch_on("phone") == watch::plays);
    CHECK(watch_on("laptop") == watch::plays);
    CHECK(watch_on("tablet") == watch::no_activation);
    CHECK(s.p.try_watch("VIDEOAAA", "123456789", "tablet", s.now, false) == watch::no_activation);
    CHECK(watch_on("phone") == watch::plays);
    buyer_request more;
    more.subscription = "GROUP001";
    more.hash = "123456789";
    more.activation = 1;
    const auto updated = s.p.update_buyer(more, s.now);
    REQUIRE(updated.has_value());
    CHECK((*updated)->recovery == 1);
    CHECK(watch_on("tablet") == watch::plays);
}

TEST_CASE("access ends at its end, in Moscow time")
{
    shop s;
    REQUIRE(s.add("GROUP001", "123456789", "2026-01-02 07:00:00").has_value()); // 04:00 UTC
    CHECK(s.p.try_watch("VIDEOAAA", "123456789", "d", s.now, true) == watch::plays);
    CHECK(s.p.try_watch("VIDEOAAA", "123456789", "d", s.now + 56min, true) == watch::expired);
    const auto forever = s.add("GROUP001", "123456789", "0000-00-00 00:00:00");
    CHECK_FALSE(forever->buyer->expires_at.has_value());
}

TEST_CASE("Moscow time there and back")
{
    const auto t = base::parse_iso8601("2025-12-31T21:30:00Z").value();
    CHECK(to_moscow(t) == "2026-01-01 00:30:00");
    CHECK(parse_moscow("2026-01-01 00:30:00", "").value() == t);
    CHECK(to_moscow({}) == "0000-00-00 00:00:00");
    CHECK(parse_moscow("2100-12-12 23:59:59", "").value().has_value());
    CHECK(to_moscow(parse_moscow("2026-02-28", "23:59:59").value()) == "2026-02-28 23:59:59");
    CHECK_FALSE(parse_moscow("2026-02-30", "23:59:59").has_value());
    CHECK_FALSE(parse_moscow("tomorrow", "23:59:59").has_value());
    CHECK(parse_moscow("", "").has_value());
}

TEST_CASE("codes have eight characters whatever they stand for")
{
    CHECK(make_code('V', 1852228, 0) == "V1852228");
    CHECK(make_code('V', 700'000'001, 0).size() == 8);
    CHECK(make_code('V', 1852228, 3).size() == 8);
    CHECK(make_code('V', 1852228, 3) != make_code('V', 1852228, 4));
    CHECK(without_hyphens("123-456-789") == "123456789");
    CHECK(without_hyphens("site|1|VIDEOAAA") == "site|1|VIDEOAAA");
    CHECK(without_hyphens("a12-456-789") == "a12-456-789");
}

TEST_CASE("the sample project has a group and one single subscription per lesson")
{
    const testkit::fake_clock clock;
    world w{clock, sample_data()};
    const auto* const p = w.find_project("sandbox-key");
    REQUIRE(p != nullptr);
    CHECK(p->subscriptions().size() == 52);
    CHECK(p->media().size() == 51);
    REQUIRE(p->find_subscription("SBXGROUP") != nullptr);
    CHECK(p->find_subscription("SBXGROUP")->media.size() == 51);
    CHECK(p->find_subscription("S1859688")->media == std::vector<std::string>{"V1859688"});
}
