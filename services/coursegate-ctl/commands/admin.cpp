// admin: makes somebody an administrator of the site; on a fresh system the first one.
#include "commands/command.hpp"

#include "clients/gateway.hpp"

#include "coursegate/base/encoding.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <cstdio>

namespace coursegate::ctl {
namespace {

std::string make_user(json_api& gateway, const std::string& email)
{
    const auto made = gateway.post("/v1/users", {{"email", email}});
    // Said at once: if the next call fails, the code is known all the same. It can't be read again.
    fmt::print("{} is new here and signs in with the code {}\n", email, made["boom_code"].get<std::string>());
    std::fflush(stdout);
    return made["id"].get<std::string>();
}

} // namespace

// Two calls, each safe to repeat. When the second one fails, the person is a user without the role; the
// command said again finds him and gives it.
int run_admin(runtime::environment& env, const std::vector<std::string>& words)
{
    const arguments args{words, {"--email"}, {}};
    const auto email = args.value("--email");
    if (email.empty() || !args.positional().empty())
        throw usage_error("say whom: --email NAME@EXAMPLE.ORG");
    const auto url = env.url("GATEWAY_URL", "the gateway's API");
    const auto token = env.secret("GATEWAY_TOKEN", "a token of the gateway's API");
    env.finish();
    json_api gateway{url, token};

    const auto known = gateway.get("/v1/users?email=" + base::percent_encode(email));
    const auto& users = known["users"];
    const auto id = users.empty() ? make_user(gateway, email) : users[0]["id"].get<std::string>();
    gateway.put("/v1/users/" + id + "/roles", {{"role", "admin"}, {"reason", "coursegate-ctl admin"}});
    fmt::print("{} is an administrator\n", email);
    return 0;
}

} // namespace coursegate::ctl
