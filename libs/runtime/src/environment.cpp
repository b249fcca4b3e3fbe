#include "coursegate/runtime/environment.hpp"

#include "coursegate/log/log.hpp"

#include <fmt/format.h>

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstring>
#include <fstream>
#include <map>
#include <sstream>
#include <string_view>

namespace coursegate::runtime {

namespace {

std::vector<std::pair<std::string, std::string>> process_environment()
{
    std::vector<std::pair<std::string, std::string>> out;
    for (char** entry = ::environ; entry != nullptr && *entry != nullptr; ++entry) {
        const std::string_view text{*entry};
        const auto equals = text.find('=');
        if (equals != std::string_view::npos)
            out.emplace_back(text.substr(0, equals), text.substr(equals + 1));
    }
    return out;
}

template <class Number>
std::optional<Number> parse_number(const std::string& text)
{
    Number value{};
    const auto* const end = text.data() + text.size();
    const auto [stopped, failed] = std::from_chars(text.data(), end, value);
    if (failed != std::errc{} || stopped != end)
        return std::nullopt;
    return value;
}

// Why `text` is not an address this project can call; empty when it is one.
std::string fault_of_url(std::string_view text)
{
    for (const auto scheme : {std::string_view("http://"), std::string_view("https://")}) {
        if (!text.starts_with(scheme))
            continue;
        const auto rest = text.substr(scheme.size());
        const auto authority = rest.substr(0, rest.find('/'));
        if (std::any_of(rest.begin(), rest.end(), [](unsigned char c) { return c <= ' ' || c == 0x7f; }))
            return "contains a space or a control character";
        if (rest.find_first_of("?#") != std::string_view::npos)
            return "must not have a query or a fragment";
        if (authority.find('@') != std::string_view::npos)
            return "must not carry a user or a password";
        // An IPv6 address stands in brackets and has colons of its own.
        const auto after_host = authority.starts_with('[') ? authority.find(']') : 0;
        if (after_host == std::string_view::npos)
            return "has a host that does not end";
        const auto colon = authority.find(':', after_host);
        if (authority.empty() || colon == 0)
            return "has no host";
        if (colon != std::string_view::npos) {
            const auto port = parse_number<int>(std::string(authority.substr(colon + 1)));
            if (!port || *port < 1 || *port > 65535)
                return "has a port that is not between 1 and 65535";
        }
        return {};
    }
    return "must begin with http:// or https://";
}

} // namespace

struct environment::impl
{
    std::map<std::string, std::string> values;
    std::vector<described> asked;
    std::vector<std::string> faults;

    // An empty value counts as none: compose files pass `NAME=${NAME:-}`.
    std::optional<std::string> find(const std::string& name) const
    {
        const auto found = values.find(name);
        if (found == values.end() || found->second.empty())
            return std::nullopt;
        return found->second;
    }

    void describe(described d)
    {
        const bool known =
            std::any_of(asked.begin(), asked.end(), [&](const auto& a) { return a.name == d.name; });
        if (!known)
            asked.push_back(std::move(d));
    }

    void fault(std::string sentence)
    {
        if (std::find(faults.begin(), faults.end(), sentence) == faults.end())
            faults.push_back(std::move(sentence));
    }

    // The value, or the default's text, or a fault and nullopt.
    std::optional<std::string> take(
        const std::string& name, const std::string& meaning, const std::optional<std::string>& otherwise)
    {
        describe({name, meaning, otherwise.value_or("required"), false});
        auto value = find(name);
        if (value)
            return value;
        if (!otherwise)
            fault(name + " is missing: " + meaning);
        return otherwise;
    }
};

environment::environment() : environment(process_environment()) {}

environment::environment(std::vector<std::pair<std::string, std::string>> v) : impl_(std::make_unique<impl>())
{
    for (auto& [name, value] : v)
        impl_->values.insert_or_assign(std::move(name), std::move(value));
}

environment::~environment() = default;

std::string environment::text(
    const std::string& name, const std::string& meaning, std::optional<std::string> otherwise)
{
    return impl_->take(name, meaning, otherwise).value_or("");
}

std::int64_t environment::integer(const std::string& name, const std::string& meaning, std::int64_t least,
    std::int64_t most, std::optional<std::int64_t> otherwise)
{
    const auto text = impl_->take(
        name, meaning, otherwise ? std::optional<std::string>(std::to_string(*otherwise)) : std::nullopt);
    if (!text)
        return least;
    const auto value = parse_number<std::int64_t>(*text);
    if (value && *value >= least && *value <= most)
        return *value;
    fault(fmt::format("{} is \"{}\", but must be a whole number from {} to {}", name, *text, least, most));
    return least;
}

double environment::number(const std::string& name, const std::string& meaning, double least, double most,
    std::optional<double> otherwise)
{
    const auto text = impl_->take(
        name, meaning, otherwise ? std::optional<std::string>(fmt::format("{}", *otherwise)) : std::nullopt);
    if (!text)
        return least;
    const auto value = parse_number<double>(*text);
    if (value && std::isfinite(*value) && *value >= least && *value <= most)
        return *value;
    fault(fmt::format("{} is \"{}\", but must be a number from {} to {}", name, *text, least, most));
    return least;
}

bool environment::flag(const std::string& name, const std::string& meaning, bool otherwise)
{
    auto text = impl_->take(name, meaning, otherwise ? "true" : "false").value_or("");
    for (char& c : text)
        c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    if (text == "true" || text == "1" || text == "yes" || text == "on")
        return true;
    if (text != "false" && text != "0" && text != "no" && text != "off")
        fault(fmt::format("{} is \"{}\", but must be true or false", name, text));
    return false;
}

std::string environment::url(
    const std::string& name, const std::string& meaning, std::optional<std::string> otherwise)
{
    auto text = impl_->take(name, meaning, otherwise).value_or("");
    if (text.empty()) // missing (a fault already), or optional and left out
        return text;
    // The value is not repeated: somebody may have put a token into it.
    if (const auto wrong = fault_of_url(text); !wrong.empty())
        fault(name + " " + wrong);
    while (text.ends_with('/'))
        text.pop_back();
    return text;
}

base::secret environment::secret(const std::string& name, const std::string& meaning, bool required)
{
    impl_->describe({name, meaning, required ? "required" : "", true});
    const auto file_name = name + "_FILE";
    auto value = impl_->find(name);
    const auto file = impl_->find(file_name);
    if (value && file) {
        fault(name + " and " + file_name + " are both set: leave one out");
        log::never_print(base::secret{*value});
        return {};
    }
    if (file) {
        errno = 0;
        std::ifstream in{*file, std::ios::binary};
        std::ostringstream content;
        if (!in || !(content << in.rdbuf())) {
            const auto why = errno != 0 ? std::strerror(errno) : "the file is empty";
            fault(fmt::format("{} names {}, which can't be read: {}", file_name, *file, why));
            return {};
        }
        value = std::move(content).str();
        if (value->ends_with('\n'))
            value->pop_back();
        if (value->ends_with('\r'))
            value->pop_back();
        if (value->empty()) {
            fault(fmt::format("{} names {}, which is empty", file_name, *file));
            return {};
        }
    }
    if (!value) {
        if (required)
            fault(name + " (or " + file_name + ") is missing: " + meaning);
        return {};
    }
    base::secret out{std::move(*value)};
    log::never_print(out);
    return out;
}

void environment::fault(std::string sentence)
{
    impl_->fault(std::move(sentence));
}

void environment::finish() const
{
    if (impl_->faults.empty())
        return;
    std::string all;
    for (const auto& sentence : impl_->faults)
        all += (all.empty() ? "" : "\n") + sentence;
    throw base::bad_configuration(all);
}

const std::vector<environment::described>& environment::asked() const
{
    return impl_->asked;
}

} // namespace coursegate::runtime
