// The first and the last things a daemon's main does: arguments, and the sentence before exit 1.
#include "coursegate/runtime/daemon.hpp"

#include "coursegate/log/log.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace coursegate::runtime {

int report_fatal(const std::exception& e)
{
    log::flush();
    const auto sentence = log::without_secrets(e.what());
    fmt::print(stderr, "{}\n", sentence);
    return 1;
}

namespace {

void print_help(const std::string& service, const std::string& about, const environment& env)
{
    fmt::print("{} - {}\n\nUsage: {} [--help | --version]\n\nSettings, read from the environment:\n", service,
        about, service);
    std::size_t widest = 0;
    for (const auto& s : env.asked())
        widest = std::max(widest, s.name.size());
    for (const auto& s : env.asked()) {
        std::string note;
        if (s.otherwise == "required")
            note = " (required)";
        else if (!s.otherwise.empty())
            note = " (default: " + s.otherwise + ")";
        fmt::print("  {:<{}}  {}{}{}\n", s.name, widest, s.meaning, note, s.is_secret ? " [secret]" : "");
    }
    fmt::print("\nBeside each [secret] NAME, NAME_FILE names a file to read it from.\n");
}

} // namespace

void handle_arguments(int argc, char** argv, const std::string& service, const std::string& about,
    const std::function<void(environment&)>& read)
{
    if (argc <= 1)
        return;
    const std::string_view argument{argv[1]};
    if (argc == 2 && (argument == "--help" || argument == "-h")) {
        environment nothing{std::vector<std::pair<std::string, std::string>>{}};
        try {
            read(nothing);
        }
        catch (const std::exception&) {
            // Everything required is missing here; what matters is what was asked for.
        }
        print_help(service, about, nothing);
        std::exit(0);
    }
    if (argc == 2 && argument == "--version") {
        fmt::print("{} {}\n", service, COURSEGATE_VERSION);
        std::exit(0);
    }
    fmt::print(stderr, "{}: unknown argument {}; settings come from the environment, see {} --help\n",
        service, argument, service);
    std::exit(2);
}

} // namespace coursegate::runtime
