#include "process.hpp"

#include <malloc.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

namespace coursegate::runtime {

void prepare_process()
{
    ::mallopt(M_ARENA_MAX, 2);
    ::mallopt(M_TRIM_THRESHOLD, 256 * 1024);
    ::mallopt(
        M_MMAP_THRESHOLD, 1024 * 1024); // a page of grades comes and goes without leaving a hole in the heap
    std::signal(SIGPIPE, SIG_IGN);

    // The usual soft limit of 1,024 is for programs that use select(); nothing here does.
    rlimit files{};
    if (::getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < files.rlim_max) {
        files.rlim_cur = files.rlim_max;
        ::setrlimit(RLIMIT_NOFILE, &files);
    }

    std::vector<std::string> of_libpq;
    for (char** entry = environ; *entry != nullptr; ++entry)
        if (std::string_view text = *entry; text.starts_with("PG"))
            of_libpq.emplace_back(text.substr(0, text.find('=')));
    for (const auto& name : of_libpq)
        ::unsetenv(name.c_str());
}

void give_memory_back()
{
    ::malloc_trim(0);
}

void exit_on_next_signal()
{
    const auto leave = [](int number) { ::_exit(128 + number); };
    std::signal(SIGTERM, leave);
    std::signal(SIGINT, leave);
}

void default_signals()
{
    std::signal(SIGTERM, SIG_DFL);
    std::signal(SIGINT, SIG_DFL);
}

std::int64_t milliseconds_since_process_start()
{
    std::ifstream in{"/proc/self/stat"};
    std::stringstream stat;
    stat << in.rdbuf();
    const auto text = stat.str();
    // The 22nd field is the start in clock ticks since boot; counted after the command, which may hold
    // spaces.
    std::istringstream fields{text.substr(text.rfind(')') + 1)};
    std::string word;
    for (int i = 0; i < 20; ++i)
        fields >> word;
    timespec now{};
    if (!fields || ::clock_gettime(CLOCK_BOOTTIME, &now) != 0)
        return -1;
    const auto started = std::stoll(word) * 1000 / ::sysconf(_SC_CLK_TCK);
    return now.tv_sec * 1000 + now.tv_nsec / 1'000'000 - started;
}

} // namespace coursegate::runtime
