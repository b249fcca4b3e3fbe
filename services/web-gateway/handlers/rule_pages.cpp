#include "handlers/rule_pages.hpp"

#include "domain/form.hpp"
#include "domain/gains.hpp"
#include "domain/input.hpp"
#include "domain/refused.hpp"
#include "domain/rules.hpp"
#include "handlers/course_pages.hpp"
#include "handlers/reading.hpp"
#include "handlers/staff.hpp"
#include "storage/catalog.hpp"
#include "storage/gains.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <charconv>

namespace coursegate::web_gateway {
namespace {

constexpr std::string_view section = "/admin/courses";
constexpr std::size_t most_named = 200;

std::string address_of(std::int64_t course_id)
{
    return std::string(section) + "/" + std::to_string(course_id) + "/rules";
}

// A rule as the form has it: where, and which one; nothing: the one of what stands above it.
struct typed_rule
{
    std::string place; // "course", "module:50", "lesson:501"
    std::string scope;
    std::int64_t scope_id = 0;
    std::string name; // "default", or of domain/course.hpp
    std::string days;
    std::string reason;
    std::optional<access_rule> rule{};
};

typed_rule read_rule(form& f, std::int64_t course_id)
{
    typed_rule out;
    out.place = f.text("place");
    out.name = f.text("rule");
    out.days = f.text("days");
    out.reason = checked_line(f.text_or("reason", ""), "reason", 500);
    const auto colon = out.place.find(':');
    out.scope = out.place.substr(0, colon);
    std::optional<std::int64_t> id;
    if (colon != out.place.npos)
        id =
            checked_number(out.place.substr(colon + 1), "place", 1, std::numeric_limits<std::int64_t>::max());
    out.scope_id = checked_scope(course_id, out.scope, id);
    if (out.name == "default")
        return out;
    std::optional<std::int64_t> days;
    if (out.name == "after_days") // the field is there for every rule; only this one takes it
        days = checked_number(out.days, "days", 0, 3650);
    out.rule = checked_rule(course_id, out.scope, id, out.name, days);
    return out;
}

struct rules_view
{
    web_gateway::course course;
    media_world world;
    std::vector<access_rule> rules;
};

rules_view read_view(db::transaction& tx, std::int64_t course_id)
{
    rules_view out;
    out.course = course_named(tx, course_id, "course");
    out.world = read_media_world(tx, out.course);
    out.rules = rules_of(tx, course_id);
    return out;
}

std::string title_of(const media_world& world, std::int64_t lesson_id)
{
    const auto found = std::find_if(
        world.structure.begin(), world.structure.end(), [&](const lesson& l) { return l.id == lesson_id; });
    return found == world.structure.end() || found->title.empty() ? std::to_string(lesson_id) : found->title;
}

std::string place_in_words(
    const page_words& words, const rules_view& v, const std::string& scope, std::int64_t id)
{
    if (scope == "course")
        return words.text(say("the whole course"));
    if (scope == "lesson")
        return title_of(v.world, id);
    const auto found = std::find_if(v.world.structure.begin(), v.world.structure.end(),
        [&](const lesson& l) { return l.module_id == id; });
    return words.text(say("module {title}"),
        {{"title", found == v.world.structure.end() ? std::to_string(id) : found->module_title}});
}

nlohmann::json choice(const std::string& value, const std::string& name, bool is_chosen)
{
    nlohmann::json out;
    out["value"] = value;
    out["name"] = name;
    out["chosen"] = is_chosen;
    return out;
}

nlohmann::json places(const page_words& words, const rules_view& v, const std::string& chosen)
{
    auto out = nlohmann::json::array();
    out.push_back(choice("course", words.text(say("the whole course")), chosen == "course"));
    std::int64_t module = 0;
    for (const auto& l : v.world.structure) {
        if (l.vanished)
            continue;
        if (l.module_id != module) {
            module = l.module_id;
            const auto value = "module:" + std::to_string(module);
            out.push_back(choice(value, place_in_words(words, v, "module", module), chosen == value));
        }
        const auto value = "lesson:" + std::to_string(l.id);
        out.push_back(choice(value, "– " + title_of(v.world, l.id), chosen == value));
    }
    return out;
}

void add_form(nlohmann::json& data, const page_words& words, const rules_view& v, const typed_rule& typed)
{
    data["places"] = places(words, v, typed.place);
    data["rules"] = nlohmann::json::array();
    data["rules"].push_back(
        choice("default", words.text(say("no rule of its own")), typed.name == "default"));
    for (const auto name : rule_names) {
        const std::string value(name);
        data["rules"].push_back(choice(value,
            value == "after_days" ? words.text(say("some days after joining"))
                                  : words_of_rule(words, value, std::nullopt),
            typed.name == value));
    }
    data["days"] = typed.days;
    data["reason"] = typed.reason;
}

http::response show_rules(gateway& g, const visitor& who, const rules_view& v, const typed_rule& typed,
    const std::string& wrong, const std::string& done, int status)
{
    const page_words words(g, who);
    const bool may_change = rights_of(who).changes(v.course.id);
    auto data = course_head(v.course, "rules", may_change);
    data["rules_path"] = address_of(v.course.id);
    data["wrong"] = wrong;
    data["done"] = done;
    data["set"] = nlohmann::json::array();
    for (const auto& r : v.rules) {
        nlohmann::json one;
        one["where"] = place_in_words(words, v, r.scope, r.scope_id);
        one["rule"] = words_of_rule(words, r.rule, r.days);
        data["set"].push_back(std::move(one));
    }
    data["none_set"] = v.rules.empty();
    add_form(data, words, v, typed);
    return show_admin(g, who, section, "course_rules", std::move(data), status);
}

http::response show_gains(
    gateway& g, const visitor& who, const rules_view& v, const typed_rule& typed, const rule_gains& gains)
{
    const page_words words(g, who);
    auto data = course_head(v.course, "rules", true);
    data["rules_path"] = address_of(v.course.id);
    data["place"] = typed.place;
    data["rule"] = typed.name;
    data["days"] = typed.days;
    data["reason"] = typed.reason;
    const auto what = typed.rule ? words_of_rule(words, typed.rule->rule, typed.rule->days)
                                 : words.text(say("no rule of its own"));
    data["change"] = words.text(say("{where}: {rule}"),
        {{"where", place_in_words(words, v, typed.scope, typed.scope_id)}, {"rule", what}});
    data["nobody"] = gains.people_count == 0;
    data["total"] = words.plural(say("{n} person would gain something at once."),
        say("{n} people would gain something at once."), gains.people_count);
    if (gains.outsiders > 0)
        data["outsiders"] = words.plural(say("{n} of them is not enrolled in this course."),
            say("{n} of them are not enrolled in this course."), gains.outsiders);
    data["lessons"] = nlohmann::json::array();
    for (const auto& l : v.world.structure)
        if (const auto n = gains.per_lesson.find(l.id); n != gains.per_lesson.end()) {
            nlohmann::json one;
            one["lesson_title"] = title_of(v.world, l.id);
            one["people"] = words.plural(say("{n} person"), say("{n} people"), n->second);
            data["lessons"].push_back(std::move(one));
        }
    data["people"] = nlohmann::json::array();
    for (const auto& p : gains.people) {
        nlohmann::json one;
        one["email"] = p.email;
        one["student"] = p.name;
        std::string lessons;
        for (const auto id : p.lessons)
            lessons += (lessons.empty() ? "" : ", ") + title_of(v.world, id);
        one["gained"] = lessons;
        data["people"].push_back(std::move(one));
    }
    data["more"] = gains.people.size() == most_named;
    return show_admin(g, who, section, "rule_gains", std::move(data));
}

std::string_view sentence_of(const refused& no)
{
    if (no.field() == "days")
        return say("Type the number of days, from 0 to 3650.");
    if (no.slug() == slug::rule_not_found)
        return say("There is no rule of its own to take away.");
    if (no.slug() == slug::structure_unknown)
        return say("The lessons of this course have not been read from Stepik yet. Try again in a minute.");
    return say("There is no such module or lesson in the course.");
}

} // namespace

std::string words_of_rule(const page_words& words, const std::string& rule, const std::optional<int>& days)
{
    if (rule == "on_pass")
        return words.text(say("when it is passed"));
    if (rule == "always")
        return words.text(say("open to everybody with an account"));
    if (rule == "on_enrolment")
        return words.text(say("open to everybody enrolled"));
    if (rule == "with_previous")
        return words.text(say("with the lesson before it"));
    if (rule == "manual")
        return words.text(say("by hand only"));
    return words.plural(say("{n} day after joining"), say("{n} days after joining"), days.value_or(0));
}

async::task<http::response> rules_page(gateway& g, http::request& request, const visitor& who)
{
    const auto id = path_id(request, "course_id");
    must_see(who, id);
    auto body = [&](db::transaction& tx) { return read_view(tx, id); };
    const auto v = co_await g.db.snapshot(body);
    typed_rule nothing;
    nothing.place = "course";
    nothing.name = "on_pass";
    const std::string none;
    const auto done =
        request.query.get("done") ? page_words(g, who).text(say("The rule is saved.")) : std::string();
    co_return show_rules(g, who, v, nothing, none, done, 200);
}

// Looking only reads. Saving is one transaction: a crash before COMMIT changes nothing, after it the rule is
// there and its event in the outbox.
async::task<http::response> rule_form(gateway& g, http::request& request, const visitor& who)
{
    const auto id = path_id(request, "course_id");
    must_change(who, id);
    auto f = form::parse(request.body);
    f.text("csrf");
    const bool saves = f.text("step") == "save";
    typed_rule typed;
    typed.place = f.text("place");
    typed.name = f.text("rule");
    typed.days = f.text("days");
    std::optional<refused> wrong;
    try {
        typed = read_rule(f, id);
    }
    catch (const refused& no) {
        wrong = no;
    }
    f.text_or("reason", "");
    f.finish();
    auto look = [&](db::transaction& tx) { return read_view(tx, id); };
    if (!wrong && !saves) {
        const bool names_everybody = rights_of(who).sees_all;
        rules_view v;
        rule_gains gains;
        auto body = [&](db::transaction& tx) {
            v = read_view(tx, id);
            const auto after = with_rule(v.rules, typed.scope, typed.scope_id, typed.rule);
            gains = who_would_gain(tx, v.course, v.world, v.rules, after, names_everybody, most_named);
        };
        co_await g.db.snapshot(body);
        co_return show_gains(g, who, v, typed, gains);
    }
    if (!wrong) {
        auto by = who.acting(request);
        if (!typed.reason.empty())
            by.why = typed.reason;
        auto body = [&](db::transaction& tx) {
            const auto c = course_named(tx, id, "course");
            if (typed.rule)
                put_rule(tx, by, c, *typed.rule);
            else
                remove_rule(tx, by, c, typed.scope, typed.scope_id);
        };
        try {
            co_await g.db.transact(body);
        }
        catch (const refused& no) {
            wrong = no;
        }
    }
    if (!wrong)
        co_return http::response::redirect(address_of(id) + "?done=saved");
    const auto v = co_await g.db.snapshot(look);
    const auto sentence = page_words(g, who).text(sentence_of(*wrong));
    const std::string none;
    co_return show_rules(g, who, v, typed, sentence, none, 422);
}

} // namespace coursegate::web_gateway
