#include "pages/catalogue.hpp"

#include "coursegate/base/error.hpp"

#include <boost/locale/gnu_gettext.hpp>

#include <algorithm>
#include <exception>

namespace coursegate::web_gateway {
namespace {

namespace gettext = boost::locale::gnu_gettext;
using messages = boost::locale::message_format<char>;

// An own std::locale per language. The process's locale stays "C": it belongs to everybody.
std::locale open(std::string_view language, const files& all)
{
    const auto name = std::string(language) + ".mo";
    const auto file = all.find(name);
    if (file == all.end())
        throw base::bad_configuration("the texts " + name + " are missing");
    gettext::messages_info info;
    info.language = language;
    info.encoding = "UTF-8";
    info.domains.emplace_back("pages");
    info.paths.emplace_back("."); // one path is asked for, and answered from memory
    info.callback = [bytes = file->second](const std::string&, const std::string&) {
        return std::vector<char>(bytes.begin(), bytes.end());
    };
    try {
        std::locale out(std::locale::classic(), gettext::create_messages_facet<char>(info));
        // A file that is no catalogue is passed over in silence; one of ours begins with its header.
        if (std::use_facet<messages>(out).get(0, nullptr, "") == nullptr)
            throw base::bad_configuration("the texts " + name + " can't be read");
        return out;
    }
    catch (const base::bad_configuration&) {
        throw;
    }
    catch (const std::exception& e) {
        throw base::bad_configuration("the texts " + name + " can't be read: " + e.what());
    }
}

std::string fill(std::string_view pattern, const values& with)
{
    std::string out;
    out.reserve(pattern.size() + 32);
    for (std::size_t at = 0; at < pattern.size();) {
        const auto open = std::min(pattern.find('{', at), pattern.size());
        out += pattern.substr(at, open - at);
        if (open == pattern.size())
            break;
        const auto end = pattern.find('}', open);
        if (end == pattern.npos)
            return out += pattern.substr(open);
        const auto name = pattern.substr(open + 1, end - open - 1);
        const auto value =
            std::find_if(with.begin(), with.end(), [&](const auto& v) { return v.first == name; });
        if (value != with.end())
            out += value->second;
        at = end + 1;
    }
    return out;
}

} // namespace

catalogue::catalogue(const files& all)
{
    std::transform(languages.begin(), languages.end(), in_.begin(),
        [&](std::string_view language) { return open(language, all); });
}

const std::locale& catalogue::in(std::string_view language) const
{
    const auto found = std::find(languages.begin(), languages.end(), language);
    return in_[found == languages.end() ? 0 : static_cast<std::size_t>(found - languages.begin())];
}

std::string catalogue::pattern(std::string_view language, std::string_view msgid) const
{
    const std::string id(msgid);
    const auto* found = std::use_facet<messages>(in(language)).get(0, nullptr, id.c_str());
    return found != nullptr ? found : id;
}

std::string catalogue::text(std::string_view language, std::string_view msgid, const values& with) const
{
    return fill(pattern(language, msgid), with);
}

std::string catalogue::text(std::string_view language, std::string_view one, std::string_view many,
    std::int64_t n, const values& with) const
{
    const std::string id(one);
    // The facet counts in int; what is larger takes the form of its last digits.
    const auto count = static_cast<int>(n % 1'000'000);
    const auto* found = std::use_facet<messages>(in(language)).get(0, nullptr, id.c_str(), count);
    auto all = with;
    all.emplace_back("n", whole_number(n, language));
    return fill(found != nullptr ? std::string_view(found) : n == 1 ? one : many, all);
}

std::string whole_number(std::int64_t n, std::string_view language)
{
    auto digits = std::to_string(n);
    const std::size_t first = n < 0 ? 1 : 0;
    const auto count = digits.size() - first;
    const bool english = language == "en";
    // Russian and Ukrainian leave four digits together.
    if (count <= (english ? 3U : 4U))
        return digits;
    for (auto at = digits.size() - 3; at > first && at < digits.size(); at -= 3)
        digits.insert(at, english ? "," : "\u00a0");
    return digits;
}

} // namespace coursegate::web_gateway
