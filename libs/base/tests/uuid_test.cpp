#include "coursegate/base/uuid.hpp"

#include "coursegate/base/clock.hpp"

#include <catch2/catch.hpp>

#include <mutex>
#include <set>
#include <thread>
#include <unordered_set>

using namespace coursegate;

TEST_CASE("a new id says its version, its variant and its millisecond")
{
    const auto before = base::now();
    const auto id = base::new_uuid();
    const auto after = base::now();
    CHECK(id.bytes[6] >> 4 == 7);
    CHECK(id.bytes[8] >> 6 == 2);
    std::int64_t ms = 0;
    for (std::size_t i = 0; i < 6; ++i)
        ms = ms << 8 | id.bytes[i];
    CHECK(ms >= std::chrono::floor<std::chrono::milliseconds>(before).time_since_epoch().count());
    CHECK(ms <= after.time_since_epoch().count() / 1000);
}

TEST_CASE("ids made by several threads at once are all different")
{
    std::mutex lock;
    std::set<base::uuid> all;
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([&] {
            std::vector<base::uuid> mine;
            for (int i = 0; i < 5000; ++i)
                mine.push_back(base::new_uuid());
            const std::lock_guard held{lock};
            all.insert(mine.begin(), mine.end());
        });
    }
    for (auto& t : threads)
        t.join();
    CHECK(all.size() == 20000);
}

TEST_CASE("an id is read back from its text, in either case")
{
    const auto id = base::new_uuid();
    CHECK(base::parse_uuid(base::to_string(id)).value() == id);
    const std::string text = "018f4E6a-1b2C-7d3e-8f40-a1b2c3d4e5f6";
    CHECK(base::to_string(base::parse_uuid(text).value()) == "018f4e6a-1b2c-7d3e-8f40-a1b2c3d4e5f6");
    CHECK(base::uuid{}.is_nil());
    CHECK_FALSE(id.is_nil());
    CHECK(std::unordered_set<base::uuid>{id, id, base::new_uuid()}.size() == 2);
}

TEST_CASE("what is no id is refused")
{
    for (const auto* text : {"", "018f4e6a1b2c7d3e8f40a1b2c3d4e5f6", "018f4e6a-1b2c-7d3e-8f40-a1b2c3d4e5f",
             "018f4e6a-1b2c-7d3e-8f40-a1b2c3d4e5f66", "018f4e6a-1b2c-7d3e-8f40-a1b2c3d4e5fg",
             "018f4e6a 1b2c-7d3e-8f40-a1b2c3d4e5f6", "{18f4e6a-1b2c-7d3e-8f40-a1b2c3d4e5f}"})
    {
        INFO(text);
        const auto read = base::parse_uuid(text);
        REQUIRE(read.has_error());
        CHECK(read.error().code == base::errc::malformed);
    }
}
