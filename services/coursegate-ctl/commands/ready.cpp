// ready: asks the daemon on this host whether it is ready (a container's health check).
#include "commands/command.hpp"

#include "clients/gateway.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace coursegate::ctl {

int run_ready(runtime::environment& env, const std::vector<std::string>& words)
{
    const arguments args{words, {}, {}};
    const auto port = env.integer("ADMIN_PORT", "the daemon's admin port", 1, 65535);
    env.finish();
    json_api daemon{fmt::format("http://127.0.0.1:{}", port), {}};
    try {
        daemon.get("/ready");
        return 0;
    }
    catch (const call_failed& e) {
        fmt::print("{}\n", e.what());
        return 1;
    }
}

} // namespace coursegate::ctl
