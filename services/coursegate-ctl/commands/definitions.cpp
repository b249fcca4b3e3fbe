// definitions: the broker's definitions file (users, permissions, topic permissions), loaded by the broker at
// boot. One user per daemon: it may declare and read its own queues, publish to the events exchange under the
// routing keys its slice declares, and copy (retry, park) through the default exchange.
#include "commands/command.hpp"

#include "clients/urls.hpp"

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

int run_definitions(runtime::environment& env, const std::vector<std::string>& words)
{
    const arguments args{words, {}, {}};
    const auto prefix = env.text("AMQP_PREFIX", "before exchange and queue names", "coursegate");
    auto users = nlohmann::json::array();
    auto permissions = nlohmann::json::array();
    auto topics = nlohmann::json::array();
    const auto add_user = [&](const std::string& variable, const std::string& tags,
                              bool required) -> std::string {
        const auto url = env.secret(variable, "broker user", required);
        if (url.empty())
            return {};
        const auto login = parse_login(url);
        if (!login.has_value()) {
            env.fault(variable + ": " + login.error().detail);
            return {};
        }
        users.push_back({{"name", login->user}, {"password", login->password.expose()}, {"tags", tags}});
        return login->user;
    };

    const auto p = quote(prefix);
    if (const auto name = add_user("AMQP_URL", "administrator", true); !name.empty())
        permissions.push_back(
            {{"user", name}, {"vhost", "/"}, {"configure", ".*"}, {"write", ".*"}, {"read", ".*"}});
    for (const auto& slice : slices::all()) {
        const auto name = add_user("AMQP_URL_" + slice.url_variable(), "", false);
        if (name.empty())
            continue;
        const auto own = fmt::format("{}\\.(events|unheard|{}\\..*)", p, quote(slice.service));
        permissions.push_back({{"user", name}, {"vhost", "/"}, {"configure", "^" + own + "$"},
            {"write", "^(amq\\.default|" + own + ")$"}, {"read", "^" + own + "$"}});
        topics.push_back({{"user", name}, {"vhost", "/"}, {"exchange", prefix + ".events"},
            {"write", slice.publishes.empty() ? "^$" : any_of(slice.publishes)}, {"read", ".*"}});
    }
    env.finish();
    const nlohmann::json out{{"vhosts", {{{"name", "/"}}}}, {"users", users}, {"permissions", permissions},
        {"topic_permissions", topics}};
    fmt::print("{}\n", out.dump(2));
    return 0;
}

} // namespace coursegate::ctl
