// Is everything the site says there in three languages, and said in the right form?
#include "pages/catalogue.hpp"

#include "pages/template.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <regex>
#include <set>

using namespace coursegate::web_gateway;

namespace {

const std::filesystem::path home = "services/web-gateway";

std::string content(const std::filesystem::path& file)
{
    std::ifstream in(file, std::ios::binary);
    REQUIRE(in);
    return {std::istreambuf_iterator<char>(in), {}};
}

std::string unquoted(const std::string& literals)
{
    static const std::regex one("\"((?:[^\"\\\\]|\\\\.)*)\"");
    static const std::regex escaped("\\\\(.)");
    std::string out;
    for (std::sregex_iterator at(literals.begin(), literals.end(), one), end; at != end; ++at)
        out += std::regex_replace((*at)[1].str(), escaped, "$1");
    return out;
}

struct entry
{
    std::string plural; // msgid_plural, or empty
    std::vector<std::string> forms;
};

// One .po file, as msgfmt has already found it well-formed.
std::map<std::string, entry> entries(std::string_view language)
{
    std::map<std::string, entry> out;
    std::string id;
    entry now;
    std::string* open = nullptr;
    std::ifstream in(home / "po" / (std::string(language) + ".po"));
    REQUIRE(in);
    for (std::string line; std::getline(in, line);) {
        if (line.starts_with("msgid \"")) {
            if (!now.forms.empty())
                out.emplace(id, now);
            now = {};
            id.clear();
            open = &id;
        }
        else if (line.starts_with("msgid_plural \""))
            open = &now.plural;
        else if (line.starts_with("msgstr")) {
            now.forms.emplace_back();
            open = &now.forms.back();
        }
        else if (!line.starts_with("\""))
            continue;
        *open += unquoted(line.substr(line.find('"')));
    }
    out.emplace(id, now);
    out.erase(""); // the header
    return out;
}

// Every text that templates and code use.
std::set<std::string> used()
{
    std::set<std::string> out;
    for (const auto& file : std::filesystem::directory_iterator(home / "pages/templates"))
        for (const auto& text : texts_of_template(content(file.path())))
            out.insert(text);
    static const std::regex said("\\bsay\\(\\s*((?:\"(?:[^\"\\\\]|\\\\.)*\"\\s*)+)\\)");
    for (const auto* folder : {"pages", "handlers", "domain"})
        for (const auto& file : std::filesystem::directory_iterator(home / folder)) {
            if (file.path().extension() != ".cpp")
                continue;
            const auto source = content(file.path());
            for (std::sregex_iterator at(source.begin(), source.end(), said), end; at != end; ++at)
                out.insert(unquoted((*at)[1].str()));
        }
    return out;
}

std::set<std::string> places(const std::string& text)
{
    static const std::regex place("\\{[a-z_]+\\}");
    return {std::sregex_token_iterator(text.begin(), text.end(), place), std::sregex_token_iterator()};
}

const catalogue& texts()
{
    static const catalogue one(built_in_files());
    return one;
}

} // namespace

TEST_CASE("every text of templates and code is there in every language, and none is left over")
{
    const auto wanted = used();
    REQUIRE(wanted.size() > 40);
    for (const auto language : languages) {
        std::set<std::string> there;
        for (const auto& [id, e] : entries(language)) {
            there.insert(id);
            if (!e.plural.empty())
                there.insert(e.plural);
        }
        std::vector<std::string> missing;
        std::set_difference(
            wanted.begin(), wanted.end(), there.begin(), there.end(), std::back_inserter(missing));
        std::vector<std::string> unused;
        std::set_difference(
            there.begin(), there.end(), wanted.begin(), wanted.end(), std::back_inserter(unused));
        INFO(language);
        CHECK(missing == std::vector<std::string>());
        CHECK(unused == std::vector<std::string>());
    }
}

TEST_CASE("every text is translated, in all its forms and with all its places")
{
    for (const auto language : languages)
        for (const auto& [id, e] : entries(language)) {
            INFO(language << ": " << id);
            CHECK(e.forms.size() == (e.plural.empty() ? 1U : language == "en" ? 2U : 3U));
            for (const auto& form : e.forms) {
                CHECK_FALSE(form.empty());
                CHECK(places(form) == places(id));
            }
        }
}

TEST_CASE("one, two, five, eleven and twenty-one take the form the language gives them")
{
    const auto ago = [](std::string_view language, int n) {
        return texts().text(language, "{n} minute ago", "{n} minutes ago", n);
    };
    CHECK(ago("ru", 1) == "1 минуту назад");
    CHECK(ago("ru", 2) == "2 минуты назад");
    CHECK(ago("ru", 5) == "5 минут назад");
    CHECK(ago("ru", 11) == "11 минут назад");
    CHECK(ago("ru", 21) == "21 минуту назад");
    CHECK(ago("ru", 112) == "112 минут назад");
    CHECK(ago("uk", 1) == "1 хвилину тому");
    CHECK(ago("uk", 2) == "2 хвилини тому");
    CHECK(ago("uk", 5) == "5 хвилин тому");
    CHECK(ago("uk", 11) == "11 хвилин тому");
    CHECK(ago("uk", 21) == "21 хвилину тому");
    CHECK(ago("en", 1) == "1 minute ago");
    CHECK(ago("en", 2) == "2 minutes ago");
    CHECK(ago("en", 11) == "11 minutes ago");
    CHECK(ago("en", 21) == "21 minutes ago");
    CHECK(ago("en", 0) == "0 minutes ago");
}

TEST_CASE("numbers are grouped as the language does")
{
    CHECK(whole_number(999, "en") == "999");
    CHECK(whole_number(1000, "en") == "1,000");
    CHECK(whole_number(1234567, "en") == "1,234,567");
    CHECK(whole_number(-1234, "en") == "-1,234");
    CHECK(whole_number(1000, "ru") == "1000");
    CHECK(whole_number(10000, "ru") == "10\u00a0000");
    CHECK(whole_number(1234567, "uk") == "1\u00a0234\u00a0567");
    CHECK(whole_number(0, "ru") == "0");
}

TEST_CASE("a text that no catalogue has is said as it is, with its places filled")
{
    CHECK(texts().text("ru", "nobody translated {what}", {{"what", "this"}}) == "nobody translated this");
    CHECK(
        texts().text("en", "{date} at {time}", {{"date", "{time}"}, {"time", "14:03"}}) == "{time} at 14:03");
    CHECK(texts().text("en", "open { brace") == "open { brace");
}
