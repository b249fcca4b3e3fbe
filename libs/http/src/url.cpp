#include "url.hpp"

#include "text.hpp"

#include "coursegate/http/client.hpp"

#include <algorithm>
#include <charconv>

namespace coursegate::http {

namespace {

base::error bad(std::string why)
{
    return base::fail(errc::bad_url, "bad address: " + why);
}

} // namespace

std::string url::authority() const
{
    const auto name = host.find(':') == std::string::npos ? host : "[" + host + "]";
    return is_default_port() ? name : name + ":" + port;
}

std::string url::origin() const
{
    return std::string(scheme()) + "://" + host + ":" + port;
}

base::result<url> parse_url(std::string_view text)
{
    // The address itself is not repeated in the detail: its query may hold a key.
    if (!std::all_of(text.begin(), text.end(), [](unsigned char c) { return c > 32 && c < 127; }))
        return bad("a character that must be percent-encoded");
    url out;
    const auto colon = text.find("://");
    const auto scheme = text.substr(0, colon);
    if (colon == std::string_view::npos ||
        !(equal_without_case(scheme, "http") || equal_without_case(scheme, "https")))
        return bad("not http:// or https://");
    out.is_tls = scheme.size() == 5;
    text.remove_prefix(colon + 3);
    text = text.substr(0, text.find('#'));

    const auto end = text.find_first_of("/?");
    auto authority = text.substr(0, end);
    const auto target = end == std::string_view::npos ? std::string_view{} : text.substr(end);
    out.target = target.empty() || target.front() != '/' ? "/" + std::string(target) : std::string(target);

    if (authority.find('@') != std::string_view::npos)
        return bad("a user name in it");
    std::string_view port;
    if (!authority.empty() && authority.front() == '[') {
        const auto close = authority.find(']');
        if (close == std::string_view::npos)
            return bad("an open bracket");
        out.host = authority.substr(1, close - 1);
        authority.remove_prefix(close + 1);
        if (!authority.empty() && authority.front() != ':')
            return bad("no port after the bracket");
        port = authority.empty() ? authority : authority.substr(1);
    }
    else {
        const auto separator = authority.find(':');
        out.host = authority.substr(0, separator);
        if (separator != std::string_view::npos)
            port = authority.substr(separator + 1);
    }
    if (out.host.empty() || out.host.size() > 253 ||
        !std::all_of(out.host.begin(), out.host.end(),
            [](unsigned char c) { return std::isalnum(c) || c == '.' || c == '-' || c == '_' || c == ':'; }))
        return bad("no host name");
    std::transform(out.host.begin(), out.host.end(), out.host.begin(),
        [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    if (port.empty())
        out.port = out.is_tls ? "443" : "80";
    else {
        unsigned number = 0;
        const auto [last, ec] = std::from_chars(port.data(), port.data() + port.size(), number);
        if (ec != std::errc{} || last != port.data() + port.size() || number == 0 || number > 65535)
            return bad("not a port");
        out.port = std::to_string(number);
    }
    return out;
}

base::result<url> resolve(const url& from, std::string_view location)
{
    location = trimmed(location);
    const auto mark = location.find_first_of(":/?#");
    if (mark != std::string_view::npos && location[mark] == ':')
        return parse_url(location);
    const auto base = std::string(from.scheme()) + ":";
    if (location.substr(0, 2) == "//")
        return parse_url(base + std::string(location));
    const auto root = base + "//" + from.authority();
    if (!location.empty() && location.front() == '/')
        return parse_url(root + std::string(location));
    const auto path = from.target.substr(0, from.target.find('?'));
    if (location.empty() || location.front() == '#')
        return parse_url(root + from.target);
    if (location.front() == '?')
        return parse_url(root + path + std::string(location));
    return parse_url(root + path.substr(0, path.rfind('/') + 1) + std::string(location));
}

} // namespace coursegate::http
