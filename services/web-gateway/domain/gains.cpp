#include "domain/gains.hpp"

#include "domain/rules.hpp"

namespace coursegate::web_gateway {
namespace {

// `before`: whether the lesson before it is open; nothing for the first one of the course.
bool opens(
    const ruled_lesson& l, const course_standing& who, std::optional<bool> before, base::time_point now)
{
    const auto& rule = l.rule.rule;
    if (rule == "always")
        return true;
    if (rule == "manual")
        return false;
    const bool passed = who.passed.contains(l.id);
    const bool comes_with_previous = before.value_or(who.joined_at.has_value());
    if (rule == "with_previous")
        // By default a lesson without tasks counts as passed should Stepik ever say so.
        return (l.rule.scope == "default" && passed && who.linked) ||
               (comes_with_previous && (before.has_value() || who.linked));
    if (!who.linked)
        return false;
    if (rule == "on_pass")
        return passed;
    if (!who.joined_at)
        return false;
    if (rule == "on_enrolment")
        return true;
    return *who.joined_at + std::chrono::hours(24) * l.rule.days.value_or(0) <= now; // after_days
}

} // namespace

std::vector<ruled_lesson> ruled(const std::vector<lesson>& structure, const std::vector<access_rule>& rules)
{
    std::vector<ruled_lesson> out;
    for (const auto& l : structure)
        if (!l.vanished)
            out.push_back({l.id, rule_for(l, rules)});
    return out;
}

std::set<std::int64_t> opened(
    const std::vector<ruled_lesson>& lessons, const course_standing& who, base::time_point now)
{
    std::set<std::int64_t> out;
    std::optional<bool> before;
    for (const auto& l : lessons) {
        const bool open =
            !who.closed.contains(l.id) && (who.held.contains(l.id) || opens(l, who, before, now));
        if (open)
            out.insert(l.id);
        before = open;
    }
    return out;
}

std::vector<access_rule> with_rule(std::vector<access_rule> rules, const std::string& scope,
    std::int64_t scope_id, const std::optional<access_rule>& rule)
{
    std::erase_if(rules, [&](const access_rule& r) { return r.scope == scope && r.scope_id == scope_id; });
    if (rule)
        rules.push_back(*rule);
    return rules;
}

} // namespace coursegate::web_gateway
