#include "domain/form.hpp"

#include "domain/input.hpp"
#include "domain/refused.hpp"

#include <algorithm>
#include <limits>

namespace coursegate::web_gateway {
namespace {

int digit_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

refused broken(const char* what)
{
    return invalid({}, std::string("This is not a form as browsers send it: ") + what + ".");
}

// The name comes from outside and goes into an answer.
std::string shown(const std::string& name)
{
    return length_of(name) <= 100 ? name : std::string("?");
}

} // namespace

std::string decoded_form_text(std::string_view part)
{
    std::string out;
    for (std::size_t i = 0; i < part.size(); ++i) {
        if (part[i] == '+') {
            out += ' ';
            continue;
        }
        if (part[i] != '%') {
            out += part[i];
            continue;
        }
        const int high = i + 2 < part.size() ? digit_of(part[i + 1]) : -1;
        const int low = i + 2 < part.size() ? digit_of(part[i + 2]) : -1;
        if (high < 0 || low < 0)
            throw broken("an escape is cut or no escape");
        out += static_cast<char>(high * 16 + low);
        i += 2;
    }
    // PostgreSQL holds neither.
    if (!is_utf8(out) || out.find('\0') != out.npos)
        throw broken("a field is not UTF-8 text");
    return out;
}

bool is_form_type(std::string_view content_type)
{
    std::string plain;
    for (const char c : content_type)
        if (c != ' ' && c != '\t' && c != '"')
            plain += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    constexpr std::string_view type = "application/x-www-form-urlencoded";
    return plain == type || plain == std::string(type) + ";charset=utf-8";
}

form form::parse(std::string_view body, const limits& most)
{
    if (body.size() > most.bytes)
        throw broken("it is too long");
    form out;
    while (!body.empty()) {
        const auto end = body.find('&');
        const auto pair = body.substr(0, end);
        body = end == body.npos ? std::string_view{} : body.substr(end + 1);
        if (pair.empty())
            continue;
        const auto equals = pair.find('=');
        const auto name = decoded_form_text(pair.substr(0, equals));
        const auto value = equals == pair.npos ? std::string() : decoded_form_text(pair.substr(equals + 1));
        if (!out.fields_.emplace(name, value).second)
            throw invalid(shown(name), "This field is there twice.");
        if (out.fields_.size() > most.fields)
            throw broken("it has too many fields");
    }
    return out;
}

const std::string& form::text(const char* name)
{
    asked_.insert(name);
    const auto found = fields_.find(name);
    if (found == fields_.end())
        throw refused(refusal::invalid, slug::missing_field, "This is required.", name);
    return found->second;
}

std::string form::text_or(const char* name, std::string otherwise)
{
    asked_.insert(name);
    const auto found = fields_.find(name);
    return found == fields_.end() ? otherwise : found->second;
}

std::int64_t form::id(const char* name)
{
    return checked_number(text(name), name, 1, std::numeric_limits<std::int64_t>::max());
}

std::vector<std::string> form::ticked(const std::string& prefix)
{
    std::vector<std::string> out;
    for (const auto& [name, value] : fields_)
        if (name.starts_with(prefix)) {
            if (value != "on")
                throw invalid(shown(name), "A ticked box says on.");
            asked_.insert(name);
            out.push_back(name.substr(prefix.size()));
        }
    return out;
}

void form::finish() const
{
    for (const auto& [name, value] : fields_)
        if (asked_.count(name) == 0)
            throw refused(refusal::invalid, slug::unknown_field, "There is no such field.", shown(name));
}

} // namespace coursegate::web_gateway
