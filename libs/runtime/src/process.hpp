// What a daemon asks of its process: memory, signals, age.
#pragma once

#include <cstdint>

namespace coursegate::runtime {

// Once, before threads start: two malloc arenas instead of eight per core, freed memory given back, SIGPIPE
// ignored (a broken connection is an error code here), as many open files as the system allows, PG* unset
// (libpq would read from PGHOST, PGSSLMODE and the like what DATABASE_URL leaves out).
void prepare_process();

// Returns freed memory to the system. About a millisecond.
void give_memory_back();

// From here on SIGTERM or SIGINT ends the process at once with 128 + number. A handler, not the default
// action: as process 1 of a container the default action is to ignore.
void exit_on_next_signal();
void default_signals();

// By the kernel's clock, to its tick (10 ms).
std::int64_t milliseconds_since_process_start();

} // namespace coursegate::runtime
