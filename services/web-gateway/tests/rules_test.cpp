#include "domain/refused.hpp"
#include "domain/rules.hpp"

#include <catch2/catch.hpp>

using namespace coursegate;
using namespace coursegate::web_gateway;

namespace {

template <class F>
std::string refused_by(F f)
{
    try {
        f();
    }
    catch (const refused& no) {
        return no.slug() + " " + no.field();
    }
    return "(accepted)";
}

access_rule make_rule(std::string scope, std::int64_t id, std::string rule)
{
    access_rule r;
    r.scope = std::move(scope);
    r.scope_id = id;
    r.rule = std::move(rule);
    return r;
}

} // namespace

TEST_CASE("a rule names its scope, and the course's own id may be left out")
{
    CHECK(checked_rule(5, "course", {}, "always", {}).scope_id == 5);
    CHECK(checked_rule(5, "course", 5, "always", {}).scope_id == 5);
    CHECK(checked_rule(5, "lesson", 7, "after_days", 0).days == 0);
}

TEST_CASE("a rule that makes no sense is refused with the field's name")
{
    CHECK(refused_by([] { checked_rule(5, "course", 6, "always", {}); }) == "invalid_value scope_id");
    CHECK(refused_by([] { checked_rule(5, "step", 6, "always", {}); }) == "invalid_value scope");
    CHECK(refused_by([] { checked_rule(5, "lesson", {}, "always", {}); }) == "missing_field scope_id");
    CHECK(refused_by([] { checked_rule(5, "lesson", 0, "always", {}); }) == "invalid_value scope_id");
    CHECK(refused_by([] { checked_rule(5, "lesson", 6, "sometimes", {}); }) == "invalid_value rule");
    CHECK(refused_by([] { checked_rule(5, "lesson", 6, "after_days", {}); }) == "missing_field days");
    CHECK(refused_by([] { checked_rule(5, "lesson", 6, "after_days", -1); }) == "invalid_value days");
    CHECK(refused_by([] { checked_rule(5, "lesson", 6, "on_pass", 3); }) == "invalid_value days");
}

TEST_CASE("the narrowest rule governs a lesson")
{
    lesson l;
    l.id = 7;
    l.module_id = 70;
    l.gradable_steps = 3;
    std::vector<access_rule> rules;
    CHECK(rule_for(l, rules).rule == "on_pass");
    CHECK(rule_for(l, rules).scope == "default");
    rules.push_back(make_rule("course", 5, "always"));
    CHECK(rule_for(l, rules).rule == "always");
    rules.push_back(make_rule("module", 71, "manual"));
    CHECK(rule_for(l, rules).scope == "course");
    rules.push_back(make_rule("module", 70, "on_enrolment"));
    CHECK(rule_for(l, rules).rule == "on_enrolment");
    rules.push_back(make_rule("lesson", 7, "manual"));
    CHECK(rule_for(l, rules).rule == "manual");
    CHECK(rule_for(l, rules).scope_id == 7);
}

TEST_CASE("a lesson nobody can pass opens with the one before it unless an author said otherwise")
{
    lesson l;
    l.id = 7;
    CHECK(rule_for(l, {}).rule == "with_previous");
    CHECK(rule_for(l, {make_rule("lesson", 7, "manual")}).rule == "manual");
    CHECK(rule_for(l, {make_rule("course", 5, "on_pass")}).rule == "with_previous");
    CHECK(rule_for(l, {make_rule("course", 5, "always")}).rule == "always");
    CHECK(rule_for(l, {make_rule("lesson", 7, "on_pass")}).rule == "on_pass");
}

TEST_CASE("what the environment gives can't be changed by an author, what it leaves open can")
{
    course_settings given;
    given.id = 5;
    given.stepik_client_id = "id";
    given.stepik_client_secret = base::secret("secret");
    course_settings wish;
    wish.id = 5;
    CHECK(refused_by([&] { refuse_environment_fields(wish, given); }) == "(accepted)");
    wish.stepik_client_id = "id";
    wish.stepik_client_secret = base::secret("secret");
    wish.boomstream_api_key = std::optional(base::secret("mine"));
    wish.default_subscription = std::optional<std::string>("MINE");
    CHECK(refused_by([&] { refuse_environment_fields(wish, given); }) == "(accepted)");

    given.boomstream_api_key = std::optional(base::secret("theirs"));
    CHECK(refused_by([&] { refuse_environment_fields(wish, given); }) ==
          "given_by_environment boomstream_api_key");
    wish.boomstream_api_key.reset();
    given.default_subscription = std::optional<std::string>("THEIRS");
    CHECK(refused_by([&] { refuse_environment_fields(wish, given); }) ==
          "given_by_environment default_subscription");
    wish.stepik_client_secret = base::secret("other");
    CHECK(refused_by([&] { refuse_environment_fields(wish, given); }) ==
          "given_by_environment stepik_client_secret");
    wish.stepik_client_id = "other";
    CHECK(refused_by([&] { refuse_environment_fields(wish, given); }) ==
          "given_by_environment stepik_client_id");
}
