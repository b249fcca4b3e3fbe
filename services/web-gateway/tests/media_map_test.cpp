#include "domain/media_map.hpp"

#include <catch2/catch.hpp>

using namespace coursegate::web_gateway;

namespace {

lesson make_lesson(std::int64_t id, bool vanished = false)
{
    lesson l;
    l.id = id;
    l.vanished = vanished;
    return l;
}

media_part make_part(
    std::int64_t lesson_id, int part, std::string media, std::optional<std::string> code = {})
{
    media_part m;
    m.lesson_id = lesson_id;
    m.part = part;
    m.boom_media = std::move(media);
    m.subscription_code = std::move(code);
    return m;
}

media_world make_world()
{
    media_world w;
    w.structure = {make_lesson(1), make_lesson(2), make_lesson(3), make_lesson(9, true)};
    w.existing = {make_part(1, 1, "AAAAAAAA"), make_part(1, 2, "BBBBBBBB"), make_part(2, 1, "CCCCCCCC")};
    w.default_subscription = "DEFAULT";
    return w;
}

const refused& reason(const media_plan& p, std::size_t row)
{
    REQUIRE(p.rows.at(row).outcome == media_outcome::refused);
    return *p.rows[row].reason;
}

} // namespace

TEST_CASE("the same media again changes nothing")
{
    const auto w = make_world();
    const auto plan = plan_media(w, {w.existing[0], w.existing[1]}, 1);
    CHECK_FALSE(plan.first_refused());
    CHECK(plan.rows[0].outcome == media_outcome::unchanged);
    CHECK(plan.changed_lessons.empty());
    CHECK(plan.to_write.empty());
    CHECK(plan.to_remove.empty());
}

TEST_CASE("a whole lesson is replaced, another lesson stays")
{
    const auto plan = plan_media(make_world(), {make_part(1, 1, "DDDDDDDD")}, 1);
    CHECK(plan.rows[0].outcome == media_outcome::changed);
    CHECK(plan.changed_lessons == std::vector<std::int64_t>{1});
    CHECK(plan.to_remove.size() == 2);
    CHECK(plan.to_write.size() == 1);
}

TEST_CASE("an empty list takes a lesson's videos away")
{
    const auto plan = plan_media(make_world(), {}, 1);
    CHECK(plan.to_remove.size() == 2);
    CHECK(plan.changed_lessons == std::vector<std::int64_t>{1});
}

TEST_CASE("rows of a bulk change leave what they do not name")
{
    const auto plan = plan_media(make_world(), {make_part(3, 1, "DDDDDDDD"), make_part(1, 2, "EEEEEEEE")});
    CHECK(plan.rows[0].outcome == media_outcome::added);
    CHECK(plan.rows[1].outcome == media_outcome::changed);
    CHECK(plan.changed_lessons == std::vector<std::int64_t>{1, 3});
    CHECK(plan.to_remove == std::vector<media_part>{make_part(1, 2, "BBBBBBBB")});
}

TEST_CASE("two lessons exchange their videos in one request")
{
    const auto plan = plan_media(make_world(), {make_part(1, 1, "CCCCCCCC"), make_part(2, 1, "AAAAAAAA")});
    CHECK_FALSE(plan.first_refused());
    CHECK(plan.changed_lessons == std::vector<std::int64_t>{1, 2});
}

TEST_CASE("an unknown or vanished lesson is refused")
{
    const auto plan = plan_media(make_world(), {make_part(7, 1, "DDDDDDDD"), make_part(9, 1, "EEEEEEEE")});
    CHECK(reason(plan, 0).slug() == "lesson_not_found");
    CHECK(reason(plan, 0).field() == "lesson_id");
    CHECK(reason(plan, 1).slug() == "lesson_not_found");
    CHECK(plan.first_refused() == 0);
}

TEST_CASE("a video that is attached elsewhere is refused, saying where")
{
    const auto plan = plan_media(make_world(), {make_part(3, 1, "CCCCCCCC")});
    CHECK(reason(plan, 0).slug() == "duplicate");
    CHECK(reason(plan, 0).field() == "boom_media");
    CHECK(reason(plan, 0).message().find("lesson 2, part 1") != std::string::npos);
}

TEST_CASE("one video in two rows, and one part in two rows, are refused")
{
    const auto plan = plan_media(make_world(),
        {make_part(3, 1, "DDDDDDDD"), make_part(3, 2, "DDDDDDDD"), make_part(3, 1, "EEEEEEEE")});
    CHECK(plan.rows[0].outcome == media_outcome::added);
    CHECK(reason(plan, 1).field() == "boom_media");
    CHECK(reason(plan, 2).field() == "part");
}

TEST_CASE("a single subscription holds one lesson")
{
    auto w = make_world();
    w.kinds["ONE"] = "single";
    w.existing.push_back(make_part(3, 1, "DDDDDDDD", "ONE"));
    CHECK_FALSE(plan_media(w, {make_part(3, 2, "EEEEEEEE", "ONE")}).first_refused());
    const auto plan = plan_media(w, {make_part(2, 2, "EEEEEEEE", "ONE")});
    CHECK(reason(plan, 0).slug() == "single_subscription");
    CHECK(reason(plan, 0).field() == "subscription_code");
    CHECK(reason(plan, 0).message().find("lesson 3") != std::string::npos);
}

TEST_CASE("the default subscription counts where a video names none")
{
    auto w = make_world();
    w.kinds["DEFAULT"] = "single";
    w.existing = {make_part(1, 1, "AAAAAAAA")};
    CHECK(reason(plan_media(w, {make_part(2, 1, "BBBBBBBB")}), 0).slug() == "single_subscription");
}

TEST_CASE("a group exposes all its lessons, a single one and a group of one expose none")
{
    auto w = make_world();
    w.kinds["ONE"] = "single";
    w.kinds["NOBODY"] = "group";
    w.existing.push_back(make_part(3, 1, "DDDDDDDD", "ONE"));
    w.existing.push_back(make_part(3, 2, "EEEEEEEE", "LONE"));
    const auto uses = subscription_uses(w);
    REQUIRE(uses.size() == 4);
    CHECK(uses[0].code == "DEFAULT");
    CHECK(uses[0].is_default);
    CHECK(uses[0].kind == "group");
    CHECK(uses[0].exposed_lessons == 2);
    CHECK(uses[0].videos == 3);
    CHECK(uses[1].code == "LONE");
    CHECK(uses[1].exposed_lessons == 0);
    CHECK(uses[2].code == "NOBODY");
    CHECK(uses[2].lessons.empty());
    CHECK(uses[3].code == "ONE");
    CHECK(uses[3].kind == "single");
    CHECK(uses[3].exposed_lessons == 0);
    for (const auto& u : uses)
        CHECK_FALSE(u.sentence.empty());
}
