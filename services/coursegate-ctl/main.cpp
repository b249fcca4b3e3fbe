// coursegate-ctl: the operator's and developer's command line.
#include "commands/command.hpp"

#include "coursegate/log/log.hpp"
#include "coursegate/runtime/daemon.hpp"

#include <fmt/format.h>

#include <cstdio>

namespace {

using namespace coursegate;

void print_usage(std::FILE* out)
{
    fmt::print(out, "usage: coursegate-ctl COMMAND …\n\n");
    for (const auto& c : ctl::all_commands())
        fmt::print(out, "  {}\n      {}\n", c.usage, c.meaning);
    fmt::print(out,
        "\nSettings (environment; NAME_FILE reads a secret from a file):\n"
        "  MIGRATE_DATABASE_URL      owner of the database (migrate, status)\n"
        "  DATABASE_URL_<DAEMON>     login role of a daemon, made by migrate (DATABASE_URL_STEPIK_SYNC …)\n"
        "  AMQP_URL, AMQP_PREFIX     broker as an administrator (migrate, status, dead); AMQP_CA_FILE for "
        "amqps\n"
        "  AMQP_URL_<DAEMON>         broker user of a daemon, written by definitions\n"
        "  GATEWAY_URL, GATEWAY_TOKEN  the gateway's API (admin, why, watch, demo)\n"
        "  SANDBOX_URL               the sandbox (demo)\n"
        "  ADMIN_PORT                admin port of the daemon on this host (ready)\n");
}

} // namespace

int main(int argc, char** argv)
try {
    log::set_service("coursegate-ctl");
    log::set_level(log::level::warning);
    const std::vector<std::string> words(argv + 1, argv + argc);
    if (words.empty() || words[0] == "--help" || words[0] == "help") {
        print_usage(words.empty() ? stderr : stdout);
        return words.empty() ? 2 : 0;
    }
    for (const auto& c : ctl::all_commands()) {
        if (c.name != words[0])
            continue;
        try {
            runtime::environment env;
            return c.run(env, {words.begin() + 1, words.end()});
        }
        catch (const ctl::usage_error& e) {
            fmt::print(
                stderr, "coursegate-ctl {}: {}\nusage: coursegate-ctl {}\n", c.name, e.what(), c.usage);
            return 2;
        }
    }
    fmt::print(stderr, "coursegate-ctl: there is no command '{}'\n\n", words[0]);
    print_usage(stderr);
    return 2;
}
catch (const std::exception& e) {
    return coursegate::runtime::report_fatal(e);
}
