// why: the trail of one student and one lesson, as the gateway tells it.
#include "commands/command.hpp"

#include "clients/gateway.hpp"

#include "coursegate/base/encoding.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace coursegate::ctl {
namespace {

std::string text(const nlohmann::json& value)
{
    if (value.is_null())
        return "–";
    return value.is_string() ? value.get<std::string>() : value.dump();
}

void print(const nlohmann::json& why)
{
    fmt::print("{}\n", why.value("open", false) ? "OPEN" : "LOCKED");
    if (const auto& student = why["student"]; student.is_object())
        fmt::print("  {}\n  {}\n", text(student["sentence"]), text(student["action"]));
    const auto& trail = why["trail"];
    if (trail.is_object())
        for (const auto& [name, value] : trail.items()) {
            if (value.is_object()) {
                fmt::print("{}\n", name);
                for (const auto& [key, inner] : value.items())
                    fmt::print("    {:<16} {}\n", key, text(inner));
            }
            else if (value.is_array()) {
                fmt::print("{}\n", name);
                for (const auto& entry : value)
                    fmt::print("    {}\n", text(entry));
            }
            else {
                fmt::print("{:<20} {}\n", name, text(value));
            }
        }
    if (const auto& ops = why["ops"]; ops.is_object())
        for (const auto& [name, value] : ops.items())
            fmt::print("{:<20} {}\n", name, text(value));
}

} // namespace

int run_why(runtime::environment& env, const std::vector<std::string>& words)
{
    const arguments args{words, {"--course", "--lang"}, {"--json"}};
    if (args.positional().size() != 2)
        throw usage_error("say the user (uuid or e-mail) and the lesson's id");
    const auto gateway = env.url("GATEWAY_URL", "the gateway's API");
    const auto token = env.secret("GATEWAY_TOKEN", "a token of the gateway's API");
    env.finish();
    json_api api{gateway, token};
    auto path = fmt::format("/v1/why?user={}&lesson={}&lang={}", base::percent_encode(args.positional()[0]),
        base::percent_encode(args.positional()[1]), base::percent_encode(args.value("--lang", "en")));
    if (args.has("--course"))
        path += fmt::format("&course={}", args.number("--course", 0));
    const auto why = api.get(path);
    if (args.has("--json"))
        fmt::print("{}\n", why.dump(2));
    else
        print(why);
    return 0;
}

} // namespace coursegate::ctl
