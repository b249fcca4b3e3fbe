// Runs a program as a process of its own: the daemons in integration tests, killed and started again.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

namespace coursegate::testkit {

// A TCP port on 127.0.0.1 that was free a moment ago.
int free_port();

// Path of a program of this build ("stepik-sync"): beside the running test program.
std::string built_program(const std::string& name);

struct process_options
{
    std::string program;                  // path
    std::vector<std::string> arguments{}; // without the program's name
    // The whole environment but PATH, HOME, LANG and what the sanitizers read, which are passed on.
    std::map<std::string, std::string> environment{};
    std::string output{}; // file that standard output and error are appended to; empty: a temporary one
};

class process
{
public:
    explicit process(process_options o); // starts it; throws std::system_error when it can't
    ~process();                          // SIGKILL if it still runs, and waits
    process(const process&) = delete;

    pid_t pid() const { return pid_; }
    bool running();
    void kill(int signal); // SIGKILL, SIGTERM, SIGSTOP, …; nothing when it has ended

    // The exit code, or 128 + signal; nullopt when it still runs after `limit`.
    std::optional<int> wait(std::chrono::milliseconds limit);

    // SIGTERM, then wait; SIGKILL after `limit`.
    int stop(std::chrono::milliseconds limit = std::chrono::seconds(30));

    const std::string& output_file() const { return options_.output; }
    std::string output() const; // all of it so far

    // Waits until the output holds `text`; false after `limit` or when the program ended without saying it.
    bool said(const std::string& text, std::chrono::milliseconds limit);

    // The value of a JSON log line's member ("port": 1234) in the last line that holds `text`; for ports that
    // the program chose itself. nullopt when there is none.
    std::optional<std::string> logged(const std::string& text, const std::string& member) const;

private:
    process_options options_;
    bool remove_output_ = false;
    pid_t pid_ = -1;
    std::optional<int> ended_;
};

} // namespace coursegate::testkit
