#include "domain/rules.hpp"

#include "domain/input.hpp"
#include "domain/refused.hpp"

#include <algorithm>

namespace coursegate::web_gateway {

std::int64_t checked_scope(
    std::int64_t course_id, const std::string& scope, std::optional<std::int64_t> scope_id)
{
    if (scope == "course") {
        if (scope_id && *scope_id != course_id)
            throw invalid("scope_id", "With the scope \"course\" it is the course's own id, or left out.");
        return course_id;
    }
    if (scope != "module" && scope != "lesson")
        throw invalid("scope", "The scope is one of course, module, lesson.");
    if (!scope_id)
        throw refused(
            refusal::invalid, slug::missing_field, "The id of the " + scope + " is missing.", "scope_id");
    return checked_id(*scope_id, "scope_id");
}

access_rule checked_rule(std::int64_t course_id, const std::string& scope,
    std::optional<std::int64_t> scope_id, const std::string& rule, std::optional<std::int64_t> days)
{
    access_rule out;
    out.scope = scope;
    out.scope_id = checked_scope(course_id, scope, scope_id);
    if (std::find(rule_names.begin(), rule_names.end(), rule) == rule_names.end())
        throw invalid(
            "rule", "The rule is one of on_pass, always, on_enrolment, with_previous, after_days, manual.");
    out.rule = rule;
    if (rule == "after_days") {
        if (!days)
            throw refused(
                refusal::invalid, slug::missing_field, "The rule after_days needs a number of days.", "days");
        out.days = static_cast<int>(checked_range(*days, "days", 0, 3650));
    }
    else if (days)
        throw invalid("days", "Only the rule after_days takes days.");
    return out;
}

void refuse_environment_fields(const course_settings& wish, const course_settings& given)
{
    const auto refuse = [](const char* field, const char* variable) {
        throw refused(refusal::conflict, slug::given_by_environment,
            std::string("This course is given by the environment of web-gateway: change ") + variable +
                " there and start it again.",
            field);
    };
    if (wish.stepik_client_id && wish.stepik_client_id != given.stepik_client_id)
        refuse("stepik_client_id", "STEPIK_CLIENT_ID");
    if (wish.stepik_client_secret && wish.stepik_client_secret != given.stepik_client_secret)
        refuse("stepik_client_secret", "STEPIK_CLIENT_SECRET");
    // These two are the author's as long as the environment does not give them.
    if (wish.boomstream_api_key && given.boomstream_api_key &&
        wish.boomstream_api_key != given.boomstream_api_key)
        refuse("boomstream_api_key", "BOOMSTREAM_API_KEY");
    if (wish.default_subscription && given.default_subscription &&
        wish.default_subscription != given.default_subscription)
        refuse("default_subscription", "BOOMSTREAM_SUBSCRIPTION");
}

std::string source_of(const course_settings& wish, const std::optional<course_settings>& given)
{
    if (!given || given->id != wish.id)
        return "admin";
    refuse_environment_fields(wish, *given);
    return "environment";
}

governing_rule rule_for(const lesson& l, const std::vector<access_rule>& rules)
{
    const auto set_on = [&](std::string_view scope, auto fits) {
        return std::find_if(rules.begin(), rules.end(),
            [&](const access_rule& r) { return r.scope == scope && fits(r.scope_id); });
    };
    auto found = set_on("lesson", [&](std::int64_t id) { return id == l.id; });
    if (found == rules.end())
        found = set_on("module", [&](std::int64_t id) { return id == l.module_id; });
    if (found == rules.end())
        found = set_on("course", [](std::int64_t) { return true; });

    governing_rule out;
    // on_pass for a course or module means "each when it is passed", which can't be meant for a lesson
    // without tasks. Said of the lesson itself, it is obeyed.
    const bool said_of_lesson = found != rules.end() && found->scope == "lesson";
    const bool by_default =
        found == rules.end() || (found->rule == "on_pass" && l.gradable_steps == 0 && !said_of_lesson);
    if (by_default) {
        out.rule = l.gradable_steps == 0 ? "with_previous" : "on_pass";
        out.scope = "default";
        return out;
    }
    out.rule = found->rule;
    out.scope = found->scope;
    out.scope_id = found->scope_id;
    out.days = found->days;
    return out;
}

} // namespace coursegate::web_gateway
