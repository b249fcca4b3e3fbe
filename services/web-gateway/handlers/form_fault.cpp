#include "handlers/form_fault.hpp"

#include <nlohmann/json.hpp>

#include <array>
#include <utility>

namespace coursegate::web_gateway {
namespace {

// Our names of fields, and what stands beside them on a page.
constexpr auto labels = std::to_array<std::pair<std::string_view, std::string_view>>({
    {"email", say("E-mail")},
    {"first_name", say("First name")},
    {"last_name", say("Last name")},
    {"stepik_user_id", say("Stepik id")},
    {"boom_code", say("Boomstream code, 9 digits")},
    {"locale", say("Language")},
    {"reason", say("Why")},
    {"course", say("Course")},
    {"lesson", say("Lesson")},
    {"table", say("Table")},
});

} // namespace

std::string fault_sentence(
    const pages& p, std::string_view language, std::string_view slug, std::string_view field)
{
    std::string shown(field);
    for (const auto& [name, label] : labels)
        if (name == field)
            shown = p.text(language, label);
    const values with{{"field", shown}};
    if (slug == slug::duplicate)
        return p.text(language, say("{field}: somebody else has it already."), with);
    if (slug == slug::missing_field)
        return p.text(language, say("{field}: this is needed."), with);
    if (slug == slug::unknown_field)
        return p.text(language, say("{field}: there is no such field."), with);
    return p.text(language, say("{field}: this is not written as it should be."), with);
}

http::response not_understood(const pages& p, const refused& no, const reader& who)
{
    if (no.field().empty())
        return p.problem(400, who);
    nlohmann::json data;
    data["heading"] = p.text(who.language, say("This could not be understood"));
    data["sentence"] = fault_sentence(p, who.language, no);
    data["way_on"] = "/dashboard";
    return p.show("problem", data, who, 400);
}

} // namespace coursegate::web_gateway
