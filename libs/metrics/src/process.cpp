#include "process.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <charconv>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

namespace coursegate::metrics {

namespace {

prometheus::MetricFamily family(std::string name, std::string help, prometheus::MetricType type, double v)
{
    prometheus::ClientMetric metric;
    if (type == prometheus::MetricType::Counter)
        metric.counter.value = v;
    else
        metric.gauge.value = v;
    return {std::move(name), std::move(help), type, {metric}};
}

std::string whole_file(const char* path)
{
    std::ifstream in{path};
    std::ostringstream out;
    out << in.rdbuf();
    return out.str();
}

// "RssAnon:      1234 kB" of /proc/self/status, in bytes; -1 when it is not there.
double status_kilobytes(const std::string& status, const std::string& name)
{
    const auto at = status.find("\n" + name + ":");
    if (at == std::string::npos)
        return -1;
    std::istringstream in{status.substr(at + name.size() + 2)};
    double kilobytes = -1;
    in >> kilobytes;
    return kilobytes < 0 ? -1 : kilobytes * 1024;
}

// Seconds since 1970 when the machine was started.
double boot_time()
{
    const auto stat = whole_file("/proc/stat");
    const auto at = stat.find("\nbtime ");
    return at == std::string::npos ? 0 : std::stod(stat.substr(at + 7, 20));
}

} // namespace

std::vector<prometheus::MetricFamily> process_metrics()
{
    using prometheus::MetricType;
    std::vector<prometheus::MetricFamily> out;

    // Fields are counted after the command's closing parenthesis, because the command itself may hold spaces:
    // 11 utime, 12 stime, 17 threads, 19 start time (all from 0), in clock ticks where they are times.
    const auto stat = whole_file("/proc/self/stat");
    const auto after_command = stat.rfind(')');
    if (after_command != std::string::npos) {
        std::istringstream in{stat.substr(after_command + 1)};
        std::vector<std::string> fields;
        for (std::string word; in >> word;)
            fields.push_back(word);
        if (fields.size() > 20) {
            const auto ticks = static_cast<double>(::sysconf(_SC_CLK_TCK));
            static const double boot = boot_time();
            out.push_back(family("process_cpu_seconds_total", "User and system CPU time", MetricType::Counter,
                (std::stod(fields[11]) + std::stod(fields[12])) / ticks));
            out.push_back(family(
                "process_threads", "Threads of the process", MetricType::Gauge, std::stod(fields[17])));
            out.push_back(family("process_start_time_seconds", "When the process started, since 1970",
                MetricType::Gauge, boot + std::stod(fields[19]) / ticks));
        }
    }

    const auto status = whole_file("/proc/self/status");
    if (const auto v = status_kilobytes(status, "VmRSS"); v >= 0)
        out.push_back(family("process_resident_memory_bytes", "Resident memory", MetricType::Gauge, v));
    if (const auto v = status_kilobytes(status, "RssAnon"); v >= 0)
        out.push_back(family("process_private_memory_bytes", "Resident memory that no file backs (RssAnon)",
            MetricType::Gauge, v));
    if (const auto v = status_kilobytes(status, "VmSize"); v >= 0)
        out.push_back(family("process_virtual_memory_bytes", "Virtual memory", MetricType::Gauge, v));

    std::error_code failed;
    double descriptors = 0;
    for (std::filesystem::directory_iterator it{"/proc/self/fd", failed}, end; !failed && it != end;
         it.increment(failed))
        ++descriptors;
    if (!failed)
        out.push_back(
            family("process_open_fds", "Open file descriptors", MetricType::Gauge, descriptors - 1));
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) == 0)
        out.push_back(family("process_max_fds", "Limit of open file descriptors", MetricType::Gauge,
            static_cast<double>(limit.rlim_cur)));
    return out;
}

} // namespace coursegate::metrics
