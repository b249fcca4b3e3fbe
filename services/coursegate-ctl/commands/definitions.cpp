// definitions: the broker's definitions file (users, permissions, topic permissions), loaded by the broker at
// boot. One user per daemon: it may declare and read its own queues, publish to the events exchange under the
// routing keys its slice declares, and copy (retry, park) through the default exchange.
#include "commands/definitions.hpp"

#include "commands/command.hpp"

#include "coursegate/base/secret.hpp"
#include "coursegate/slices/slices.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace coursegate::ctl {
namespace {

// Escapes what a routing key or prefix may hold for the broker's regular expressions.
std::string quote(const std::string& text)
{
    std::string out;
    for (const char c : text) {
        if (!std::isalnum(static_cast<unsigned char>(c)) && c != '_' && c != '-')
            out += '\\';
        out += c;
    }
    return out;
}

std::string any_of(const std::vector<std::string>& keys)
{
    std::string out;
    for (const auto& key : keys)
        out += (out.empty() ? "" : "|") + quote(key);
    return "^(" + out + ")$";
}

} // namespace

nlohmann::json broker_definitions(
    const std::string& prefix, const login& admin, const std::map<std::string, login>& daemons)
{
    auto users = nlohmann::json::array();
    auto permissions = nlohmann::json::array();
    auto topics = nlohmann::json::array();
    const auto add_user = [&](const login& who, const std::string& tags) {
        users.push_back({{"name", who.user}, {"password", who.password.expose()}, {"tags", tags}});
    };
    add_user(admin, "administrator");
    permissions.push_back(
        {{"user", admin.user}, {"vhost", "/"}, {"configure", ".*"}, {"write", ".*"}, {"read", ".*"}});

    const auto p = quote(prefix);
    for (const auto& slice : slices::all()) {
        const auto found = daemons.find(slice.service);
        if (found == daemons.end())
            continue;
        const auto& user = found->second.user;
        add_user(found->second, "");
        const auto own = fmt::format("{}\\.(events|unheard|{}\\..*)", p, quote(slice.service));
        const auto read = own + (slice.redrives ? fmt::format("|{}\\..*\\.dead", p) : std::string());
        permissions.push_back({{"user", user}, {"vhost", "/"}, {"configure", "^" + own + "$"},
            {"write", "^(amq\\.default|" + own + ")$"}, {"read", "^(" + read + ")$"}});
        topics.push_back({{"user", user}, {"vhost", "/"}, {"exchange", prefix + ".events"},
            {"write", slice.publishes.empty() ? "^$" : any_of(slice.publishes)}, {"read", ".*"}});
    }
    return {{"vhosts", {{{"name", "/"}}}}, {"users", users}, {"permissions", permissions},
        {"topic_permissions", topics}};
}

int run_definitions(runtime::environment& env, const std::vector<std::string>& words)
{
    const arguments args{words, {}, {}};
    const auto prefix = env.text("AMQP_PREFIX", "before exchange and queue names", "coursegate");
    const auto login_in = [&](const std::string& variable, bool required) -> std::optional<login> {
        const auto url = env.secret(variable, "broker user", required);
        if (url.empty())
            return std::nullopt;
        auto found = parse_login(url);
        if (!found.has_value()) {
            env.fault(variable + ": " + found.error().detail);
            return std::nullopt;
        }
        return std::move(*found);
    };
    const auto admin = login_in("AMQP_URL", true);
    std::map<std::string, login> daemons;
    for (const auto& slice : slices::all())
        if (auto found = login_in("AMQP_URL_" + slice.url_variable(), false))
            daemons.emplace(slice.service, std::move(*found));
    env.finish();
    fmt::print("{}\n", broker_definitions(prefix, *admin, daemons).dump(2));
    return 0;
}

} // namespace coursegate::ctl
