// What a command of coursegate-ctl is: a name, a usage line, what it reads from the environment, and a
// function.
#pragma once

#include "coursegate/runtime/environment.hpp"

#include <cstdint>
#include <limits>
#include <stdexcept>
#include <string>
#include <vector>

namespace coursegate::ctl {

// Wrong words on the command line: main prints what() and the usage, and exits 2.
class usage_error : public std::runtime_error
{
public:
    using std::runtime_error::runtime_error;
};

// The words after the command's name. Flags are `--name value` or, for those listed in `switches`, `--name`.
class arguments
{
public:
    arguments(
        std::vector<std::string> words, std::vector<std::string> valued, std::vector<std::string> switches);

    const std::vector<std::string>& positional() const { return positional_; }
    std::string value(const std::string& flag, const std::string& otherwise = {}) const;
    // usage_error when not a whole number, or below `least`.
    std::int64_t number(const std::string& flag, std::int64_t otherwise,
        std::int64_t least = std::numeric_limits<std::int64_t>::min()) const;
    std::vector<std::string> values(
        const std::string& flag) const; // of a flag that may be said several times
    bool has(const std::string& flag) const;

private:
    std::vector<std::string> positional_;
    std::vector<std::pair<std::string, std::string>> flags_;
};

struct command
{
    std::string name;
    std::string usage;   // "dead list|show|redrive QUEUE [--id ID] …"
    std::string meaning; // one sentence
    // Returns the exit code. Throws usage_error, base::bad_configuration, or what its dependencies throw.
    int (*run)(runtime::environment& env, const std::vector<std::string>& words);
};

// Every command, in the order --help shows them.
const std::vector<command>& all_commands();

int run_migrate(runtime::environment& env, const std::vector<std::string>& words);
int run_definitions(runtime::environment& env, const std::vector<std::string>& words);
int run_ready(runtime::environment& env, const std::vector<std::string>& words);
int run_status(runtime::environment& env, const std::vector<std::string>& words);
int run_admin(runtime::environment& env, const std::vector<std::string>& words);
int run_why(runtime::environment& env, const std::vector<std::string>& words);
int run_dead(runtime::environment& env, const std::vector<std::string>& words);
int run_watch(runtime::environment& env, const std::vector<std::string>& words);
int run_demo(runtime::environment& env, const std::vector<std::string>& words);

} // namespace coursegate::ctl
