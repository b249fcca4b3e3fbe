#include "coursegate/amqp/settings.hpp"

#include "coursegate/base/error.hpp"

#include <fmt/format.h>

#include <charconv>

namespace coursegate::amqp {

namespace {

[[noreturn]] void refuse(std::size_t position, std::string_view what)
{
    throw base::bad_configuration(fmt::format("AMQP_URL: address {}: {}", position, what));
}

int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

std::string percent_decode(std::string_view text, std::size_t position, std::string_view part)
{
    std::string out;
    out.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '%') {
            out += text[i];
            continue;
        }
        const int high = i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
        const int low = i + 2 < text.size() ? hex_digit(text[i + 2]) : -1;
        if (high < 0 || low < 0)
            refuse(position, fmt::format("the {} has a % that two hex digits must follow", part));
        out += static_cast<char>(high * 16 + low);
        i += 2;
    }
    return out;
}

std::string_view trim(std::string_view s)
{
    while (!s.empty() && s.front() == ' ')
        s.remove_prefix(1);
    while (!s.empty() && s.back() == ' ')
        s.remove_suffix(1);
    return s;
}

broker_address parse_address(std::string_view url, std::size_t position)
{
    broker_address out;
    if (url.starts_with("amqp://"))
        url.remove_prefix(7);
    else if (url.starts_with("amqps://")) {
        url.remove_prefix(8);
        out.tls = true;
        out.port = 5671;
    }
    else
        refuse(position, "must begin with amqp:// or amqps://");

    if (url.find_first_of("?#") != std::string_view::npos)
        refuse(position, "takes no ? or # (in a password they are written %3F and %23)");

    const auto slash = url.find('/');
    if (slash != std::string_view::npos && slash + 1 < url.size())
        out.vhost = percent_decode(url.substr(slash + 1), position, "vhost");
    const auto authority = url.substr(0, slash);

    const auto at = authority.rfind('@');
    if (at == std::string_view::npos)
        refuse(position, "names no user (amqp://user:password@host)");
    const auto login = authority.substr(0, at);
    const auto colon = login.find(':');
    if (colon == std::string_view::npos)
        refuse(position, "names no password (amqp://user:password@host)");
    out.user = percent_decode(login.substr(0, colon), position, "user");
    out.password = base::secret(percent_decode(login.substr(colon + 1), position, "password"));
    if (out.user.empty())
        refuse(position, "names no user (amqp://user:password@host)");

    auto host = authority.substr(at + 1);
    std::string_view port;
    if (host.starts_with('[')) {
        const auto end = host.find(']');
        if (end == std::string_view::npos)
            refuse(position, "the host's [ is not closed");
        port = host.substr(end + 1);
        host = host.substr(1, end - 1);
    }
    else if (const auto at_port = host.find(':'); at_port != std::string_view::npos) {
        port = host.substr(at_port);
        host = host.substr(0, at_port);
    }
    if (host.empty())
        refuse(position, "names no host");
    out.host = std::string(host);
    if (!port.empty()) {
        const auto digits = port.substr(1);
        const auto [end, failed] = std::from_chars(digits.data(), digits.data() + digits.size(), out.port);
        if (port.front() != ':' || failed != std::errc{} || end != digits.data() + digits.size() ||
            out.port < 1 || out.port > 65'535)
            refuse(position, "the port must be a number from 1 to 65535");
    }
    return out;
}

} // namespace

std::vector<broker_address> parse_addresses(const base::secret& urls)
{
    std::vector<broker_address> out;
    std::string faults;
    std::string_view rest = urls.expose();
    for (std::size_t position = 1;; ++position) {
        const auto comma = rest.find(',');
        const auto url = trim(rest.substr(0, comma));
        try {
            if (url.empty())
                refuse(position, "is empty");
            out.push_back(parse_address(url, position));
        }
        catch (const base::bad_configuration& wrong) {
            faults += (faults.empty() ? "" : "\n") + std::string(wrong.what());
        }
        if (comma == std::string_view::npos)
            break;
        rest.remove_prefix(comma + 1);
    }
    if (!faults.empty())
        throw base::bad_configuration(faults);
    return out;
}

} // namespace coursegate::amqp
