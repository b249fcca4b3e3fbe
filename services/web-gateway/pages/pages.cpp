#include "pages/pages.hpp"

#include "domain/texts.hpp"
#include "pages/template.hpp"

#include "coursegate/base/encoding.hpp"
#include "coursegate/base/error.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <stdexcept>

namespace coursegate::web_gateway {
namespace {

// What the uses show. One that is missing is found at start and not by the first reader.
constexpr std::array known_pages = std::to_array<std::string_view>(
    {"home", "login", "dashboard", "lesson", "which_course", "profile", "farewell", "problem", "layout"});

constexpr std::string_view page_ending = ".html";
constexpr std::string_view part_ending = ".part.html";

std::string_view type_of_asset(std::string_view name)
{
    if (name.ends_with(".css"))
        return "text/css; charset=utf-8";
    if (name.ends_with(".js"))
        return "text/javascript; charset=utf-8";
    if (name.ends_with(".svg"))
        return "image/svg+xml";
    return {};
}

// Its own word for itself, which needs no translation.
constexpr std::array<std::pair<std::string_view, std::string_view>, 3> language_names{
    {{"ru", "Русский"}, {"uk", "Українська"}, {"en", "English"}}};

std::optional<std::string> cookie(const http::request& request, std::string_view name)
{
    const auto header = request.headers.get("Cookie");
    if (!header)
        return std::nullopt;
    for (std::string_view rest = *header; !rest.empty();) {
        const auto end = std::min(rest.find(';'), rest.size());
        auto one = rest.substr(0, end);
        rest.remove_prefix(std::min(end + 1, rest.size()));
        one.remove_prefix(std::min(one.find_first_not_of(' '), one.size()));
        if (one.size() > name.size() && one.starts_with(name) && one[name.size()] == '=')
            return std::string(one.substr(name.size() + 1));
    }
    return std::nullopt;
}

struct problem_words
{
    std::string_view title;
    std::string_view sentence;
};

problem_words words_of(int status)
{
    switch (status) {
    case 400:
    case 422:
        return {say("This could not be understood"), say("Something in what was sent is missing or not as it "
                                                         "should be. Go back, check it and try again.")};
    case 403:
        return {say("This is not allowed"), say("The page you came from is too old, or this is not yours to "
                                                "do. Go back, reload the page and try again.")};
    case 404:
        return {say("There is nothing here"), say("The address may be mistyped, or what was here is gone.")};
    case 405:
        return {say("This can't be done here"), say("Go back to the start page and try from there.")};
    case 429:
        return {say("Too many requests"), say("Please wait a little before you try again.")};
    case 503:
        return {
            say("Not available right now"), say("We are working on it. Please try again in a few seconds.")};
    default:
        return {say("Something went wrong on our side"),
            say("It has been noted. Please try again a little later.")};
    }
}

} // namespace

reader reader_of(const http::request& request)
{
    reader out;
    if (const auto chosen = cookie(request, "lang");
        chosen && std::find(languages.begin(), languages.end(), *chosen) != languages.end())
        out.language = *chosen;
    else if (const auto accepted = preferred_language(request.headers.get("Accept-Language").value_or("")))
        out.language = *accepted;
    return out;
}

// Every page and part in every language.
struct pages::templates
{
    std::map<std::string, std::unique_ptr<page_template>, std::less<>> all; // "ru/home.html"

    const page_template& find(std::string_view language, std::string_view file) const
    {
        const auto known = std::find(languages.begin(), languages.end(), language) != languages.end();
        const auto found = all.find(std::string(known ? language : "ru") + "/" + std::string(file));
        if (found == all.end())
            throw std::logic_error("there is no page " + std::string(file));
        return *found->second;
    }
};

pages::pages(const files& all) : texts_(all), templates_(std::make_unique<templates>())
{
    for (const auto page : known_pages)
        if (!all.contains(std::string(page) + std::string(page_ending)))
            throw base::bad_configuration("the page " + std::string(page) + ".html is missing");
    for (const auto& [name, content] : all)
        if (name.ends_with(page_ending))
            for (const auto language : languages)
                templates_->all.emplace(std::string(language) + "/" + name,
                    std::make_unique<page_template>(name, all, texts_, language));
        else if (!type_of_asset(name).empty()) {
            const auto hashed = base::to_hex(base::sha256(content)).substr(0, 16) + "." + name;
            asset_paths_.emplace(name, "/assets/" + hashed);
            asset_content_.emplace(hashed, content);
        }
}

pages::~pages() = default;

http::response pages::show(
    std::string_view page, const nlohmann::json& data, const reader& who, int status) const
{
    const auto file = std::string(page) + std::string(page_ending);
    const auto& inside = templates_->find(who.language, file);

    nlohmann::json all = data.is_object() ? data : nlohmann::json::object();
    all["lang"] = who.language;
    all["csrf"] = who.csrf;
    all["signed_in"] = who.name.has_value();
    all["name"] = who.name.value_or("");
    all["is_staff"] = who.is_staff;
    for (const auto& [name, path] : asset_paths_) {
        auto key = name;
        std::replace(key.begin(), key.end(), '.', '_');
        all["asset"][key] = path;
    }
    all["title"] = inside.title(all);
    all["content"] = inside.fill(all);
    if (!all.contains("here"))
        all["here"] = "/";
    all["languages"] = nlohmann::json::array();
    for (const auto& [code, name] : language_names) {
        nlohmann::json one;
        one["code"] = code;
        one["name"] = name;
        one["chosen"] = code == who.language;
        all["languages"].push_back(std::move(one));
    }

    auto out = http::response::html(status, templates_->find(who.language, "layout.html").fill(all));
    out.headers.set("Content-Language", who.language);
    if (who.name)
        out.headers.set("Cache-Control", "no-store");
    else {
        out.headers.set("Cache-Control", "no-cache");
        out.headers.set("Vary", "Accept-Language, Cookie");
    }
    return out;
}

std::string pages::part(std::string_view part, const nlohmann::json& data, const reader& who) const
{
    auto all = data;
    all["csrf"] = who.csrf;
    return templates_->find(who.language, std::string(part) + std::string(part_ending)).fill(all);
}

http::response pages::problem(int status, const reader& who) const
{
    const auto words = words_of(status);
    nlohmann::json data;
    data["heading"] = text(who.language, words.title);
    data["sentence"] = text(who.language, words.sentence);
    data["way_on"] = who.name ? "/dashboard" : "/";
    return show("problem", data, who, status);
}

const std::string& pages::asset(std::string_view name) const
{
    const auto found = asset_paths_.find(name);
    if (found == asset_paths_.end())
        throw std::logic_error("there is no asset " + std::string(name));
    return found->second;
}

std::optional<http::response> pages::find_asset(const std::string& hashed_name) const
{
    const auto found = asset_content_.find(hashed_name);
    if (found == asset_content_.end())
        return std::nullopt;
    auto out =
        http::response::text(200, std::string(found->second), std::string(type_of_asset(found->first)));
    out.headers.set("Cache-Control", "public, max-age=31536000, immutable");
    return out;
}

} // namespace coursegate::web_gateway
