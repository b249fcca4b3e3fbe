#include "clients/urls.hpp"

#include <charconv>

namespace coursegate::ctl {
namespace {

std::string decode_percent(std::string_view text)
{
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        unsigned value = 0;
        if (text[i] == '%' && i + 2 < text.size() &&
            std::from_chars(text.data() + i + 1, text.data() + i + 3, value, 16).ptr == text.data() + i + 3)
        {
            out += static_cast<char>(value);
            i += 2;
        }
        else {
            out += text[i];
        }
    }
    return out;
}

} // namespace

base::result<login> parse_login(const base::secret& url)
{
    const std::string_view text = url.expose();
    const auto scheme = text.find("://");
    if (scheme == std::string_view::npos)
        return base::fail(base::errc::malformed, "is not a URL (scheme://user:password@host)");
    auto authority = text.substr(scheme + 3);
    authority = authority.substr(0, authority.find_first_of("/?"));
    const auto at = authority.rfind('@');
    if (at == std::string_view::npos)
        return base::fail(base::errc::malformed, "names no user");
    const auto credentials = authority.substr(0, at);
    const auto colon = credentials.find(':');
    if (colon == std::string_view::npos || colon == 0 || colon + 1 == credentials.size())
        return base::fail(base::errc::malformed, "needs a user and a password");
    return login{decode_percent(credentials.substr(0, colon)),
        base::secret{decode_percent(credentials.substr(colon + 1))}};
}

} // namespace coursegate::ctl
