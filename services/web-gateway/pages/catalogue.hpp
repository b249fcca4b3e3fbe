// What the site says, in three languages: one GNU gettext catalogue, po/ru.po, po/uk.po and po/en.po, where
// the English text is its own key.
#pragma once

#include "pages/files.hpp"

#include <array>
#include <cstdint>
#include <locale>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace coursegate::web_gateway {

inline constexpr std::array<std::string_view, 3> languages{"ru", "uk", "en"};

// What goes into the {places} of a text.
using values = std::vector<std::pair<std::string_view, std::string>>;

// Marks a text of the catalogue where it stands in the code: a test looks for say("…") and asks all languages
// for it.
constexpr std::string_view say(std::string_view msgid)
{
    return msgid;
}

// Immutable after construction: any thread may read it.
class catalogue
{
public:
    // Throws base::bad_configuration naming the file (ru.mo) when one is missing or broken.
    explicit catalogue(const files& all);

    // The text itself, its places still open. A text that the catalogue lacks is said in English: a test
    // finds those, and a reader is better served by English than by nothing.
    std::string pattern(std::string_view language, std::string_view msgid) const;

    std::string text(std::string_view language, std::string_view msgid, const values& with = {}) const;
    // The form that `n` takes in this language; {n} is filled in.
    std::string text(std::string_view language, std::string_view one, std::string_view many, std::int64_t n,
        const values& with = {}) const;

private:
    const std::locale& in(std::string_view language) const;

    std::array<std::locale, languages.size()> in_;
};

// "1 234 567" as this language writes whole numbers.
std::string whole_number(std::int64_t n, std::string_view language);

} // namespace coursegate::web_gateway
