#include "pages/template.hpp"

#include "coursegate/base/error.hpp"

#include <kainjow/mustache.hpp>
#include <nlohmann/json.hpp>

#include <optional>

namespace coursegate::web_gateway {
namespace {

using kainjow::mustache::data;
using kainjow::mustache::mustache;

constexpr std::string_view text_begin = "{{#t}}";
constexpr std::string_view text_end = "{{/t}}";
constexpr std::string_view part_begin = "{{> ";
constexpr std::string_view title_begin = "{{! title: ";
constexpr std::string_view tag_end = "}}";

[[noreturn]] void broken(const std::string& name, const std::string& what)
{
    throw base::bad_configuration("the page " + name + " is broken: " + what);
}

// Indentation and empty lines are for those who write templates.
std::string without_indentation(std::string_view source)
{
    std::string out;
    out.reserve(source.size());
    for (std::size_t at = 0; at < source.size();) {
        const auto end = std::min(source.find('\n', at), source.size());
        auto line = source.substr(at, end - at);
        at = end + 1;
        line.remove_prefix(std::min(line.find_first_not_of(" \t\r"), line.size()));
        if (!line.empty())
            (out += line) += '\n';
    }
    return out;
}

// Calls replace(inside) for each begin…end and puts its answer there.
template <class Replace>
std::string each(const std::string& name, const std::string& source, std::string_view begin,
    std::string_view end, Replace replace)
{
    std::string out;
    std::size_t at = 0;
    for (;;) {
        const auto from = source.find(begin, at);
        if (from == source.npos)
            return out + source.substr(at);
        const auto to = source.find(end, from + begin.size());
        if (to == source.npos)
            broken(name, "\"" + std::string(begin) + "\" without \"" + std::string(end) + "\"");
        out += source.substr(at, from - at);
        out += replace(source.substr(from + begin.size(), to - from - begin.size()));
        at = to + end.size();
    }
}

std::string with_parts(const std::string& name, const files& all, std::string_view source, int depth = 0)
{
    if (depth > 8)
        broken(name, "its parts take each other in");
    return each(name, without_indentation(source), part_begin, tag_end, [&](const std::string& part) {
        const auto found = all.find(part + ".part.html");
        if (found == all.end())
            throw base::bad_configuration(
                "the part " + part + ".part.html of the page " + name + " is missing");
        return with_parts(name, all, found->second, depth + 1);
    });
}

// A text as part of a template: its {places} are variables.
std::string as_source(const std::string& text)
{
    std::string out;
    for (const char c : text)
        if (c == '{')
            out += "{{";
        else if (c == '}')
            out += "}}";
        else
            out += c;
    return out;
}

std::string one_line(std::string text)
{
    for (std::size_t at = text.find('\n'); at != text.npos; at = text.find('\n', at))
        text[at] = ' ';
    return text;
}

data data_of(const nlohmann::json& from)
{
    switch (from.type()) {
    case nlohmann::json::value_t::object: {
        data out(data::type::object);
        for (const auto& [name, value] : from.items())
            out[name] = data_of(value);
        return out;
    }
    case nlohmann::json::value_t::array: {
        kainjow::mustache::list out;
        out.reserve(from.size());
        for (const auto& value : from)
            out.push_back(data_of(value));
        return data(out);
    }
    case nlohmann::json::value_t::string: // an empty one is nothing, for sections too
        return from.get_ref<const std::string&>().empty() ? data(false)
                                                          : data(from.get_ref<const std::string&>());
    case nlohmann::json::value_t::boolean:
        return data(from.get<bool>());
    case nlohmann::json::value_t::null:
        return data(false);
    default:
        return data(from.dump());
    }
}

std::string filled(mustache& m, const nlohmann::json& with)
{
    std::string out;
    m.render(data_of(with), [&out](const std::string& piece) { out += piece; });
    return out;
}

} // namespace

struct page_template::parsed
{
    std::optional<mustache> title;
    std::optional<mustache> body;
};

page_template::page_template(
    const std::string& name, const files& all, const catalogue& texts, std::string_view language)
    : parsed_(std::make_unique<parsed>())
{
    auto source = with_parts(name, all, all.at(name));
    const auto translated = [&](const std::string& msgid) {
        return texts.pattern(language, one_line(msgid));
    };
    const auto as_html = [&](const std::string& msgid) {
        return as_source(kainjow::mustache::html_escape(translated(msgid)));
    };
    const auto parse = [&](const std::string& text) {
        mustache out(text);
        if (!out.is_valid())
            broken(name, out.error_message());
        return out;
    };
    if (source.starts_with(title_begin)) {
        const auto end = source.find(" " + std::string(tag_end));
        if (end == source.npos)
            broken(name, "the title does not end");
        auto title =
            parse(as_source(translated(source.substr(title_begin.size(), end - title_begin.size()))));
        // It goes into the layout as data, and is escaped there.
        title.set_custom_escape([](const std::string& text) { return text; });
        parsed_->title.emplace(std::move(title));
        source.erase(0, end + 1 + tag_end.size());
    }
    parsed_->body.emplace(parse(each(name, source, text_begin, text_end, as_html)));
}

page_template::~page_template() = default;

std::string page_template::fill(const nlohmann::json& with) const
{
    return filled(*parsed_->body, with);
}

std::string page_template::title(const nlohmann::json& with) const
{
    return parsed_->title ? filled(*parsed_->title, with) : std::string();
}

std::vector<std::string> texts_of_template(std::string_view source)
{
    std::vector<std::string> out;
    const auto plain = without_indentation(source);
    if (plain.starts_with(title_begin)) {
        const auto title = plain.substr(title_begin.size(), plain.find(" }}") - title_begin.size());
        if (title.front() != '{' || title.find('}') + 1 != title.size()) // else it is all data
            out.push_back(title);
    }
    const auto note = [&](const std::string& msgid) {
        out.push_back(one_line(msgid));
        return std::string();
    };
    each("", plain, text_begin, text_end, note);
    return out;
}

} // namespace coursegate::web_gateway
