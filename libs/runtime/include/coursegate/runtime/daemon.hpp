// What all daemons share: event loop, signals, ordered start and stop, timers, the admin port.
//
//   GET /live      200 while the loop turns (answered by it)
//   GET /ready     200 when work is possible and happening: every component ok, every timer's last good tick
//   younger
//                  than its limit; else 503 with one line per reason
//   GET /metrics   Prometheus text
//   PUT /log-level body: trace|debug|info|warning|error
//
// One thread runs the loop. SIGTERM or SIGINT: components stop in reverse order of start, each with 30 s at
// most, then run() returns 0. A second signal ends the process at once.
#pragma once

#include "coursegate/async/component.hpp"
#include "coursegate/async/gate.hpp"
#include "coursegate/http/server.hpp"
#include "coursegate/runtime/settings.hpp"

#include <chrono>
#include <exception>
#include <functional>
#include <initializer_list>
#include <memory>
#include <string>

namespace coursegate::runtime {

class daemon
{
public:
    explicit daemon(settings s);
    ~daemon();

    async::executor executor();
    const settings& configuration() const;

    // Runs `tick` every `interval` (jittered by a tenth), the first one right after start; never two at once.
    // An exception is logged and the next tick comes as usual. Ready means a good tick is younger than 3 ×
    // interval + 30 s.
    void every(std::chrono::milliseconds interval, std::string name, std::function<async::task<void>()> tick);

    // A reason for not being ready that is not a component's (a course whose Stepik key is wrong does not
    // belong here).
    void also_check(std::string name, std::function<async::health()> check);

    // In the order given; timers start last. Call once, before run().
    void start_in_order(std::initializer_list<std::reference_wrapper<async::component>> components);

    // Until SIGTERM/SIGINT. Returns the exit code. Logs `ready` with the milliseconds since the process
    // started.
    int run();

    // For tests that run a daemon in-process: ends run() as SIGTERM does. Any thread.
    void request_stop();

    // Background work of the daemon itself; closed first when stopping.
    async::gate& background();

    int admin_port() const; // after start

private:
    struct impl;
    std::unique_ptr<impl> impl_;
};

// main's last catch: prints one sentence (bad_configuration: one line per fault) to standard error and
// returns 1.
int report_fatal(const std::exception& e);

// Handles --help (prints `about` and the settings that `read` asks for, exits 0) and --version, refuses other
// arguments with exit 2. Call first in main: `read` is run against an empty environment to learn the names.
void handle_arguments(int argc, char** argv, const std::string& service, const std::string& about,
    const std::function<void(environment&)>& read);

} // namespace coursegate::runtime
