// watch: grants as they flow.
#include "commands/command.hpp"

#include "clients/gateway.hpp"
#include "commands/grant_line.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace coursegate::ctl {

int run_watch(runtime::environment& env, const std::vector<std::string>& words)
{
    const arguments args{words, {"--course", "--count", "--seconds"}, {}};
    const auto gateway = env.url("GATEWAY_URL", "the gateway's API");
    const auto token = env.secret("GATEWAY_TOKEN", "a token of the gateway's API");
    env.finish();
    json_api api{gateway, token};
    json_api follower{gateway, token};
    auto left = args.number("--count", std::numeric_limits<std::int64_t>::max(), 1);
    const auto longest = std::chrono::seconds(args.number("--seconds", 365LL * 24 * 3600, 1));
    std::string path = "/v1/grants/stream?types=grant_issued,grant_failed,grant_revoked";
    if (args.has("--course"))
        path += fmt::format("&course={}", args.number("--course", 0));

    names known;
    follower.follow(path, longest, [&](const std::string& type, const nlohmann::json& data) {
        const auto user = data.value("user_id", std::string{});
        if (!user.empty() && !known.students.contains(user)) {
            try {
                known.students[user] = api.get("/v1/users/" + user).value("email", user);
            }
            catch (const call_failed&) {
                known.students[user] = user; // shown by id; the name is not worth losing the line
            }
        }
        if (type == "grant_issued")
            fmt::print("{}\n", grant_line(data, known, std::nullopt));
        else
            fmt::print("{:<22} lesson {} {}: {}\n", known.students[user],
                data.value("lesson_id", std::int64_t{0}), type == "grant_failed" ? "FAILED" : "revoked",
                data.value("reason", std::string{}));
        std::fflush(stdout);
        return --left > 0;
    });
    return 0;
}

} // namespace coursegate::ctl
