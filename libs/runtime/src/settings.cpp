#include "coursegate/runtime/settings.hpp"

#include "coursegate/base/encoding.hpp"
#include "coursegate/db/url.hpp"
#include "coursegate/log/log.hpp"

#include <fmt/format.h>

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string_view>
#include <system_error>

namespace coursegate::runtime {

namespace {

std::string new_instance_name()
{
    std::array<char, 256> host{};
    if (::gethostname(host.data(), host.size() - 1) != 0)
        host = {'?'};
    return fmt::format("{}:{}:{}", host.data(), ::getpid(), base::to_hex(base::random_bytes(4)));
}

std::string percent_decoded(std::string_view text)
{
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto digit = [&](std::size_t at) -> int {
            const char c = at < text.size() ? text[at] : '?';
            if (c >= '0' && c <= '9')
                return c - '0';
            const char folded = static_cast<char>(c | 0x20);
            return folded >= 'a' && folded <= 'f' ? folded - 'a' + 10 : -1;
        };
        if (text[i] == '%' && digit(i + 1) >= 0 && digit(i + 2) >= 0) {
            out += static_cast<char>(digit(i + 1) * 16 + digit(i + 2));
            i += 2;
        }
        else
            out += text[i];
    }
    return out;
}

// The password of scheme://user:password@host/…, as written; libraries quote it in messages of their own,
// without the rest of the address.
std::string_view password_of(std::string_view url)
{
    const auto scheme = url.find("://");
    if (scheme == std::string_view::npos)
        return {};
    const auto rest = url.substr(scheme + 3);
    const auto authority = rest.substr(0, rest.find_first_of("/?#"));
    const auto at = authority.rfind('@');
    const auto colon = authority.find(':');
    if (at == std::string_view::npos || colon == std::string_view::npos || colon > at)
        return {};
    return authority.substr(colon + 1, at - colon - 1);
}

bool is_broker_name(std::string_view text)
{
    return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
               c == '_' || c == '-';
    });
}

void hide_password(std::string_view url)
{
    const auto written = password_of(url);
    log::never_print(base::secret{std::string(written)});
    log::never_print(base::secret{percent_decoded(written)});
}

} // namespace

settings read_settings(environment& env, const std::string& service)
{
    settings out;
    out.service = service;
    out.admin_host = env.text("HOST", "address to listen on", "127.0.0.1");
    out.admin_port = static_cast<int>(env.integer("ADMIN_PORT",
        "port of /live, /ready, /metrics and /log-level; 0: any free one, logged at start", 0, 65535, 0));
    out.log_level = env.text("LOG_LEVEL", "trace, debug, info, warning or error", "info");
    log::level parsed{};
    if (!log::parse_level(out.log_level, parsed))
        env.fault("LOG_LEVEL is \"" + out.log_level + "\", but must be trace, debug, info, warning or error");
    out.instance = new_instance_name();
    return out;
}

db::settings read_database(environment& env, const std::string& service)
{
    db::settings out;
    out.url = env.secret("DATABASE_URL", "PostgreSQL: postgresql://role:password@host/coursegate");
    const auto& url = out.url.expose();
    hide_password(url);
    if (!url.empty())
        if (auto wrong = db::fault_of_url(out.url); !wrong.empty())
            env.fault(std::move(wrong));
    out.connections = static_cast<int>(
        env.integer("DATABASE_CONNECTIONS", "connections (and threads) to PostgreSQL", 1, 64, 4));
    out.application_name = service;
    return out;
}

amqp::settings read_broker(environment& env, const std::string& service)
{
    amqp::settings out;
    const auto urls =
        env.secret("AMQP_URL", "RabbitMQ: one or more amqp(s)://user:password@host, comma separated");
    if (!urls.empty()) {
        try {
            out.addresses = amqp::parse_addresses(urls);
            for (const auto& address : out.addresses)
                log::never_print(address.password);
        }
        catch (const base::bad_configuration& wrong) {
            env.fault(wrong.what());
        }
        std::string_view rest = urls.expose();
        for (bool more = true; more;) {
            const auto comma = rest.find(',');
            more = comma != std::string_view::npos;
            hide_password(rest.substr(0, comma));
            rest.remove_prefix(more ? comma + 1 : rest.size());
        }
    }
    out.prefix = env.text("AMQP_PREFIX", "before the names of exchanges and queues", "coursegate");
    if (!is_broker_name(out.prefix))
        env.fault(
            "AMQP_PREFIX is \"" + out.prefix + "\", but may hold only letters, digits, '.', '_' and '-'");
    out.ca_file = env.text("AMQP_CA_FILE", "certificates to trust for amqps; empty: the system's", "");
    if (!out.ca_file.empty() && ::access(out.ca_file.c_str(), R_OK) != 0)
        env.fault("AMQP_CA_FILE names " + out.ca_file +
                  ", which can't be read: " + std::generic_category().message(errno));
    out.connection_name = service;
    return out;
}

base::secret read_secret_key(environment& env)
{
    auto out = env.secret(
        "SECRET_KEY", "master secret: at least 32 random bytes in base64; a list rotates, the first seals");
    if (out.empty())
        return out;
    try {
        const base::keyring checked{out};
    }
    catch (const base::bad_configuration& wrong) {
        env.fault(wrong.what());
    }
    // Each key of the list is a secret of its own.
    std::string_view rest = out.expose();
    while (!rest.empty()) {
        const auto end = rest.find_first_of(", \t\r\n");
        log::never_print(base::secret{std::string(rest.substr(0, end))});
        rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    }
    return out;
}

} // namespace coursegate::runtime
